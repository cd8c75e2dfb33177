"""API keys: their account and their permissions. Secrets are never shown by repr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from infra.simulator.venue.errors import VenueError

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


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of one account."""

    account: str
    uid: int
    key: str
    secret: str = field(repr=False)
    read_only: bool
    permissions: Mapping[str, tuple[str, ...]]

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
