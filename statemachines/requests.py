"""Requests to the exchange and its responses, in the core's own terms (the gateway translates).

Writes carry deterministic client ids; a request is never repeated by the durable actor.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from statemachines.earn.terms import EarnReading, LookUpStaking, StakeCoins, StakingStatus
from statemachines.facts import BarFact, FundingRateFact
from statemachines.feeds.terms import FeedRead, ReadFeed
from statemachines.solvency.terms import ReadSolvency, SolvencyRead
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import Account, Category, Frozen, Instrument, Side


class VenueOrderStatus(StrEnum):
    """The exchange's own order statuses (bybit-v5 6.1)."""

    NEW = "New"
    PARTIALLY_FILLED = "PartiallyFilled"
    UNTRIGGERED = "Untriggered"
    TRIGGERED = "Triggered"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    PARTIALLY_FILLED_CANCELED = "PartiallyFilledCanceled"
    REJECTED = "Rejected"
    DEACTIVATED = "Deactivated"

    @property
    def is_final(self) -> bool:
        return self not in (
            VenueOrderStatus.NEW,
            VenueOrderStatus.PARTIALLY_FILLED,
            VenueOrderStatus.UNTRIGGERED,
            VenueOrderStatus.TRIGGERED,
        )


class PlaceOrder(Frozen):
    """Place one order. Market orders carry `slippage_limit` (fraction, EX-3); stops a `trigger_price`.

    `closes_position` requests the exchange to close whatever remains of a perpetual position, even less than a lot
    (X1); `quantity` is then our own figure of it. `worst_price` is what `slippage_limit` came to at the quote of the
    decision; a batch, whose legs cannot carry a slippage limit, sends it as the limit of an immediate-or-cancel order.
    """

    kind: Literal["place_order"] = "place_order"
    client_order_id: str
    category: Category
    symbol: str
    side: Side
    quantity: Decimal
    style: Literal["market", "post_only", "stop_market"]
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    closes_position: bool = False
    slippage_limit: Decimal | None = None
    worst_price: Decimal | None = None


class CancelOrder(Frozen):
    """Cancel by client id; the exchange's "already gone" becomes Accepted with `already=True`."""

    kind: Literal["cancel_order"] = "cancel_order"
    client_order_id: str
    category: Category
    symbol: str
    is_conditional: bool = False


class AmendOrder(Frozen):
    """Change price, trigger price or quantity of a working order."""

    kind: Literal["amend_order"] = "amend_order"
    client_order_id: str
    category: Category
    symbol: str
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    quantity: Decimal | None = None


OrderWrite = PlaceOrder | AmendOrder | CancelOrder
"""The requests that change orders: those of one kind and category can travel in one batch."""


class LookUpOrder(Frozen):
    """Find an order by client id: open orders, then history, then executions, twice with a pause (EX-1).

    A result with another `side` is discarded; None accepts both sides, for orders whose owner is yet to be found."""

    kind: Literal["look_up_order"] = "look_up_order"
    client_order_id: str
    category: Category
    symbol: str
    side: Side | None = None


class TransferFunds(Frozen):
    """Universal transfer between accounts; `transfer_id` (a UUID) is the idempotency key (OR-6)."""

    kind: Literal["transfer_funds"] = "transfer_funds"
    transfer_id: str
    coin: str
    amount: Decimal
    from_account: Account
    to_account: Account


class LookUpTransfer(Frozen):
    """The state of a transfer by its id. A record of another `coin` or `amount` (None: not known) is not ours.
    `since_ms` is when it was requested; without it the exchange looks back 7 days only."""

    kind: Literal["look_up_transfer"] = "look_up_transfer"
    transfer_id: str
    coin: str | None = None
    amount: Decimal | None = None
    since_ms: int | None = None


class SetLeverage(Frozen):
    """Set the leverage of one linear symbol; the exchange's "not modified" becomes Accepted."""

    kind: Literal["set_leverage"] = "set_leverage"
    symbol: str
    leverage: Decimal


class ReadAccount(Frozen):
    """Read everything reconciliation compares: open orders, executions since, positions, balances; and the transaction
    log since an instant, unless that is None: it is long, and needed only to explain a balance.

    `reads_earn`: also the account's holdings in flexible Earn products, with the yield paid since `yields_since_ms`.
    `earn_coins`: also the products for these coins. `is_opening`: what is read becomes the opening of the account's
    ledger, so that all of it must be of one instant."""

    kind: Literal["read_account"] = "read_account"
    executions_since_ms: int
    transactions_since_ms: int | None = None
    reads_earn: bool = False
    yields_since_ms: int | None = None
    earn_coins: tuple[str, ...] = ()
    is_opening: bool = False


class ReadMarket(Frozen):
    """Read instruments, fee rates of the account and current quotes."""

    kind: Literal["read_market"] = "read_market"


class ReadBars(Frozen):
    """Read closed bars with `from_ms` <= start < `until_ms` (backfill, repair: DA-3)."""

    kind: Literal["read_bars"] = "read_bars"
    category: Category
    symbol: str
    interval: str
    from_ms: int
    until_ms: int


class ReadFunding(Frozen):
    """Read settled funding rates with `from_ms` <= time <= `until_ms` for the symbols."""

    kind: Literal["read_funding"] = "read_funding"
    symbols: tuple[str, ...]
    from_ms: int
    until_ms: int


ExchangeRequest = Annotated[
    PlaceOrder
    | CancelOrder
    | AmendOrder
    | LookUpOrder
    | TransferFunds
    | LookUpTransfer
    | StakeCoins
    | LookUpStaking
    | SetLeverage
    | ReadAccount
    | ReadMarket
    | ReadBars
    | ReadFunding
    | ReadFeed
    | ReadSolvency,
    Field(discriminator="kind"),
]


class OrderReport(Frozen):
    """An order as the exchange describes it (order stream or REST)."""

    account: Account
    client_order_id: str
    venue_order_id: str
    category: Category
    symbol: str
    side: Side
    status: VenueOrderStatus
    quantity: Decimal
    filled_quantity: Decimal
    average_price: Decimal | None
    price: Decimal | None
    trigger_price: Decimal | None
    reduce_only: bool
    reject_reason: str
    cancel_type: str
    created_ms: int
    updated_ms: int


class ExecutionReport(Frozen):
    """A row of the execution stream or list. `Trade`, `BustTrade`, `AdlTrade` and `Delivery` alone are fills; `Funding`
    is a settlement: `fee` is then what was paid (positive) or received (negative).

    `realized_pnl` is None where it is not reported, as in REST's list; a reported 0 means none. `closed_quantity`
    (`closedSize`) is None where absent. `fee` contains the taxes and levies that the exchange takes with it in the same
    coin, `tax_in_fee` is that part of it; `extra_fees` are those in other coins."""

    account: Account
    execution_id: str
    client_order_id: str
    venue_order_id: str
    category: Category
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_coin: str
    fee_rate: Decimal
    is_maker: bool
    realized_pnl: Decimal | None
    execution_type: str
    executed_ms: int
    closed_quantity: Decimal | None = None
    tax_in_fee: Decimal = Decimal(0)
    extra_fees: tuple[tuple[str, Decimal], ...] = ()


class PositionReport(Frozen):
    """A linear position; `quantity` is signed."""

    account: Account
    symbol: str
    quantity: Decimal
    average_price: Decimal
    mark_price: Decimal
    liquidation_price: Decimal | None
    leverage: Decimal
    unrealized_pnl: Decimal


class Quote(Frozen):
    """Best prices and reference prices of one symbol at `market_ms`."""

    category: Category
    symbol: str
    bid: Decimal
    ask: Decimal
    last: Decimal
    mark: Decimal | None = None
    index: Decimal | None = None
    predicted_funding_rate: Decimal | None = None
    next_funding_ms: int | None = None
    market_ms: int


class FeeRate(Frozen):
    """Fee rates of one account and symbol (fractions)."""

    category: Category
    symbol: str
    taker: Decimal
    maker: Decimal


WHOLE_ACCOUNT = "account"
"""The `category` of data set aside for an account as a whole; its `symbol` is then the account's name."""


SetAsideKind = Literal[
    "order",
    "execution",
    "position",
    "balance",
    "transaction",
    "bar",
    "quote",
    "instrument",
    "status",
    "funding_rate",
    "insurance",
    "withdrawals",
    "frame",
]
"""What a row of a response or a frame describes."""


class SetAside(Frozen):
    """One row of a response or a frame that is not used; the other rows are. `category` and `symbol` (for a balance:
    the coin) are "" where the row does not contain them; `is_foreign`: valid, but of a product that is not traded here.

    Kind `status`: the instrument's rules can be read, but the exchange currently restricts its trading."""

    kind: SetAsideKind
    category: str
    symbol: str
    problem: str
    is_foreign: bool = False


class Accepted(Frozen):
    """The exchange accepted the request. For an order: acknowledged, not yet open (EX-1)."""

    kind: Literal["accepted"] = "accepted"
    venue_order_id: str = ""
    already: bool = False


class Refused(Frozen):
    """The exchange refused the request. `fault` determines what follows (EX-4): `transient` may be retried after a
    delay, `funds` alerts the operator, `permanent` ends the order, `halt` halts the account, `duplicate` means that the
    client id exists: look it up."""

    kind: Literal["refused"] = "refused"
    code: int
    message: str
    fault: Literal["transient", "funds", "permanent", "halt", "duplicate"]


class Unknown(Frozen):
    """The outcome is not known (time-out, crash, server error): look it up, never send again blindly."""

    kind: Literal["unknown"] = "unknown"
    why: str


class Blocked(Frozen):
    """A switch or a lost lease stopped the request before it was sent; the exchange never saw it."""

    kind: Literal["blocked"] = "blocked"
    why: str


class Dropped(Frozen):
    """A delayed request was no longer needed when it came due; the exchange never saw it (EX-4)."""

    kind: Literal["dropped"] = "dropped"


class OrderFound(Frozen):
    """The result of a look-up: the order and its executions."""

    kind: Literal["order_found"] = "order_found"
    report: OrderReport
    executions: tuple[ExecutionReport, ...]


class OrderAbsent(Frozen):
    """Absent from open orders, history and executions, twice: the exchange never had it."""

    kind: Literal["order_absent"] = "order_absent"


class TransferState(Frozen):
    """The exchange's record of a transfer; `ABSENT` when it never saw it."""

    kind: Literal["transfer_state"] = "transfer_state"
    status: Literal["SUCCESS", "PENDING", "FAILED", "ABSENT"]


class AccountSnapshot(Frozen):
    """The state of one account at one reading; a failed query is never an empty snapshot, and rows in `set_aside` are
    unknown rather than absent."""

    kind: Literal["account_snapshot"] = "account_snapshot"
    account: Account
    market_ms: int
    open_orders: tuple[OrderReport, ...]
    executions: tuple[ExecutionReport, ...]
    positions: tuple[PositionReport, ...]
    balances: dict[str, Decimal]
    transactions: tuple[TransactionRow, ...] | None = None
    """Rows of the transaction log, oldest first; without those that executions book. None: not requested."""
    earn: EarnReading | None = None
    """None: not requested."""
    set_aside: tuple[SetAside, ...] = ()


class MarketSnapshot(Frozen):
    """Instruments, fee rates and quotes at one reading; a symbol whose rows cannot be used is listed in `set_aside`."""

    kind: Literal["market_snapshot"] = "market_snapshot"
    market_ms: int
    instruments: tuple[Instrument, ...]
    fee_rates: tuple[FeeRate, ...]
    quotes: tuple[Quote, ...]
    set_aside: tuple[SetAside, ...] = ()


class BarsRead(Frozen):
    """Closed bars, oldest first."""

    kind: Literal["bars_read"] = "bars_read"
    bars: tuple[BarFact, ...]
    set_aside: tuple[SetAside, ...] = ()


class FundingRead(Frozen):
    """Settled rates, oldest first."""

    kind: Literal["funding_read"] = "funding_read"
    rates: tuple[FundingRateFact, ...]
    set_aside: tuple[SetAside, ...] = ()


ExchangeResponse = Annotated[
    Accepted
    | Refused
    | Unknown
    | Blocked
    | Dropped
    | OrderFound
    | OrderAbsent
    | TransferState
    | StakingStatus
    | AccountSnapshot
    | MarketSnapshot
    | BarsRead
    | FundingRead
    | FeedRead
    | SolvencyRead,
    Field(discriminator="kind"),
]
