"""What the interface takes and answers. Generated from the OpenAPI document by `make client`: do not edit."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict


class AccountView(TypedDict):
    """One account inside the portfolio."""

    account: str
    equity_usdt: str
    cash_usdt: str
    coins: dict[str, str]
    positions: dict[str, list[str]]


class AcknowledgeAnswer(TypedDict):
    """
    That the acknowledgement is committed. `acknowledged_ms` is wall time; who and when are those of the first
    acknowledgement of this alert.
    """

    alert_id: str
    acknowledged_by: str
    acknowledged_ms: int
    text: str


class AcknowledgeRequest(TypedDict):
    """What a person adds to an acknowledgement, such as what is being done; it may be left out."""

    text: NotRequired[str]


class Actor(TypedDict):
    """One actor as the supervision and the database know it. UNKNOWN where neither can say."""

    name: str
    state: str
    russian: str
    since_s: float | None
    reason: str
    heartbeat_age_s: float | None
    committed_age_s: float | None
    commit_no: int | None
    epoch: int | None
    restarts: int
    recovered_in_ms: int | None
    last_error: str
    stream_faults: list[str]
    silence_s: dict[str, float]
    data_age_s: dict[str, float]
    pid: int | None
    inbox: int | None
    pending_requests: int | None
    undelivered: int | None
    policy_version: int | None
    market_ms: int | None


class Alert(TypedDict):
    """
    A condition that the operator should know of, from its beginning to its end; an event ends at once.

    `market_ms` is when it was raised, `changed_ms` when it changed last, `changes` how often it has changed since.
    A person who acts on it acknowledges it; then it is no longer repeated.
    """

    alert_id: str
    actor: str
    condition: str
    severity: str
    title: str
    text: str
    state: str
    market_ms: int
    changed_ms: int
    changes: int
    ended_ms: int | None
    acknowledged_ms: int | None
    acknowledged_by: str | None
    acknowledged_text: str | None


class Arrow(TypedDict):
    """One row of a transition table; `why` names the rule."""

    trigger: str
    source: str
    dest: str
    why: str


class BacktestFinding(TypedDict):
    """A sentence that the report says about the run."""

    weight: str
    text: str


class BacktestProgress(TypedDict):
    """How far the run is."""

    from_ms: int
    to_ms: int
    reached_ms: int
    part: float


class BacktestRemoved(TypedDict):
    """That a run is gone, with its report."""

    run_id: str
    text: str


Setting: TypeAlias = str


class BacktestWanted(TypedDict):
    """A backtest to be run. A field that is absent or null takes the command's own default."""

    name: NotRequired[str]
    market: NotRequired[Literal["history", "synthetic"]]
    from_day: NotRequired[str | None]
    to_day: NotRequired[str | None]
    engines: NotRequired[str | None]
    capital_usdt: NotRequired[str]
    deposit: NotRequired[str | None]
    fees: NotRequired[str | None]
    slippage_bps: NotRequired[str]
    seed: NotRequired[int]
    settings: NotRequired[list[Setting]]


class Bar(TypedDict):
    """A closed bar; `start_ms` is its open time."""

    start_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str


class Benchmark(TypedDict):
    """What holding would have brought in the same period."""

    name: str
    total_return: float | None
    annual_return: float | None
    worst_drawdown: float | None
    sharpe: float | None


class ChainDecision(TypedDict):
    """A decision that was taken on a link."""

    actor: str
    machine: str
    trigger: str
    source: str
    dest: str
    reason: str
    data: dict[str, Any]
    market_ms: int
    cause: str


class ChainLink(TypedDict):
    """One step from the first cause to the order."""

    id: str
    link: str
    kind: str
    sender: str
    market_ms: int | None
    body: dict[str, Any] | None
    decisions: list[ChainDecision]


class ChannelRow(TypedDict):
    """A channel to people and how it is. Instants are wall time in ISO 8601."""

    channel: str
    state: str
    russian: str
    waiting: int
    delivered: int
    delivered_at: str | None
    failures: int
    next_at: str | None
    last_error: str


class CodeRequest(TypedDict):
    """A code, to let the session reach further than reading."""

    code: str


class CoinBalance(TypedDict):
    """Debits and credits of one coin."""

    coin: str
    debit: str
    credit: str
    difference: str


class Configuration(TypedDict):
    """The configuration of the newest start, without secrets; null before the first."""

    version: int | None
    applied_at: str | None
    who: str | None
    reason: str | None
    config: dict[str, Any]


class ControlAnswer(TypedDict):
    """That the command is committed; the journal and /api/v1/switches show the effect."""

    command_id: str
    accepted: bool
    text: str


class ControlRequest(TypedDict):
    """
    A command of the operator: action, scope and reason.

    `action`: pause (no new risk), resume (ends a pause), reduce_only, halt, flatten (a halt that also closes the
    derivatives of one engine, or all with GLOBAL), normal (ends everything, and drawdowns are measured anew), or reset
    (a FAULTED component is tried again). `scope`: GLOBAL or an engine; for reset a component.
    `command_id` makes a repeated request harmless; one is made when it is missing.
    """

    action: Literal["pause", "resume", "reduce_only", "halt", "flatten", "normal", "reset"]
    scope: NotRequired[
        Literal[
            "GLOBAL",
            "core-hodl",
            "trend-1",
            "trend-2",
            "funding",
            "tactical",
            "market-data",
            "risk-manager",
            "order-manager",
            "api",
            "notifier",
        ]
    ]
    reason: str
    who: NotRequired[str]
    command_id: NotRequired[str | None]


class CurvePoint(TypedDict):
    """The close of a day. Growth begins at 1 and leaves deposits out."""

    at_ms: int
    equity_usdt: str
    growth: float
    btc_growth: float | None


class DashboardAddress(TypedDict):
    """Where Ray's dashboard is; the answer's cookie opens it on the same host."""

    port: int
    path: str


class Decision(TypedDict):
    """A change of state, or a remark (then `machine_table`, `source` and `dest` are ""), of any actor."""

    id: int
    actor: str
    kind: str
    market_ms: int
    recorded_at: str
    machine_table: str
    machine: str
    trigger: str
    source: str
    dest: str
    reason: str
    data: dict[str, Any]
    cause: str
    trace: str


class DeliveryRow(TypedDict):
    """A message about an alert, or a report, over one channel. Instants ending in `_at` are wall time in ISO 8601."""

    delivery_id: str
    number: int
    kind: str
    channel: str
    action: str
    alert_id: str
    severity: str
    title: str
    state: str
    attempts: int
    market_ms: int
    created_at: str
    next_at: str
    ended_at: str | None
    remote_id: str
    reason: str


class Discrepancy(TypedDict):
    """A difference between our books and the exchange (OR-9)."""

    discrepancy_id: str
    account: str
    kind: str
    subject: str
    ours: str
    theirs: str
    resolution: str
    found_ms: int


class DurableRecord(TypedDict):
    """A durable row of an actor that is no state machine: books, views, counters."""

    key: str
    version: int
    market_ms: int
    data: dict[str, Any]


class Ended(TypedDict):
    """That a session has ended."""

    session_id: str


class EngineFigures(TypedDict):
    """What one engine did. A name as the run has it; TOTAL is all of them."""

    engine: str
    profit_usdt: str
    total_return: float | None
    worst_drawdown: float | None
    sharpe: float | None
    trades: int
    fees_usdt: str
    slippage_usdt: str
    funding_usdt: str


class Event(TypedDict):
    """A message between actors."""

    id: str
    sender: str
    seq: int
    recipients: list[str]
    kind: str
    market_ms: int
    cause: str
    trace: str
    body: dict[str, Any]


class Execution(TypedDict):
    """A fill."""

    account: str
    execution_id: str
    client_order_id: str
    venue_order_id: str
    engine: str
    category: str
    symbol: str
    side: str
    quantity: str
    price: str
    fee: str
    fee_coin: str
    is_maker: bool
    realized_pnl: str
    executed_ms: int


class Expectation(TypedDict):
    """Something that is expected of the operator."""

    urgency: Literal["act", "read", "none"]
    text: str
    alert_id: str | None


class Expected(TypedDict):
    """What is expected of the operator, by the one rule that console, report, Telegram and command line share."""

    urgency: Literal["act", "read", "none"]
    items: list[Expectation]


class Health(TypedDict):
    """
    Whether all is well, that is: everything runs, nothing is stale and trading is allowed. If not, why: one sentence
    per reason.
    """

    ok: bool
    reasons: list[str]


HistoryState: TypeAlias = Literal["NONE", "READING", "READY", "UNUSABLE"]


class InForce(TypedDict):
    """What is in force for an engine after a command, and whose state it is: GLOBAL's or its own (RM-2)."""

    engine: str
    state: str
    scope: str


class IndicatorLevel(TypedDict):
    """A limit of a rule."""

    what: str
    value: float


class IndicatorPoint(TypedDict):
    """A number at an instant."""

    market_ms: int
    value: float


class KeyFigures(TypedDict):
    """The figures that matter most. null: they cannot be computed from so few days or trades."""

    from_ms: int
    ended_ms: int
    is_complete: bool
    days: int
    capital_usdt: str
    end_equity_usdt: str
    profit_usdt: str
    total_return: float | None
    annual_return: float | None
    worst_drawdown: float | None
    sharpe: float | None
    volatility: float | None
    trades: int
    fills: int


class LastTransition(TypedDict):
    """The newest change of state of an engine."""

    machine: str
    trigger: str
    source: str
    dest: str
    dest_russian: str | None
    reason: str
    market_ms: int
    recorded_at: str


class LedgerBalance(TypedDict):
    """The balance of one ledger account; debit positive."""

    account: str
    ledger_account: str
    coin: str
    balance: str
    lines: int


class LimitRow(TypedDict):
    """A limit with how full it is."""

    name: str
    subject: str
    unit: str
    now: str
    limit: str
    part: str
    steps: list[str]
    effect: str
    rule: str
    is_least: bool


class LoginRequest(TypedDict):
    """A login: a token, with a code where the credential has a second factor, or a one-time link's secret."""

    token: NotRequired[str | None]
    code: NotRequired[str | None]
    link: NotRequired[str | None]


class MachineState(TypedDict):
    """The durable state of one machine of an actor."""

    key: str
    version: int
    market_ms: int
    data: dict[str, Any]
    machine: str
    state: str
    russian: str


class MachineView(TypedDict):
    """One machine of an engine."""

    key: str
    state: str
    russian: str
    market_ms: int


class MarketView(TypedDict):
    """Which market this is and where its time stands."""

    label: str
    is_simulated: bool
    market_ms: int | None
    day: str | None
    state: str | None
    why: str
    step: int | None


class Noted(TypedDict):
    """A line of the journal: when, the sentence, the numbers."""

    market_ms: int
    reason: str
    data: dict[str, Any]


class NotificationStatus(TypedDict):
    """Whether alerts reach people."""

    state: str
    russian: str
    critical_unacknowledged: int
    channels: list[ChannelRow]


class OperatorCommandRow(TypedDict):
    """A command as it was carried out (RM-5, OR-8); `command_id` belongs to it permanently."""

    command_id: str
    action: str
    scope: str
    reason: str
    who: str
    given_ms: int


class Order(TypedDict):
    """An order as the order manager has recorded it."""

    client_order_id: str
    intent_id: str
    engine: str
    account: str
    category: str
    symbol: str
    side: str
    order_type: str
    quantity: str
    price: str | None
    trigger_price: str | None
    reduce_only: bool
    state: str
    venue_order_id: str
    filled_quantity: str
    average_price: str | None
    reason: str
    created_ms: int
    updated_ms: int
    trace: str


class OrderBrief(TypedDict):
    """An open order, in short."""

    client_order_id: str
    engine: str
    symbol: str
    side: str
    order_type: str
    quantity: str
    price: str | None
    trigger_price: str | None
    state: str


class OrderCount(TypedDict):
    """How many orders an engine has in a state."""

    engine: str
    state: str
    count: int


class OrderFills(TypedDict):
    """The fills of one order within the page's time, together."""

    engine: str
    client_order_id: str
    side: str
    quantity: str
    price: str
    executed_ms: int


class PageAlert(TypedDict):
    rows: list[Alert]
    next: str | None


class PageBar(TypedDict):
    rows: list[Bar]
    next: str | None


class PageDecision(TypedDict):
    rows: list[Decision]
    next: str | None


class PageDeliveryRow(TypedDict):
    rows: list[DeliveryRow]
    next: str | None


class PageDiscrepancy(TypedDict):
    rows: list[Discrepancy]
    next: str | None


class PageEvent(TypedDict):
    rows: list[Event]
    next: str | None


class PageExecution(TypedDict):
    rows: list[Execution]
    next: str | None


class PageOperatorCommandRow(TypedDict):
    rows: list[OperatorCommandRow]
    next: str | None


class PageOrder(TypedDict):
    rows: list[Order]
    next: str | None


class PerformanceDay(TypedDict):
    """What an engine, or "total", achieved on one market day (P4)."""

    day_ms: int
    engine: str
    equity_usdt: str
    flow_usdt: str
    day_return: str | None
    staked_usdt: str
    turnover_usdt: str
    decided_usdt: str
    slippage_usdt: str
    fees_usdt: str
    funding_usdt: str
    harvest_usdt: str
    earned_usdt: str
    forgone_usdt: str
    policy_version: int


class PolicyAnswer(TypedDict):
    """That the version is recorded; /api/v1/policies shows where it is in force."""

    version: int
    text: str


class PolicyHolder(TypedDict):
    """The version that an actor decides by, one that waits to replace it, and the newest that it could not apply."""

    actor: str
    version: int
    waiting: int | None
    refused: int | None


class PolicyOrdered(TypedDict):
    """
    A change to be recorded. `after` is the number of the newest version, as the trial of the change has shown it:
    when it is not the newest any more, nothing is recorded.
    """

    settings: NotRequired[list[Setting]]
    back_to: NotRequired[int | None]
    after: int
    reason: str


class PolicySetting(TypedDict):
    """A setting that a change may name, with its value in the newest version."""

    setting: str
    value: Any
    unit: str | None
    allowed: str
    meaning: str


class PolicyVersion(TypedDict):
    """A version of the policy: limits, weights and parameters (RM-6)."""

    version: int
    recorded_at: str
    who: str
    reason: str
    origin: str


class PolicyWanted(TypedDict):
    """
    A change of the policy: `settings` as section.field=value on top of the newest version, or the number of an
    earlier version whose policy is to be in force again; one of the two.
    """

    settings: NotRequired[list[Setting]]
    back_to: NotRequired[int | None]


class Portfolio(TypedDict):
    """The newest portfolio; `version` is null before the first one."""

    version: int | None
    market_ms: int | None
    equity_usdt: str | None
    exposure_usdt: str | None
    exposure_by_coin: dict[str, str]
    accounts: list[AccountView]
    prices: dict[str, str]


class Position(TypedDict):
    """A derivative position; a short one has a negative quantity. What is not known is null."""

    account: str
    engine: str
    symbol: str
    quantity: str
    average_price: str
    updated_ms: int
    mark_price: str | None
    mark_ms: int | None
    notional_usdt: str | None
    unrealised_pnl_usdt: str | None
    stop_price: str | None
    stop_quantity: str
    stop_order: str | None
    stop_distance: str | None
    liquidation_price: str | None
    liquidation_distance: str | None
    maintenance_margin_usdt: str | None


class PostingLine(TypedDict):
    """One side of a posting."""

    account: str
    ledger_account: str
    coin: str
    amount: str


class Refusal(TypedDict):
    """Why a request was refused."""

    error: str
    field: NotRequired[str | None]
    value: NotRequired[str | None]
    allowed: NotRequired[list[str]]


class RegimeView(TypedDict):
    """OR-2 as it stands; `regime` is null before the first daily close."""

    regime: str | None
    since_ms: int | None
    since_reason: str
    candidate: str | None
    candidate_closes: int
    weights: dict[str, str]
    weights_before: dict[str, str]
    close: Noted | None
    standing: Noted | None


class Remark(TypedDict):
    """What an actor decided, measured or noted without a change of state, with the numbers that led to it (P3)."""

    id: int
    actor: str
    market_ms: int
    recorded_at: str
    subject: str
    trigger: str
    reason: str
    data: dict[str, Any]
    cause: str
    trace: str


class Result(TypedDict):
    """What an engine, or "total", gained and paid in one period."""

    period: str
    engine: str
    first_day_ms: int
    last_day_ms: int
    days: int
    days_counted: int
    equity_usdt: str
    profit_usdt: str
    realised_usdt: str
    fills: int
    flow_usdt: str
    fees_usdt: str
    funding_usdt: str
    slippage_usdt: str
    turnover_usdt: str
    harvest_usdt: str
    earned_usdt: str


RunState: TypeAlias = Literal["QUEUED", "RUNNING", "DONE", "FAILED", "CANCELLED"]


Scope: TypeAlias = Literal["read", "control", "admin"]


class Series(TypedDict):
    """A series of bars on record."""

    category: str
    symbol: str
    interval: str


class SessionRow(TypedDict):
    """A session that can be used now."""

    session_id: str
    person: str
    scope: Scope
    is_confirmed: bool
    way: str
    address: str
    made_ms: int
    seen_ms: int
    ends_ms: int
    idle_s: int
    is_own: bool


class SettingChanged(TypedDict):
    """One setting, by its dotted name; null: it is not set."""

    setting: str
    before: Any
    after: Any


class Standing(TypedDict):
    """
    Who the request comes from and how far it reaches. A bearer's request has no session: the fields from
    `session_id` on are null then.
    """

    person: str
    scope: Scope
    withheld: Scope | None
    session_id: str | None
    csrf: str | None
    idle_s: int | None
    ends_ms: int | None


class StateChange(TypedDict):
    """A scope's state in force before and after a command."""

    scope: str
    before: str
    after: str


class StateName(TypedDict):
    """A state and the specification's Russian name of it."""

    state: str
    russian: str


class StopStep(TypedDict):
    """The price of a stop from this instant on; null: the position was closed."""

    engine: str
    market_ms: int
    price: str | None


class Summary(TypedDict):
    """The daily summary (OR-3)."""

    day_ms: int
    completed_ms: int
    data: dict[str, Any]


class Switch(TypedDict):
    """
    A control state as it was set (RM-2, RM-5); what is in force for an engine is the stricter of GLOBAL and its own
    (`/api/v1/overview`).
    """

    scope: str
    state: str
    reason: str
    who: str
    changed_ms: int
    flatten: str | None
    flatten_left: list[str] | None


class SwitchReading(TypedDict):
    """One reading that tripped a switch: where and what was measured, the limit, and how long before the trip."""

    source: str
    value: str
    limit: str
    age_ms: int


class SwitchTrip(TypedDict):
    """
    An automatic switch that has tripped (RM-4): its effect, why, and the readings. `ended_ms` is null while it
    lasts; what a state needs to return after that is in `/api/v1/switches` and the operations manual.
    """

    trip_id: str
    switch: str
    subject: str
    effect: str
    reason: str
    readings: list[SwitchReading]
    tripped_ms: int
    ended_ms: int | None


class Term(TypedDict):
    """One number of a rule against its limit."""

    what: str
    value: str | None
    side: str
    limit: str
    unit: str
    distance: str | None
    holds: bool
    closeness: float | None


class Transfer(TypedDict):
    """A movement between accounts."""

    transfer_id: str
    from_account: str
    to_account: str
    coin: str
    amount: str
    purpose: str
    state: str
    reason: str
    requested_ms: int
    updated_ms: int


class Transition(TypedDict):
    """A change of state with the reason and the numbers that led to it (P3)."""

    id: int
    actor: str
    market_ms: int
    recorded_at: str
    machine_table: str
    machine: str
    trigger: str
    source: str
    dest: str
    reason: str
    data: dict[str, Any]
    cause: str
    trace: str


class Unbalanced(TypedDict):
    """A posting that does not sum to zero."""

    posting_id: str
    coin: str
    difference: str


class UnderPolicy(TypedDict):
    """Figures over the days that closed under one version of the policy (RM-6)."""

    first_day_ms: int
    last_day_ms: int
    days: int
    equity_usdt: str
    flow_usdt: str
    turnover_usdt: str
    fees_usdt: str
    slippage_usdt: str
    funding_usdt: str
    harvest_usdt: str
    earned_usdt: str
    forgone_usdt: str
    total_return: float | None
    return_a_year: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    deepest_fall: float | None
    present_fall: float | None
    turnover_a_year: float | None
    slippage_of_turnover: float | None
    funding_yield: float | None
    staking_yield: float | None
    policy_version: int


class Versions(TypedDict):
    """What runs here."""

    version: str | None
    api: str
    python: str
    packages: dict[str, str | None]
    database_schema: str | None


class Window(TypedDict):
    """Figures over the newest days."""

    first_day_ms: int
    last_day_ms: int
    days: int
    equity_usdt: str
    flow_usdt: str
    turnover_usdt: str
    fees_usdt: str
    slippage_usdt: str
    funding_usdt: str
    harvest_usdt: str
    earned_usdt: str
    forgone_usdt: str
    total_return: float | None
    return_a_year: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    deepest_fall: float | None
    present_fall: float | None
    turnover_a_year: float | None
    slippage_of_turnover: float | None
    funding_yield: float | None
    staking_yield: float | None
    window_days: int | None


class ActorDetail(TypedDict):
    """One actor with its durable rows: those that are state machines, and the others."""

    name: str
    state: str
    russian: str
    since_s: float | None
    reason: str
    heartbeat_age_s: float | None
    committed_age_s: float | None
    commit_no: int | None
    epoch: int | None
    restarts: int
    recovered_in_ms: int | None
    last_error: str
    stream_faults: list[str]
    silence_s: dict[str, float]
    data_age_s: dict[str, float]
    pid: int | None
    inbox: int | None
    pending_requests: int | None
    undelivered: int | None
    policy_version: int | None
    market_ms: int | None
    machines: list[MachineState]
    records: list[DurableRecord]


class Backtest(TypedDict):
    """
    A backtest that was started here. Every figure of a synthetic market shows that the machinery works, and says
    nothing about what the strategies would have earned.
    """

    run_id: str
    name: str
    who: str
    state: RunState
    russian: str
    reason: str
    created_at: str
    started_at: str | None
    ended_at: str | None
    waits_for: int
    is_cancelling: bool
    canceller: str
    is_synthetic: bool
    market: str
    policy_version: int
    settings: list[str]
    wanted: BacktestWanted | None
    progress: BacktestProgress | None
    has_report: bool
    figures: KeyFigures | None


class BacktestDetail(TypedDict):
    """What a run has brought: its figures, its engines, what holding would have brought, and its equity curve."""

    run_id: str
    figures: KeyFigures
    engines: list[EngineFigures]
    benchmarks: list[Benchmark]
    findings: list[BacktestFinding]
    missing_inputs: list[str]
    paid_in_usdt: str
    market: str
    is_synthetic: bool
    version: str
    commit: str
    data_hash: str
    curve: list[CurvePoint]


class Candles(TypedDict):
    """A page of bars and what was done within its time."""

    category: str
    symbol: str
    interval: str
    bars: PageBar
    fills: list[OrderFills]
    stops: list[StopStep]


class ComparedBacktest(TypedDict):
    """One run of a comparison."""

    run: Backtest
    detail: BacktestDetail


class ControlPreview(TypedDict):
    """What a command would do now (RM-5). Nothing is changed by asking."""

    action: str
    scope: str
    effect: str
    engines: list[str]
    states: list[StateChange]
    engines_after: list[InForce]
    orders_cancelled: list[OrderBrief]
    orders_kept: list[OrderBrief]
    positions_closed: list[Position]
    positions_kept: list[Position]
    ends_by: str


class Engine(TypedDict):
    """An engine as the page shows it."""

    name: str
    component: str
    component_russian: str
    machines: list[MachineView]
    state: str
    russian: str
    risk_state: str
    risk_scope: str
    risk_reason: str
    equity_usdt: str | None
    cash_usdt: str | None
    open_orders: int | None
    last_transition: LastTransition | None


class EnginePerformance(TypedDict):
    """The rolling figures of an engine, or of "total", and those under each version of the policy."""

    engine: str
    windows: list[Window]
    policies: list[UnderPolicy]


class HistoryOffered(TypedDict):
    """The price history that runs can use."""

    state: HistoryState
    folder: str
    first_day: str | None
    earliest_day: str | None
    last_day: str | None
    text: str


class IndicatorLine(TypedDict):
    """One number over time."""

    name: str
    points: list[IndicatorPoint]


class IndicatorPane(TypedDict):
    """Numbers of one unit with the limits that they are read against."""

    title: str
    unit: str
    is_price: bool
    lines: list[IndicatorLine]
    levels: list[IndicatorLevel]


class IndicatorView(TypedDict):
    """What an engine's rules read, over time."""

    engine: str
    symbol: str
    problem: str
    panes: list[IndicatorPane]


class Machine(TypedDict):
    """A state machine."""

    name: str
    about: str
    initial: str
    states: list[StateName]
    transitions: list[Arrow]


class Overview(TypedDict):
    """The head of the page from one reading."""

    expected: Expected
    health: Health
    market: MarketView
    engines: list[Engine]
    components: list[Actor]
    equity_usdt: str | None
    equity_ms: int | None
    orders: list[OrderCount]


class PageBacktest(TypedDict):
    rows: list[Backtest]
    next: str | None


class PagePerformanceDay(TypedDict):
    rows: list[PerformanceDay]
    next: str | None


class PageRemark(TypedDict):
    rows: list[Remark]
    next: str | None


class PageSummary(TypedDict):
    rows: list[Summary]
    next: str | None


class PageSwitchTrip(TypedDict):
    rows: list[SwitchTrip]
    next: str | None


class PageTransfer(TypedDict):
    rows: list[Transfer]
    next: str | None


class PageTransition(TypedDict):
    rows: list[Transition]
    next: str | None


class Policies(TypedDict):
    """The newest 50 versions, newest first; the settings of the newest; what every actor holds."""

    versions: list[PolicyVersion]
    policy: dict[str, Any]
    actors: list[PolicyHolder]


class PolicyTrial(TypedDict):
    """What a change would do now. `text` says it as sentences; `obstacles` are the actors that could not apply it."""

    after: int
    differences: list[SettingChanged]
    text: list[str]
    obstacles: list[str]


class Posting(TypedDict):
    """A balanced movement; its id is the exchange's own."""

    posting_id: str
    kind: str
    posted_ms: int
    description: str
    lines: list[PostingLine]


class Prospect(TypedDict):
    """Something that the engine would do if all its terms held."""

    subject: str
    event: str
    rule: str
    judged_ms: int | None
    barred: str
    closeness: float | None
    terms: list[Term]


class TrialBalance(TypedDict):
    """`balanced` only if every single posting sums to zero (OR-6)."""

    balanced: bool
    postings: int
    coins: list[CoinBalance]
    unbalanced: list[Unbalanced]


class BacktestComparison(TypedDict):
    """
    Runs side by side, in the order in which they were asked for. `differences` says what must be known to read it:
    other markets, periods or versions.
    """

    runs: list[ComparedBacktest]
    differences: list[str]


class BacktestOptions(TypedDict):
    """What a backtest can be asked for here, and whether another one can be taken now."""

    history: HistoryOffered
    defaults: BacktestWanted
    engines: list[str]
    policy_version: int
    kept: int
    most_kept: int
    most_waiting: int
    obstacle: str


class OutlookView(TypedDict):
    """What would make an engine act next."""

    engine: str
    market_ms: int
    problem: str
    prospects: list[Prospect]


class PagePosting(TypedDict):
    rows: list[Posting]
    next: str | None


class Ledger(TypedDict):
    """The double-entry ledger."""

    trial_balance: TrialBalance
    balances: list[LedgerBalance]
    postings: PagePosting
