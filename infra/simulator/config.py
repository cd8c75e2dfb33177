"""Configuration of the simulated exchange: accounts, fees, book, margin. Frozen; money in Decimal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

MASTER = "MASTER"
DEFAULT_UID_BASE = 24_000_000


def _balances(usdt: str) -> Mapping[str, Decimal]:
    return MappingProxyType({"USDT": Decimal(usdt)} if Decimal(usdt) else {})


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """One account (one UID). ``balances`` are coins of its unified wallet at the start, by coin name."""

    name: str
    uid: int
    balances: Mapping[str, Decimal]

    @property
    def is_master(self) -> bool:
        """The master account: the only one whose key may move money between accounts."""
        return self.name == MASTER


def default_accounts(uid_base: int = DEFAULT_UID_BASE) -> tuple[AccountConfig, ...]:
    """The six accounts of the trading system, 100,000 USDT in total; UIDs count up from ``uid_base``."""
    amounts = (
        (MASTER, "0"),
        ("CORE-HODL", "60000"),
        ("TREND-1", "15000"),
        ("TREND-2", "5000"),
        ("FUNDING", "15000"),
        ("TACTICAL", "5000"),
    )
    return tuple(AccountConfig(name, uid_base + offset, _balances(usdt)) for offset, (name, usdt) in enumerate(amounts))


def with_further(accounts: tuple[AccountConfig, ...], names: Sequence[str]) -> tuple[AccountConfig, ...]:
    """The accounts and, with the next UIDs and without money, those of these names that are not among them."""
    known = {account.name for account in accounts}
    next_uid = max(account.uid for account in accounts) + 1
    missing = [name for name in names if name not in known]
    return (*accounts, *(AccountConfig(name, next_uid + offset, _balances("0")) for offset, name in enumerate(missing)))


@dataclass(frozen=True, slots=True)
class FeeConfig:
    """Fee rates as fractions of the traded value; the defaults are VIP 0."""

    spot_taker: Decimal = Decimal("0.001")
    spot_maker: Decimal = Decimal("0.001")
    linear_taker: Decimal = Decimal("0.00055")
    linear_maker: Decimal = Decimal("0.0002")

    def rate(self, category: str, *, maker: bool) -> Decimal:
        """The rate that applies to one fill."""
        if category == "spot":
            return self.spot_maker if maker else self.spot_taker
        return self.linear_maker if maker else self.linear_taker


@dataclass(frozen=True, slots=True)
class SimConfig:
    """Everything about the venue that is not the market.

    The book has ``book_levels`` levels on either side, each worth ``level_notional_usdt``, the best ones
    ``spread_ticks`` from the last price; what is displayed is what takers walk and makers may not cross. ``slippage``
    moves a market order's prices against it by this fraction of the last price, rounded outward to the tick; with
    ``deep_book`` the book itself is made of it and of the market's volume (``venue/depth``), so that an order
    walks it level by level.
    ``tick_ms`` is the time between two path points when the market runs by the wall clock; each is then shown. None:
    the four points of an hour, of which only those at which something happens are shown (lockstep).
    ``dcp``: accounts may use disconnection protection.
    ``earn_yield`` is what flexible Earn products pay, a fraction a year; a redemption arrives after
    ``earn_redeem_delay_ms`` of market time (0: at once).
    ``collateral_ratio`` values coins for the margin (fraction of the index price; coins not named count as 0).
    """

    accounts: tuple[AccountConfig, ...] = field(default_factory=default_accounts)
    fees: FeeConfig = FeeConfig()
    spread_ticks: int = 1
    book_levels: int = 1000
    level_notional_usdt: Decimal = Decimal("1000000")
    slippage: Decimal = Decimal(0)
    deep_book: bool = False
    default_leverage: Decimal = Decimal("10")
    collateral_ratio: Mapping[str, Decimal] = field(
        default_factory=lambda: MappingProxyType(
            {"USDT": Decimal(1), "BTC": Decimal("0.95"), "ETH": Decimal("0.95"), "SOL": Decimal("0.9")}
        )
    )
    rate_limits: bool = True
    dcp: bool = False
    ack_delay_ms: int = 50
    tick_ms: int | None = None
    earn_yield: Decimal = Decimal("0.03")
    earn_redeem_delay_ms: int = 0
