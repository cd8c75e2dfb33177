"""What the HTTP interface answers about market, results and installation (see `api.http.models`)."""

from __future__ import annotations

from pydantic import Field

from api.http.models import Json, Model, Money, Ms, Page, Price, Quantity
from api.http.trade_models import Position


class Bar(Model):
    """A closed bar; `start_ms` is its open time."""

    start_ms: Ms
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Quantity


class OrderFills(Model):
    """The fills of one order within the page's time, together."""

    engine: str
    client_order_id: str
    side: str
    quantity: Quantity
    price: Price = Field(description="average, USDT")
    executed_ms: Ms = Field(description="of the first of them")


class StopStep(Model):
    """The price of a stop from this instant on; null: the position was closed."""

    engine: str
    market_ms: Ms
    price: Money | None = Field(description="USDT")


class Candles(Model):
    """A page of bars and what was done within its time."""

    category: str
    symbol: str
    interval: str
    bars: Page[Bar]
    fills: list[OrderFills] = Field(description="newest first, at most 2000")
    stops: list[StopStep] = Field(description="oldest first; of TREND-1 and TREND-2")


class Term(Model):
    """One number of a rule against its limit."""

    what: str = Field(description="the number that the rule reads")
    value: Money | None = Field(description="in `unit`; null: not known")
    side: str = Field(description="where the number must be: above, below, at_least, at_most")
    limit: Money = Field(description="in `unit`")
    unit: str = Field(description="of value, limit and distance; share: a fraction of 1")
    distance: Money | None = Field(description="in `unit`; 0 when the term holds, null when the number is not known")
    holds: bool
    closeness: float | None = Field(description="a fraction, 1 when the term holds; null: not known")


class Prospect(Model):
    """Something that the engine would do if all its terms held."""

    subject: str = Field(description="the coin, or the deployment")
    event: str
    rule: str = Field(description="of the specification")
    judged_ms: Ms | None = Field(description="when the rule is read next; null: whenever its numbers change")
    barred: str = Field(description="why it would not be done even then; empty: nothing bars it")
    closeness: float | None = Field(description="0 to 1: that of its furthest term; null: a number is not known")
    terms: list[Term] = Field(description="none: it is done when it is due")


class OutlookView(Model):
    """What would make an engine act next."""

    engine: str
    market_ms: Ms = Field(description="of the engine's newest commit: as of then")
    problem: str = Field(description="why nothing is known; empty: it is")
    prospects: list[Prospect] = Field(description="the closest first, then those that are barred or not known")


class IndicatorPoint(Model):
    """A number at an instant."""

    market_ms: Ms = Field(description="of a daily number the start of its day")
    value: float = Field(description="in `unit` of the pane")


class IndicatorLine(Model):
    """One number over time."""

    name: str
    points: list[IndicatorPoint] = Field(description="oldest first")


class IndicatorLevel(Model):
    """A limit of a rule."""

    what: str
    value: float = Field(description="in `unit` of the pane")


class IndicatorPane(Model):
    """Numbers of one unit with the limits that they are read against."""

    title: str
    unit: str = Field(description="of lines and levels; share: a fraction of 1")
    is_price: bool = Field(description="whether it belongs over the candles")
    lines: list[IndicatorLine]
    levels: list[IndicatorLevel]


class IndicatorView(Model):
    """What an engine's rules read, over time."""

    engine: str
    symbol: str
    problem: str = Field(description="why nothing is known; empty: it is")
    panes: list[IndicatorPane] = Field(description="those of which a number is known")


class Series(Model):
    """A series of bars on record."""

    category: str
    symbol: str
    interval: str


class Noted(Model):
    """A line of the journal: when, the sentence, the numbers."""

    market_ms: Ms
    reason: str
    data: Json


class RegimeView(Model):
    """OR-2 as it stands; `regime` is null before the first daily close."""

    regime: str | None
    since_ms: Ms | None = Field(description="when it came to rule; null: since the first start")
    since_reason: str
    candidate: str | None = Field(description="what has won the newest closes in its place (O1)")
    candidate_closes: int = Field(description="count of closes on which it has won without a break")
    weights: dict[str, str] = Field(description="of the engines, fractions of 1, paced (O2)")
    weights_before: dict[str, str] = Field(description="of the engines before the newest close, fractions of 1")
    close: Noted | None = Field(description="the newest close: SMA50, SMA200, ADX, volatility, winner")
    standing: Noted | None = Field(description="the engines against their weights, as the treasury noted it last")


class Result(Model):
    """What an engine, or "total", gained and paid in one period."""

    period: str = Field(examples=["2025-01"])
    engine: str
    first_day_ms: Ms
    last_day_ms: Ms
    days: int = Field(description="count of the days of the period that are on record")
    days_counted: int = Field(description="count of those of them whose profit is known: there is a close before")
    equity_usdt: Money = Field(description="at the last close")
    profit_usdt: Money = Field(description="change of equity without the flows, after all costs")
    realised_usdt: Money = Field(description="realised on derivatives by the exchange's figure, before fees")
    fills: int = Field(description="count")
    flow_usdt: Money = Field(description="money that came in less money that went out")
    fees_usdt: Money
    funding_usdt: Money = Field(description="received less paid")
    slippage_usdt: Money = Field(description="paid against the price of the decision; negative: gained")
    turnover_usdt: Money
    harvest_usdt: Money = Field(description="given to others by OR-4; negative: received")
    earned_usdt: Money = Field(description="by staking (CH-11)")


class Configuration(Model):
    """The configuration of the newest start, without secrets; null before the first."""

    version: int | None = Field(description="number of the start's configuration")
    applied_at: str | None = Field(description="wall time, ISO 8601, UTC")
    who: str | None
    reason: str | None
    config: Json


class Versions(Model):
    """What runs here."""

    version: str | None = Field(description="of the program")
    api: str = Field(description="of this interface")
    python: str
    packages: dict[str, str | None] = Field(description="per package its version; null: it is not installed")
    database_schema: str | None = Field(description="the newest migration")


class StateChange(Model):
    """A scope's state in force before and after a command."""

    scope: str
    before: str
    after: str


class InForce(Model):
    """What is in force for an engine after a command, and whose state it is: GLOBAL's or its own (RM-2)."""

    engine: str
    state: str
    scope: str


class OrderBrief(Model):
    """An open order, in short."""

    client_order_id: str
    engine: str
    symbol: str
    side: str
    order_type: str
    quantity: Quantity
    price: Price | None = Field(description="limit, USDT for one of the base coin; null: at market")
    trigger_price: Price | None
    state: str


class ControlPreview(Model):
    """What a command would do now (RM-5). Nothing is changed by asking."""

    action: str
    scope: str
    effect: str
    engines: list[str]
    states: list[StateChange] = Field(description="of the scopes that the command sets")
    engines_after: list[InForce]
    orders_cancelled: list[OrderBrief] = Field(
        description="those that could take new risk; of a flatten the stops too, once it is flat"
    )
    orders_kept: list[OrderBrief] = Field(description="stops and others that only make a holding smaller")
    positions_closed: list[Position]
    positions_kept: list[Position]
    ends_by: str = Field(description='the command that ends the state; "" where none is set')


class LimitRow(Model):
    """A limit with how full it is."""

    name: str
    subject: str
    unit: str = Field(description="of now, limit and steps: fraction (of 1) or times equity")
    now: Money = Field(description="in `unit`: a fraction, or a multiple of equity")
    limit: Money = Field(description="in `unit`: a fraction, or a multiple of equity")
    part: Money = Field(description="how full it is, a fraction: 1 at the limit, above 1 beyond it")
    steps: list[Money] = Field(description="in `unit`: where something milder happens earlier")
    effect: str
    rule: str
    is_least: bool = Field(description="whether the value must stay above the limit")
