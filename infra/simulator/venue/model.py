"""State of the venue as plain data: orders, positions, accounts, record rows. No behaviour beyond small views."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from infra.simulator.venue.earn.book import EarnBook
from infra.simulator.venue.money import ZERO
from infra.simulator.venue.record import Row as Row

OPEN_STATUSES = frozenset({"New", "PartiallyFilled", "Untriggered"})


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
