"""What the HTTP interface answers about orders, money and history (see `api.http.models`)."""

from __future__ import annotations

from pydantic import Field

from api.http.models import At, Json, Model, Money, Ms, Page, Price, Quantity


class Order(Model):
    """An order as the order manager has recorded it."""

    client_order_id: str = Field(description="our client id (EX-5)")
    intent_id: str
    engine: str
    account: str
    category: str
    symbol: str
    side: str
    order_type: str
    quantity: Quantity
    price: Price | None = Field(description="limit, USDT for one of the base coin; null: at market")
    trigger_price: Price | None
    reduce_only: bool
    state: str
    venue_order_id: str
    filled_quantity: Quantity
    average_price: Price | None
    reason: str
    created_ms: Ms
    updated_ms: Ms
    trace: str


class ChainDecision(Model):
    """A decision that was taken on a link."""

    actor: str
    machine: str
    trigger: str
    source: str
    dest: str
    reason: str
    data: Json
    market_ms: Ms
    cause: str


class ChainLink(Model):
    """One step from the first cause to the order."""

    id: str
    link: str = Field(description="outside, message, request or order")
    kind: str
    sender: str
    market_ms: Ms | None
    body: Json | None
    decisions: list[ChainDecision]


class Execution(Model):
    """A fill."""

    account: str
    execution_id: str
    client_order_id: str
    venue_order_id: str
    engine: str
    category: str
    symbol: str
    side: str
    quantity: Quantity
    price: Price
    fee: Money = Field(description="in the coin `fee_coin`; negative: a rebate")
    fee_coin: str
    is_maker: bool
    realized_pnl: Money = Field(description="USDT, by the exchange's figure, before fees; 0 on spot")
    executed_ms: Ms


class Position(Model):
    """A derivative position; a short one has a negative quantity. What is not known is null."""

    account: str
    engine: str
    symbol: str
    quantity: Quantity
    average_price: Price
    updated_ms: Ms
    mark_price: Price | None = Field(description="USDT, newest closed price; `mark_ms` is when its bar closed")
    mark_ms: Ms | None
    notional_usdt: Money | None = Field(description="at the mark, without sign")
    unrealised_pnl_usdt: Money | None = Field(description="at the mark, before fees")
    stop_price: Price | None = Field(description="USDT, of the waiting stop nearest to the mark; null: there is none")
    stop_quantity: Quantity = Field(description="in the base coin, how much of the position waiting stops cover")
    stop_order: str | None = Field(description="client id of that stop's order")
    stop_distance: Money | None = Field(description="from the mark, a fraction of it")
    liquidation_price: Money | None = Field(
        description="USDT, estimate by T8: where equity meets the maintenance margin if all marks of the account move "
        "against its positions by the same fraction; coins that hedge it are not counted. 0: never"
    )
    liquidation_distance: Money | None = Field(
        description="that distance, a fraction of the mark (TR-9: above 0.5 at an entry)"
    )
    maintenance_margin_usdt: Money | None = Field(description="at the mark, by the first risk tier's rate")


class AccountView(Model):
    """One account inside the portfolio."""

    account: str
    equity_usdt: Money
    cash_usdt: Money
    coins: dict[str, str] = Field(description="per coin the amount, in that coin")
    positions: dict[str, list[str]] = Field(
        description="per symbol: quantity in the base coin, and average price in USDT"
    )


class Portfolio(Model):
    """The newest portfolio; `version` is null before the first one."""

    version: int | None = Field(description="number of the portfolio's version")
    market_ms: Ms | None
    equity_usdt: Money | None
    exposure_usdt: Money | None = Field(description="signed, of all accounts together; hedged pairs net out (R4)")
    exposure_by_coin: dict[str, Money] = Field(description="per coin, signed, USDT")
    accounts: list[AccountView]
    prices: dict[str, str] = Field(description="per category and symbol: USDT for one of the base coin")


class CoinBalance(Model):
    """Debits and credits of one coin."""

    coin: str
    debit: Money = Field(description="in this coin")
    credit: Money = Field(description="in this coin")
    difference: Money = Field(description="debit less credit, in this coin")


class Unbalanced(Model):
    """A posting that does not sum to zero."""

    posting_id: str
    coin: str
    difference: Money = Field(description="debit less credit, in this coin")


class TrialBalance(Model):
    """`balanced` only if every single posting sums to zero (OR-6)."""

    balanced: bool
    postings: int = Field(description="count of all postings")
    coins: list[CoinBalance]
    unbalanced: list[Unbalanced]


class LedgerBalance(Model):
    """The balance of one ledger account; debit positive."""

    account: str
    ledger_account: str
    coin: str
    balance: Money = Field(description="in this coin, debit positive")
    lines: int = Field(description="count of the lines that it sums")


class PostingLine(Model):
    """One side of a posting."""

    account: str
    ledger_account: str
    coin: str
    amount: Money = Field(description="in this coin, debit positive")


class Posting(Model):
    """A balanced movement; its id is the exchange's own."""

    posting_id: str
    kind: str
    posted_ms: Ms
    description: str
    lines: list[PostingLine]


class Ledger(Model):
    """The double-entry ledger."""

    trial_balance: TrialBalance
    balances: list[LedgerBalance]
    postings: Page[Posting]


class Transfer(Model):
    """A movement between accounts."""

    transfer_id: str
    from_account: str
    to_account: str
    coin: str
    amount: Money = Field(description="in this coin, debit positive")
    purpose: str
    state: str
    reason: str
    requested_ms: Ms
    updated_ms: Ms


class Event(Model):
    """A message between actors."""

    id: str
    sender: str
    seq: int = Field(description="its number among the sender's messages, without gaps")
    recipients: list[str]
    kind: str
    market_ms: Ms
    cause: str
    trace: str
    body: Json


class Alert(Model):
    """A condition that the operator should know of, from its beginning to its end; an event ends at once.

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
    market_ms: Ms
    changed_ms: Ms
    changes: int = Field(description="count since it was raised")
    ended_ms: Ms | None
    acknowledged_ms: Ms | None = Field(description="wall time; null: it was not acknowledged")
    acknowledged_by: str | None = Field(description="the holder of the credential")
    acknowledged_text: str | None = Field(description="what that person added")


class Summary(Model):
    """The daily summary (OR-3)."""

    day_ms: Ms
    completed_ms: Ms
    data: Json


class PerformanceDay(Model):
    """What an engine, or "total", achieved on one market day (P4)."""

    day_ms: Ms
    engine: str
    equity_usdt: Money = Field(description="at the close")
    flow_usdt: Money = Field(description="money that came in less money that went out")
    day_return: Money | None = Field(description="a fraction, without the flows; null where nothing was invested")
    staked_usdt: Money = Field(description="in Earn at the close")
    turnover_usdt: Money
    decided_usdt: Money = Field(description="turnover of the fills whose decision's price is known")
    slippage_usdt: Money = Field(description="paid against the price of the decision; negative: gained")
    fees_usdt: Money
    funding_usdt: Money = Field(description="received less paid")
    harvest_usdt: Money = Field(description="given to others by OR-4; negative: received")
    earned_usdt: Money = Field(description="by staking (CH-11)")
    forgone_usdt: Money = Field(description="what coins that could be staked and were not would have earned (CH-11)")
    policy_version: int = Field(description="number of the version in force at the close; 0: there were no versions")


Ratio = float | None


class Figures(Model):
    """Figures over some days; ratios are fractions, null where they are not defined."""

    first_day_ms: Ms
    last_day_ms: Ms
    days: int = Field(description="count of closed days")
    equity_usdt: Money
    flow_usdt: Money
    turnover_usdt: Money
    fees_usdt: Money
    slippage_usdt: Money
    funding_usdt: Money
    harvest_usdt: Money
    earned_usdt: Money
    forgone_usdt: Money
    total_return: Ratio = Field(description="a fraction, time-weighted: flows are no profit")
    return_a_year: Ratio = Field(description="a fraction a year; from a year on")
    volatility: Ratio = Field(description="a fraction, of a year")
    sharpe: Ratio = Field(description="of a year, without unit")
    sortino: Ratio = Field(description="of a year, without unit")
    deepest_fall: Ratio = Field(description="a fraction, negative")
    present_fall: Ratio = Field(description="a fraction, below the highest close of the window; 0 or negative")
    turnover_a_year: Ratio = Field(description="a multiple of the mean equity")
    slippage_of_turnover: Ratio = Field(description="a fraction")
    funding_yield: Ratio = Field(description="a fraction, of a year, of the mean equity")
    staking_yield: Ratio = Field(description="a fraction, of a year, of what was staked")


class Window(Figures):
    """Figures over the newest days."""

    window_days: int | None = Field(description="count of the newest days; null: all days")


class UnderPolicy(Figures):
    """Figures over the days that closed under one version of the policy (RM-6)."""

    policy_version: int = Field(description="number of the version")


class EnginePerformance(Model):
    """The rolling figures of an engine, or of "total", and those under each version of the policy."""

    engine: str
    windows: list[Window] = Field(description="7, 30, 90, 365 days, as far as there are so many; then all")
    policies: list[UnderPolicy] = Field(description="newest version first")


class Discrepancy(Model):
    """A difference between our books and the exchange (OR-9)."""

    discrepancy_id: str
    account: str
    kind: str
    subject: str
    ours: str
    theirs: str
    resolution: str
    found_ms: Ms


class SwitchReading(Model):
    """One reading that tripped a switch: where and what was measured, the limit, and how long before the trip."""

    source: str
    value: str = Field(description="as it was measured, with its unit")
    limit: str = Field(description="as it was in force, with its unit")
    age_ms: int = Field(description="milliseconds before the trip")


class SwitchTrip(Model):
    """An automatic switch that has tripped (RM-4): its effect, why, and the readings. `ended_ms` is null while it
    lasts; what a state needs to return after that is in `/api/v1/switches` and the operations manual."""

    trip_id: str
    switch: str
    subject: str
    effect: str
    reason: str
    readings: list[SwitchReading]
    tripped_ms: Ms
    ended_ms: Ms | None


class Switch(Model):
    """A control state as it was set (RM-2, RM-5); what is in force for an engine is the stricter of GLOBAL and its own
    (`/api/v1/overview`)."""

    scope: str
    state: str
    reason: str
    who: str
    changed_ms: Ms
    flatten: str | None = Field(
        description="how far making this engine flat is (machine `flatten`); null when it was never commanded"
    )
    flatten_left: list[str] | None = Field(description="what the exchange showed at its newest reading, dust excepted")


class OperatorCommandRow(Model):
    """A command as it was carried out (RM-5, OR-8); `command_id` belongs to it permanently."""

    command_id: str
    action: str
    scope: str
    reason: str
    who: str
    given_ms: Ms


class PolicyVersion(Model):
    """A version of the policy: limits, weights and parameters (RM-6)."""

    version: int = Field(description="its number")
    recorded_at: At
    who: str
    reason: str
    origin: str = Field(description="configuration, operator or rollback")


class PolicyHolder(Model):
    """The version that an actor decides by, one that waits to replace it, and the newest that it could not apply."""

    actor: str
    version: int = Field(description="number of the version that it decides by")
    waiting: int | None = Field(description="number of the version that waits to replace it")
    refused: int | None = Field(description="number of the newest version that it could not apply")


class Policies(Model):
    """The newest 50 versions, newest first; the settings of the newest; what every actor holds."""

    versions: list[PolicyVersion]
    policy: Json
    actors: list[PolicyHolder]
