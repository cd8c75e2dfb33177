"""Facts: the rows that actors write beside their own state, in the same transaction.

Each fact has a natural key, so that writing it twice changes nothing. `ONCE` facts are inserted once and never
changed (bars, executions, postings); the others are replaced by their newest version.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from statemachines.values import ActorName, Category, Frozen, Side


class Fact(Frozen):
    """Base of all facts: `TABLE` is the table's name, `KEY` the fields of its primary key."""

    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]]
    ONCE: ClassVar[bool] = True


class BarFact(Fact):
    """A closed bar. `start_ms` is its open time; the bar is available only after its close."""

    TABLE = "bars"
    KEY = ("category", "symbol", "interval", "start_ms")

    category: Category
    symbol: str
    interval: str
    start_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class FundingRateFact(Fact):
    """A settled funding rate as the exchange published it, with its interval."""

    TABLE = "funding_rates"
    KEY = ("symbol", "settle_ms")

    symbol: str
    settle_ms: int
    rate: Decimal
    interval_min: int


class OrderFact(Fact):
    """An order as we have it on record; `client_order_id` is our client id (EX-5)."""

    TABLE = "orders"
    KEY = ("client_order_id",)
    ONCE = False

    client_order_id: str
    intent_id: str
    engine: str
    account: str
    category: Category
    symbol: str
    side: Side
    order_type: str
    quantity: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    reduce_only: bool
    state: str
    venue_order_id: str
    filled_quantity: Decimal
    average_price: Decimal | None
    reason: str
    created_ms: int
    updated_ms: int
    trace: str


class ExecutionFact(Fact):
    """One fill, from the execution stream or REST; never from an order's status (EX-2)."""

    TABLE = "executions"
    KEY = ("account", "execution_id")

    account: str
    execution_id: str
    client_order_id: str
    venue_order_id: str
    engine: str
    category: Category
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_coin: str
    is_maker: bool
    realized_pnl: Decimal
    executed_ms: int


class PositionFact(Fact):
    """A derivative position of one account; `quantity` is signed, 0 when flat."""

    TABLE = "positions"
    KEY = ("account", "symbol")
    ONCE = False

    account: str
    symbol: str
    quantity: Decimal
    average_price: Decimal
    updated_ms: int


PostingKind = Literal[
    "fill",
    "fee",
    "funding",
    "interest",
    "deposit",
    "withdrawal",
    "transfer",
    "opening",
    "adjustment",
    "bonus",
    "conversion",
    "custody",
    "delivery",
    "dust",
    "earn",
    "loan",
    "suspense",
    "reversal",
]


class PostingLine(Frozen):
    """One side of a posting; `amount` is signed in `coin`: debit positive, credit negative."""

    account: str
    ledger_account: str
    coin: str
    amount: Decimal


class PostingFact(Fact):
    """A balanced movement (OR-6): per coin the lines sum to zero. `posting_id` is the exchange's own id."""

    TABLE = "postings"
    KEY = ("posting_id",)

    posting_id: str
    kind: PostingKind
    posted_ms: int
    description: str
    lines: tuple[PostingLine, ...]


class PortfolioFact(Fact):
    """One version of the portfolio as the risk manager computed it."""

    TABLE = "portfolio_versions"
    KEY = ("version",)

    version: int
    market_ms: int
    equity_usdt: Decimal
    data: dict[str, Any]


class TransferFact(Fact):
    """A transfer between accounts, from its decision to its end (OR-6)."""

    TABLE = "transfers"
    KEY = ("transfer_id",)
    ONCE = False

    transfer_id: str
    from_account: str
    to_account: str
    coin: str
    amount: Decimal
    purpose: str
    state: Literal["REQUESTED", "SENT", "DONE", "FAILED", "UNKNOWN"]
    reason: str
    requested_ms: int
    updated_ms: int


class PerformanceFact(Fact):
    """What an engine, or "total", achieved on one market day (P4), in USDT.

    `day_return` is a fraction, without `flow_usdt` (money that came in less money that went out); None on the first
    day and where nothing was invested. `staked_usdt` is the value at the close, `earned_usdt` what staking brought and
    `forgone_usdt` what coins that could have been staked and were not would have brought (CH-11); the others as in
    `statemachines.performance.tally.Tally`. `policy_version` is the version that the risk manager decided by at the
    close (RM-6); 0: there are no versions, as in a backtest.
    """

    TABLE = "performance"
    KEY = ("day_ms", "engine")

    day_ms: int
    engine: str
    equity_usdt: Decimal
    flow_usdt: Decimal
    day_return: Decimal | None
    staked_usdt: Decimal
    turnover_usdt: Decimal
    decided_usdt: Decimal
    slippage_usdt: Decimal
    fees_usdt: Decimal
    funding_usdt: Decimal
    harvest_usdt: Decimal
    earned_usdt: Decimal
    forgone_usdt: Decimal
    policy_version: int = 0


class SummaryFact(Fact):
    """The daily summary (OR-3): what happened on one market day."""

    TABLE = "daily_summaries"
    KEY = ("day_ms",)

    day_ms: int
    completed_ms: int
    data: dict[str, Any]


class DiscrepancyFact(Fact):
    """A difference between our records and the exchange found by reconciliation (OR-9)."""

    TABLE = "discrepancies"
    KEY = ("discrepancy_id",)
    ONCE = False

    discrepancy_id: str
    account: str
    kind: str
    subject: str
    ours: str
    theirs: str
    resolution: str
    found_ms: int


class SwitchFact(Fact):
    """A control state that survives restarts (RM-2, RM-4, RM-5). `scope` is GLOBAL or an engine's name."""

    TABLE = "switches"
    KEY = ("scope",)
    ONCE = False

    scope: str
    state: Literal["NORMAL", "CAUTION", "REDUCE_ONLY", "HALTED", "PAUSED"]
    reason: str
    who: str
    changed_ms: int


class SwitchReading(Frozen):
    """One reading of an automatic switch, as evidence: what was measured where, and the limit it was compared with, in
    the unit that the texts name. `age_ms`: how long before the switch tripped it was taken."""

    source: str
    value: str
    limit: str
    age_ms: int = 0


class SwitchTripFact(Fact):
    """An automatic switch has tripped (RM-4), with its effect on which scopes and the readings that tripped it.

    `subject` is what was read, where there are several (an account), else "". `ended_ms`: when its readings were good
    again."""

    TABLE = "switch_trips"
    KEY = ("trip_id",)
    ONCE = False

    trip_id: str
    switch: str
    subject: str
    effect: str
    reason: str
    readings: list[SwitchReading]
    tripped_ms: int
    ended_ms: int | None = None


class OperatorCommandFact(Fact):
    """A command of the operator (RM-5, OR-8) as it was carried out; `command_id` is never reused.

    `scope` is GLOBAL or an engine; for a reset, the component, for an acknowledgement the alert's number. `given_ms` is
    market time.
    """

    TABLE = "operator_commands"
    KEY = ("command_id",)

    command_id: str
    action: str
    scope: str
    reason: str
    who: str
    given_ms: int


class HeldCommandFact(Fact):
    """A command that forbids new risk, accepted by the orchestrator in the risk manager's place (RM-5).

    It is in force as a switch in `state` for `scope` from this commit on, until the risk manager has carried the
    command out: then a row of `operator_commands` has the same `command_id`. `asked_scope` is the command's own scope.
    """

    TABLE = "held_commands"
    KEY = ("command_id", "scope")

    command_id: str
    scope: str
    state: Literal["REDUCE_ONLY", "HALTED", "PAUSED"]
    action: str
    asked_scope: str
    reason: str
    who: str
    given_ms: int


class AlertFact(Fact):
    """A condition that concerns the operator, or an event (then `condition` is empty and it ends immediately).

    `market_ms` is when it was raised, `changed_ms` when it last changed, `changes` how often it changed since it was
    raised.
    """

    TABLE = "alerts"
    KEY = ("alert_id",)
    ONCE = False

    alert_id: str
    actor: ActorName
    condition: str = ""
    severity: str
    title: str
    text: str
    state: Literal["open", "changed", "ended"]
    market_ms: int
    changed_ms: int
    changes: int = 0
    ended_ms: int | None = None


class AcknowledgementFact(Fact):
    """A person has seen an alert and acts on it: it is no longer repeated. The first acknowledgement stands.

    `acknowledged_at` is wall time; `text` is what the person added, "" for nothing.
    """

    TABLE = "acknowledgements"
    KEY = ("alert_id",)

    alert_id: str
    who: str
    acknowledged_at: datetime
    text: str


class NoticeFact(Fact):
    """How far the notifier has taken an alert.

    `state` and `changes` are of the version that it has routed, `channels` where to; `is_acknowledged`: the
    acknowledgement was taken, too. `repeat_at` is the wall time of the next repetition of a critical alert; None: it is
    not repeated.
    """

    TABLE = "notices"
    KEY = ("alert_id",)
    ONCE = False

    alert_id: str
    severity: Literal["info", "warning", "critical"]
    state: Literal["open", "changed", "ended"]
    changes: int
    channels: tuple[str, ...]
    is_acknowledged: bool
    repeats: int
    repeat_at: datetime | None


class DeliveryFact(Fact):
    """A message to people over one channel: an alert (raised, changed, repeated, acknowledged, ended), or a report.

    `number` counts deliveries in the order of their creation. `dedup_key` is the number of the alert, and the same in
    every repeat. `market_ms` is the market time of what it is about; `created_at`, `next_at` (not sent before), and
    `ended_at` are wall time. `html` is a report's body; it is discarded once delivered.
    """

    TABLE = "deliveries"
    KEY = ("delivery_id",)
    ONCE = False

    delivery_id: str
    number: int
    kind: Literal["alert", "report"]
    channel: str
    action: Literal["raise", "change", "repeat", "acknowledge", "resolve", "report"]
    alert_id: str
    dedup_key: str
    severity: str
    title: str
    text: str
    html: str | None = None
    state: str
    attempts: int = 0
    market_ms: int
    created_at: datetime
    next_at: datetime
    ended_at: datetime | None = None
    message_id: str = ""
    remote_id: str = ""
    reason: str = ""
