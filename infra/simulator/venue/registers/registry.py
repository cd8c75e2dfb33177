"""What the exchange keeps beside markets and wallets: sub-accounts, issued keys, withdrawals, insurance.

Plain data; who may change it is decided by the requests, what it means by the modules named after each part.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from infra.simulator.venue.model import Row
from infra.simulator.venue.money import text

INSURANCE_USDT = Decimal(500_000_000)
"""The insurance pool of a new exchange."""

PRODUCTS = ("SPOT", "DERIVATIVES", "OPTIONS")
"""Product groups of disconnection protection."""

DEFAULT_DCP_S = 10


@dataclass(slots=True)
class Member:
    """What the exchange notes about an account beside its money. ``kind`` 1 is an ordinary sub-account."""

    kind: int = 1
    remark: str = ""
    is_frozen: bool = False
    is_deleted: bool = False


@dataclass(slots=True)
class KeyRecord:
    """A key made by request, without its secret: that follows from the exchange's own secret and ``number``."""

    number: int
    account: str
    note: str
    read_only: bool
    ips: list[str]
    permissions: dict[str, list[str]]
    created_ms: int


@dataclass(slots=True)
class Registry:
    """One for the whole exchange. ``dcp_s``: windows of disconnection protection in seconds, by account and product.

    ``insurance_usdt`` is the pool that pays what liquidations lose beyond an account's equity, ``insurance_peak_usdt``
    its highest.
    """

    members: dict[str, Member] = field(default_factory=dict)
    keys: dict[int, KeyRecord] = field(default_factory=dict)
    withdrawals: list[Row] = field(default_factory=list)
    insurance_usdt: Decimal = INSURANCE_USDT
    insurance_peak_usdt: Decimal = INSURANCE_USDT
    insurance_ms: int = 0
    dcp_s: dict[str, dict[str, int]] = field(default_factory=dict)

    def member(self, name: str) -> Member:
        """What is noted about the account."""
        return self.members.setdefault(name, Member())

    def pay_insurance(self, amount_usdt: Decimal, now_ms: int) -> None:
        """The pool pays (negative: is paid) this much."""
        self.insurance_usdt -= amount_usdt
        self.insurance_peak_usdt = max(self.insurance_peak_usdt, self.insurance_usdt)
        self.insurance_ms = now_ms


def dump(registry: Registry) -> dict[str, Any]:
    """JSON-ready."""
    return {
        "members": {name: asdict(member) for name, member in registry.members.items()},
        "keys": [asdict(record) for record in registry.keys.values()],
        "withdrawals": [list(row) for row in registry.withdrawals],
        "insurance_usdt": text(registry.insurance_usdt),
        "insurance_peak_usdt": text(registry.insurance_peak_usdt),
        "insurance_ms": registry.insurance_ms,
        "dcp_s": registry.dcp_s,
    }


def load(data: dict[str, Any]) -> Registry:
    """The registry of a snapshot; an empty one for a snapshot of an earlier version, which had none."""
    if not data:
        return Registry()
    return Registry(
        members={name: Member(**one) for name, one in data["members"].items()},
        keys={one["number"]: KeyRecord(**one) for one in data["keys"]},
        withdrawals=[Row(*row) for row in data["withdrawals"]],
        insurance_usdt=Decimal(data["insurance_usdt"]),
        insurance_peak_usdt=Decimal(data["insurance_peak_usdt"]),
        insurance_ms=data["insurance_ms"],
        dcp_s=data["dcp_s"],
    )
