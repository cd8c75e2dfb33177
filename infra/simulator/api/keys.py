"""API keys: their account and their permissions. Secrets are never shown by repr."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.registers.registry import KeyRecord
from infra.simulator.venue.state import Venue

ALL_GROUPS = (
    "ContractTrade", "Spot", "Wallet", "Options", "Derivatives", "CopyTrading", "BlockTrade", "Exchange", "NFT",
    "Affiliate", "Earn", "FiatP2P", "FiatConvertBroker", "FiatGlobalPay", "FiatBitPay", "BitCard", "ByXPost",
)  # fmt: skip

TRADE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ContractTrade": ("Order", "Position"),
        "Spot": ("SpotTrade",),
        "Derivatives": ("DerivativesTrade",),
        "Earn": ("Earn",),
    }
)
TRANSFER: Mapping[str, tuple[str, ...]] = MappingProxyType({"Wallet": ("AccountTransfer", "SubMemberTransfer")})
WITHDRAW: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"Wallet": ("AccountTransfer", "SubMemberTransfer", "Withdraw")}
)
ORDERS: Mapping[str, tuple[str, ...]] = MappingProxyType({"ContractTrade": ("Order",), "Spot": ("SpotTrade",)})
"""Enough to list and cancel orders: the keys of a dead-man switch."""
CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **TRADE,
        "Wallet": ("AccountTransfer", "SubMemberTransferList"),
        "Options": ("OptionsTrade",),
        "Exchange": ("ExchangeHistory",),
        "Earn": ("Earn",),
        "CopyTrading": ("CopyTrading",),
        "BlockTrade": ("BlockTrade",),
    }
)
"""What a sub-account's key may be given."""

UNBOUND = "*"
DAY_MS = 86_400_000
UNBOUND_DAYS = 90
"""How long a key without bound addresses lives."""

CONFIGURED, OF_OWNER, OF_DEAD_MAN = 0, -1, -2
"""Numbers of keys that were not made by request: those of the keys file."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of one account. ``number`` distinguishes an account's keys; ``ips`` are the addresses it is bound to
    (empty: any)."""

    account: str
    uid: int
    key: str
    secret: str = field(repr=False)
    read_only: bool
    permissions: Mapping[str, tuple[str, ...]]
    number: int = CONFIGURED
    ips: tuple[str, ...] = ()

    def require(self, group: str, permission: str) -> None:
        """10005 unless the key may write with this permission."""
        if self.read_only or permission not in self.permissions.get(group, ()):
            raise VenueError(10005, "Permission denied, please check your API key permissions.")

    def require_read(self, group: str, permission: str) -> None:
        """10005 unless the key has this permission; it may be a read-only one."""
        if permission not in self.permissions.get(group, ()):
            raise VenueError(10005, "Permission denied, please check your API key permissions.")


def default_key(account: str, uid: int, *, is_master: bool) -> ApiKey:
    """The key assumed for in-process requests: trade-only for a sub-account, transfers only for the master."""
    return ApiKey(account, uid, f"inprocess{uid}", "", False, TRANSFER if is_master else TRADE)


def expires_ms(record: KeyRecord) -> int | None:
    """When the key ends, in market time; None for one that is bound to addresses."""
    return record.created_ms + UNBOUND_DAYS * DAY_MS if UNBOUND in record.ips else None


def days_left(record: KeyRecord, now_ms: int) -> int:
    """Whole days until the key ends; -2 for one that does not."""
    ends_ms = expires_ms(record)
    return -2 if ends_ms is None else max(ends_ms - now_ms, 0) // DAY_MS


class KeyRing:
    """The keys made by request, by key text, as long as they exist.

    Key and secret follow from ``root``, a secret of the exchange, and the record's number: a log that is replayed
    makes the same keys, and neither log nor snapshot holds a secret.
    """

    def __init__(self, root: str, venue: Venue) -> None:
        self._root = root
        self.issued: dict[str, ApiKey] = {}
        self.refresh(venue)

    def refresh(self, venue: Venue) -> None:
        """Take over what the registry says now."""
        self.issued.clear()
        self.issued.update((key.key, key) for key in (self.key_of(venue, one) for one in venue.registry.keys.values()))

    def key_of(self, venue: Venue, record: KeyRecord) -> ApiKey:
        """The key of a record."""
        permissions = {group: tuple(names) for group, names in record.permissions.items()}
        ips = () if UNBOUND in record.ips else tuple(record.ips)
        uid = venue.accounts[record.account].uid
        text, secret = self._derived("key", record.number)[:18], self._derived("secret", record.number)[:36]
        return ApiKey(record.account, uid, text, secret, record.read_only, permissions, record.number, ips)

    def check_usable(self, venue: Venue, key: ApiKey, address: str) -> None:
        """Raises ``VenueError`` 10008 for a frozen or deleted account, 33004 for a key that has ended, 10010 for an
        address that the key is not bound to."""
        member = venue.registry.members.get(key.account)
        if member is not None and (member.is_frozen or member.is_deleted):
            raise VenueError(10008, "User has been banned.")
        record = venue.registry.keys.get(key.number)
        if record is None:
            return
        ends_ms = expires_ms(record)
        if ends_ms is not None and venue.now_ms >= ends_ms:
            raise VenueError(33004, "Your api key has expired.")
        if key.ips and address not in key.ips:
            raise VenueError(10010, "Unmatched IP, please check your API key's bound IP addresses.")

    def _derived(self, what: str, number: int) -> str:
        return hmac.new(self._root.encode(), f"api {what} {number}".encode(), hashlib.sha256).hexdigest()
