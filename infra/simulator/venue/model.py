"""State of the venue as plain data: orders, positions, accounts, record rows. No behaviour beyond small views."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from infra.simulator.venue.money import ZERO

OPEN_STATUSES = frozenset({"New", "PartiallyFilled", "Untriggered"})


class Row(NamedTuple):
    """One immutable record (execution, transaction-log row, closed P&L, transfer) as the API shows it."""

    seq: int
    time_ms: int
    data: dict[str, Any]


class Liquidation(NamedTuple):
    """A position that was closed by force. ``side`` is the position's (Buy: a long), ``price`` in USDT."""

    symbol: str
    side: str
    size: Decimal
    price: Decimal
    time_ms: int


@dataclass(slots=True)
class OrderRequest:
    """A checked create request. Quantities in base coin unless ``quote_qty``; None where a field was not sent."""

    category: str
    symbol: str
    side: str
    order_type: str
    qty: Decimal
    price: Decimal | None = None
    time_in_force: str = "GTC"
    link_id: str = ""
    quote_qty: bool = False
    market_unit: str = ""
    reduce_only: bool = False
    close_on_trigger: bool = False
    order_filter: str = "Order"
    trigger_price: Decimal | None = None
    trigger_direction: int = 0
    trigger_by: str = ""
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    slippage_type: str = ""
    slippage: Decimal | None = None
    smp_type: str = "None"


@dataclass(slots=True)
class Order:
    """One order. ``price`` is the limit (for a market order the protective price), ``seq`` the creation order.

    ``point`` is the path point at which the order was placed or last changed: it is matched from the next one on.
    ``filled`` is executed quantity in base coin, ``value`` executed value in quote, ``fees`` by coin.
    """

    id: str
    seq: int
    account: str
    category: str
    symbol: str
    side: str
    order_type: str
    qty: Decimal
    price: Decimal
    time_in_force: str
    status: str
    created_ms: int
    updated_ms: int
    point: int
    link_id: str = ""
    quote_qty: bool = False
    market_unit: str = ""
    reduce_only: bool = False
    close_on_trigger: bool = False
    order_filter: str = "Order"
    stop_type: str = ""
    create_type: str = "CreateByUser"
    cancel_type: str = "UNKNOWN"
    reject_reason: str = "EC_NoError"
    trigger_price: Decimal = ZERO
    trigger_direction: int = 0
    trigger_by: str = ""
    take_profit: Decimal = ZERO
    stop_loss: Decimal = ZERO
    slippage_type: str = "UNKNOWN"
    slippage: Decimal = ZERO
    smp_type: str = "None"
    last_price: Decimal = ZERO
    filled: Decimal = ZERO
    value: Decimal = ZERO
    closed_pnl: Decimal = ZERO
    fees: dict[str, Decimal] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Still working or waiting for its trigger."""
        return self.status in OPEN_STATUSES

    @property
    def is_active(self) -> bool:
        """Working in the book (not waiting for a trigger)."""
        return self.status in ("New", "PartiallyFilled")

    @property
    def leaves(self) -> Decimal:
        """Base quantity still to be filled (quote quantity for a spot market order sized in quote)."""
        return self.qty - (self.value if self.quote_qty else self.filled)

    @property
    def sign(self) -> int:
        """+1 for Buy, -1 for Sell."""
        return 1 if self.side == "Buy" else -1


@dataclass(slots=True)
class Position:
    """A one-way linear position. ``size`` is signed base quantity, ``cost`` its entry value (unsigned USDT).

    ``open_fee`` is what was paid to build the present size; realised figures include fees and funding.
    """

    symbol: str
    leverage: Decimal
    created_ms: int
    updated_ms: int
    size: Decimal = ZERO
    cost: Decimal = ZERO
    open_fee: Decimal = ZERO
    realised: Decimal = ZERO
    cum_realised: Decimal = ZERO
    opened_ms: int = 0
    seq: int = 0
    take_profit: Decimal = ZERO
    stop_loss: Decimal = ZERO

    @property
    def average(self) -> Decimal:
        """Average entry price in USDT; 0 when flat."""
        return self.cost / abs(self.size) if self.size else ZERO

    @property
    def side(self) -> str:
        """``Buy``, ``Sell`` or empty."""
        return "Buy" if self.size > 0 else "Sell" if self.size < 0 else ""


@dataclass(slots=True)
class EarnPosition:
    """Coins in one product. ``claimable`` is the yield accrued up to ``accrued_ms`` and not paid yet."""

    amount: Decimal = ZERO
    claimable: Decimal = ZERO
    accrued_ms: int = 0
    total_pnl: Decimal = ZERO


@dataclass(slots=True)
class EarnBook:
    """The Earn side of one account: positions by product, redemptions on their way as (due, order id), records."""

    positions: dict[str, EarnPosition] = field(default_factory=dict)
    redeeming: list[tuple[int, str]] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    yields: list[Row] = field(default_factory=list)
    hourly: list[Row] = field(default_factory=list)

    def dump(self) -> dict[str, Any]:
        """JSON-ready; ``load`` is its inverse."""
        return {
            "positions": {
                key: [str(one.amount), str(one.claimable), one.accrued_ms, str(one.total_pnl)]
                for key, one in self.positions.items()
            },
            "redeeming": [list(one) for one in self.redeeming],
            "orders": [list(one) for one in self.orders],
            "yields": [list(one) for one in self.yields],
            "hourly": [list(one) for one in self.hourly],
        }

    @classmethod
    def load(cls, data: dict[str, Any]) -> EarnBook:
        """The book that ``dump`` was made of."""
        return cls(
            positions={
                key: EarnPosition(Decimal(amount), Decimal(claimable), accrued_ms, Decimal(pnl))
                for key, (amount, claimable, accrued_ms, pnl) in data["positions"].items()
            },
            redeeming=[(due_ms, order_id) for due_ms, order_id in data["redeeming"]],
            orders=[Row(*one) for one in data["orders"]],
            yields=[Row(*one) for one in data["yields"]],
            hourly=[Row(*one) for one in data["hourly"]],
        )


@dataclass(slots=True)
class Account:
    """One UID: unified wallet, funding wallet, Earn, orders, positions and records."""

    name: str
    uid: int
    is_master: bool
    wallet: dict[str, Decimal] = field(default_factory=dict)
    fund: dict[str, Decimal] = field(default_factory=dict)
    cum_realised: Decimal = ZERO
    margin_mode: str = "REGULAR_MARGIN"
    updated_ms: int = 0
    orders: dict[str, Order] = field(default_factory=dict)
    open: dict[str, Order] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    executions: list[Row] = field(default_factory=list)
    log: list[Row] = field(default_factory=list)
    closed_pnl: list[Row] = field(default_factory=list)
    earn: EarnBook = field(default_factory=EarnBook)

    def balance(self, coin: str) -> Decimal:
        """Unified wallet balance of the coin; a negative USDT balance is borrowed against coins."""
        return self.wallet.get(coin, ZERO)

    @property
    def has_position(self) -> bool:
        """Whether any linear position is open."""
        return any(position.size for position in self.positions.values())
