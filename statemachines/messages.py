"""Messages between actors: one frozen model per kind, a plain dict on the wire (DESIGN 1).

The envelope is `{id, sender, seq, kind, version, market_time, cause, trace, body}`; `cause` is the id of the message
that led to this one and `trace` the id of the first one, so that every order leads back to its bar.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from statemachines.facts import BarFact
from statemachines.refusals import RefusalCause
from statemachines.requests import ExchangeResponse, ExecutionReport, OrderReport, Quote, SetAside
from statemachines.values import Account, ActorName, Category, Foundation, Frozen, Instrument, Side


class Body(Frozen):
    """Base of all message bodies. `VERSION` rises when the shape changes."""

    KIND: ClassVar[str]
    VERSION: ClassVar[int] = 1


class Envelope(NamedTuple):
    """A message as a logic sees it. `id` is `sender:seq`, or the natural id of a fact from outside."""

    id: str
    sender: str
    market_ms: int
    cause: str
    trace: str
    body: Body


# --- facts from outside, handed in by the streams ---


class BarFrame(Body):
    """Closed bars as the stream told them (public kline topic, `confirm`)."""

    KIND = "bar_frame"
    bars: tuple[BarFact, ...]


Market = tuple[Category, str]
"""Category and symbol."""


class QuoteFrame(Body):
    """Newest quotes (ephemeral: never committed, the newest wins). `withdrawn`: what was told of these markets does not
    hold any more, and nothing usable has taken its place."""

    KIND = "quote_frame"
    quotes: tuple[Quote, ...]
    withdrawn: tuple[Market, ...] = ()


class RowsSetAside(Body):
    """Rows of a stream that are not used; each was judged by itself. `account` None: a public stream."""

    KIND = "rows_set_aside"
    source: str
    account: Account | None = None
    rows: tuple[SetAside, ...]


class FundingFrame(Body):
    """Settled funding rates read after a settlement."""

    KIND = "funding_frame"
    settle_ms: int
    rates: dict[str, Decimal]
    interval_min: dict[str, int]


class FeedFrame(Body):
    """External values known at `market_ms` (DA-2): Fear & Greed and DVOL, each with its publication time."""

    KIND = "feed_frame"
    fear_greed: int | None = None
    fear_greed_ms: int | None = None
    dvol: Decimal | None = None
    dvol_ms: int | None = None


class InsuranceSeen(Body):
    """A reading of the exchange's insurance fund (FU-9): its balance in USDT at `market_ms`."""

    KIND = "insurance_seen"
    balance_usdt: Decimal
    market_ms: int


class OrderFrame(Body):
    """A report of the private order stream."""

    KIND = "order_frame"
    report: OrderReport


class ExecutionFrame(Body):
    """A report of the private execution stream."""

    KIND = "execution_frame"
    report: ExecutionReport


class StreamRestored(Body):
    """A stream was rebuilt after a break: what it missed must be read again from REST (bybit-v5 5.1)."""

    KIND = "stream_restored"
    stream: str


class ResponseReceived(Body):
    """The outcome of an `Ask`, delivered to the logic that asked; `key` is the Ask's."""

    KIND = "answer"
    key: str
    account: str
    outcome: ExchangeResponse


# --- market data → engines, risk manager, orchestrator ---


class BarsClosed(Body):
    """All symbols' hourly bars of one instant. `missing` lists "category:symbol" without a bar."""

    KIND = "bars_closed"
    close_ms: int
    bars: tuple[BarFact, ...]
    missing: tuple[str, ...] = ()


class DayClosed(Body):
    """All symbols' daily bars of one UTC day (`day_ms` = its start) and the external values known at its end."""

    KIND = "day_closed"
    day_ms: int
    close_ms: int
    bars: tuple[BarFact, ...]
    missing: tuple[str, ...] = ()
    feed: FeedFrame = FeedFrame()


class FundingSettled(Body):
    """Rates settled at `settle_ms` (as published, per `interval_min`) and what is predicted for the next."""

    KIND = "funding_settled"
    settle_ms: int
    rates: dict[str, Decimal]
    predicted: dict[str, Decimal]
    interval_min: dict[str, int]


class QuotesSeen(Body):
    """Quotes forwarded to those who decide on them (ephemeral)."""

    KIND = "quotes_seen"
    quotes: tuple[Quote, ...]
    withdrawn: tuple[Market, ...] = ()

    def after(self, older: QuotesSeen) -> QuotesSeen:
        """Both in one message; the newest word on a symbol wins, whether a quote or its withdrawal."""
        newest: dict[Market, Quote | None] = {}
        for message in (older, self):
            newest |= dict.fromkeys(message.withdrawn)
            newest |= {(quote.category, quote.symbol): quote for quote in message.quotes}
        return QuotesSeen(
            quotes=tuple(quote for quote in newest.values() if quote is not None),
            withdrawn=tuple(market for market, quote in newest.items() if quote is None),
        )


class DataUnusable(Body):
    """What is told about a market (or, with category `WHOLE_ACCOUNT`, about an account) cannot be used; `reason` "": it
    can be used again. No new risk is taken on it while anybody says so; `source` tells the reporters apart."""

    KIND = "data_unusable"
    source: str
    category: str
    symbol: str
    reason: str


class FiltersRefused(Body):
    """The exchange refused an order by one of its filters (lot, tick, minimum): what we know of them may be old."""

    KIND = "filters_refused"
    category: Category
    symbol: str
    reason: str


class InstrumentsKnown(Body):
    """Instrument rules as read from the exchange; sent at start and when they change."""

    KIND = "instruments_known"
    instruments: tuple[Instrument, ...]


# --- engines → risk manager → order manager ---


class Intent(Body):
    """What an engine wants done. `intent_id` is `<engine>-<base36 counter>`, deterministic and never reused.

    `reference_price` is the price the decision was made on; `style` market = urgent (EX-3), maker = post-only
    worked at the touch until `expires_ms`, stop = reduce-only conditional order held at the exchange (TR-5).
    `purpose` is what the order is for ("entry", "exit", "stop", "tranche", "rebalance", "hedge", "unwind",
    "deployment", "trim", "compound"); `reason` the sentence with its numbers. `retry_of` is the first intent of the
    same order when this one is another try of it. `closes_rest` asks for the whole rest of a perpetual position that
    is below a lot or the venue's minimum (X1).
    """

    KIND = "intent"
    intent_id: str
    engine: ActorName
    account: Account
    category: Category
    symbol: str
    side: Side
    quantity: Decimal
    style: Literal["market", "maker", "stop"]
    reference_price: Decimal
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    expires_ms: int | None = None
    purpose: str
    reason: str
    portfolio_version: int = 0
    retry_of: str = ""
    closes_rest: bool = False


class Withdraw(Body):
    """Cancel what still works of an intent."""

    KIND = "withdraw"
    intent_id: str
    engine: ActorName
    reason: str


class MoveStop(Body):
    """Change trigger price and/or quantity of a working stop intent (TR-6 ratchet, TR-13 cut)."""

    KIND = "move_stop"
    intent_id: str
    engine: ActorName
    trigger_price: Decimal | None = None
    quantity: Decimal | None = None
    reason: str


class Approved(Body):
    """The risk manager lets an intent through, within bounds: not above `max_quantity`, no fill beyond
    `price_limit` (worst acceptable price), not after `expires_ms`."""

    KIND = "approved"
    intent: Intent
    max_quantity: Decimal
    price_limit: Decimal | None
    slippage_limit: Decimal
    expires_ms: int | None
    portfolio_version: int


class IntentEnded(Body):
    """Base of the three messages that end an intent: each ends with exactly one of them.

    `filled_quantity` may be anything from 0 up, `average_price` (USDT) is None when it is 0; `retry_of` is the
    intent's.
    """

    intent_id: str
    engine: ActorName
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    retry_of: str = ""

    @property
    def ended_as(self) -> str:
        """The outcome in one word."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its outcome")

    @property
    def why(self) -> str:
        """The reason as a sentence."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its reason")

    @property
    def refusal_cause(self) -> RefusalCause | None:
        """Why the order was refused; None for one that was not."""
        return None

    @property
    def is_refused_for_good(self) -> bool:
        """X1: what was asked for is refused as such, not for the moment, for its price or for want of money."""
        return self.refusal_cause is RefusalCause.OTHER


class OrderDenied(IntentEnded):
    """Our own checks refuse an intent; the exchange never sees it, or no more of it. The risk manager sends it for a
    limit (RM-1), the order manager for the venue's filters and bounds; every reason names its check and its numbers."""

    KIND = "order_denied"
    reasons: tuple[str, ...]
    checks: tuple[str, ...]

    @property
    def ended_as(self) -> str:
        return "DENIED"

    @property
    def why(self) -> str:
        return "; ".join(self.reasons)

    @property
    def refusal_cause(self) -> RefusalCause | None:
        return RefusalCause.OTHER


# --- order manager → engine concerned, risk manager, orchestrator ---


class Fill(Body):
    """One execution, booked. `position_quantity` / `position_price` are the account's position in the symbol
    after it (linear; for spot the coin's wallet balance and 0); `cash_usdt` its USDT wallet balance after."""

    KIND = "fill"
    execution_id: str
    intent_id: str
    engine: ActorName
    account: Account
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
    position_quantity: Decimal
    position_price: Decimal
    cash_usdt: Decimal


class IntentWorking(Body):
    """The exchange confirmed that an order of the intent rests (for stops: that the protection exists)."""

    KIND = "intent_working"
    intent_id: str
    engine: ActorName
    account: Account
    client_order_id: str
    trigger_price: Decimal | None = None
    quantity: Decimal | None = None


class IntentDone(IntentEnded):
    """The end of an intent, on the exchange's evidence: filled, cancelled, or its time is over."""

    KIND = "intent_done"
    account: Account
    category: Category
    symbol: str
    side: Side
    outcome: Literal["FILLED", "CANCELLED", "EXPIRED"]
    reason: str

    @property
    def ended_as(self) -> str:
        return self.outcome

    @property
    def why(self) -> str:
        return self.reason


class OrderRejected(IntentEnded):
    """The exchange refused the last order of an intent for good, which ends the intent; `refusal` and `refusal_code`
    tell why (0: it named no code)."""

    KIND = "order_rejected"
    account: Account
    category: Category
    symbol: str
    side: Side
    reason: str
    refusal: RefusalCause | None = None
    refusal_code: int = 0

    @property
    def ended_as(self) -> str:
        return "REJECTED"

    @property
    def why(self) -> str:
        return self.reason

    @property
    def refusal_cause(self) -> RefusalCause | None:
        return self.refusal or RefusalCause.OTHER


class FundingPaid(Body):
    """A settlement on a position of ours: `amount_usdt` positive = received, negative = paid."""

    KIND = "funding_paid"
    execution_id: str
    engine: ActorName
    account: Account
    symbol: str
    amount_usdt: Decimal
    rate: Decimal
    settle_ms: int
    cash_usdt: Decimal


class BalancesKnown(Body):
    """Balances and positions of an account as booked, after reconciliation or a transfer."""

    KIND = "balances_known"
    account: Account
    coins: dict[str, Decimal]
    positions: dict[str, tuple[Decimal, Decimal]]


class Reconciled(Body):
    """The order manager has compared books and exchange (OR-9); `discrepancies` counts what differed."""

    KIND = "reconciled"
    market_ms: int
    reason: str
    discrepancies: int
    details: tuple[str, ...] = ()


# --- risk manager → engines, orchestrator ---


class AccountView(Frozen):
    """One account inside a portfolio: `equity_usdt` = USDT + coins at last close + unrealised P&L."""

    account: Account
    equity_usdt: Decimal
    cash_usdt: Decimal
    coins: dict[str, Decimal] = Field(default_factory=dict)
    positions: dict[str, tuple[Decimal, Decimal]] = Field(default_factory=dict)


class Portfolio(Body):
    """The one view of all accounts; a decision quotes the version it saw."""

    KIND = "portfolio"
    version_no: int
    market_ms: int
    equity_usdt: Decimal
    accounts: dict[Account, AccountView]
    prices: dict[str, Decimal]  # "spot:BTCUSDT" → last closed price


class RiskState(Body):
    """The risk state in force for a scope (GLOBAL or an engine) and the size factor entries must apply (RM-3)."""

    KIND = "risk_state"
    scope: str
    state: Literal["NORMAL", "CAUTION", "REDUCE_ONLY", "HALTED", "PAUSED"]
    size_factor: Decimal
    entries_blocked_until_ms: int | None = None
    reason: str


# --- orchestrator ↔ everyone ---


class AssessRisk(Body):
    """Second step of the daily cycle (OR-3)."""

    KIND = "assess_risk"
    day_ms: int


class RiskAssessed(Body):
    """The risk manager's answer: engines named in `blocked` are not run for entries."""

    KIND = "risk_assessed"
    day_ms: int
    state: Literal["NORMAL", "CAUTION", "REDUCE_ONLY", "HALTED", "PAUSED"]
    reason: str


class RunCycle(Body):
    """Third step: the engine decides on the day that closed at `close_ms`. `target_usdt` is the engine's
    target capital (weight × portfolio equity)."""

    KIND = "run_cycle"
    day_ms: int
    close_ms: int
    engine: ActorName
    target_usdt: Decimal
    portfolio_usdt: Decimal
    entries_allowed: bool = True


class CycleDone(Body):
    """The engine has finished its part of the cycle (urgent orders ended; maker orders may still work)."""

    KIND = "cycle_done"
    day_ms: int
    engine: ActorName
    summary: str


class TransferWanted(Body):
    """An engine asks the orchestrator for a movement (FU-5 owed to TACTICAL, TA-6 returns)."""

    KIND = "transfer_wanted"
    request_id: str
    engine: ActorName
    from_account: Account
    to_account: Account
    coin: str
    amount: Decimal
    purpose: str


class TransferOrdered(Body):
    """The orchestrator orders a movement; the order manager performs and books it (OR-6)."""

    KIND = "transfer_ordered"
    transfer_id: str
    request_id: str
    from_account: Account
    to_account: Account
    coin: str
    amount: Decimal
    purpose: str


class TransferEnded(Body):
    """A movement has ended; sent to the orchestrator, the risk manager and the engines on both sides."""

    KIND = "transfer_ended"
    transfer_id: str
    request_id: str
    from_account: Account
    to_account: Account
    coin: str
    amount: Decimal
    purpose: str
    succeeded: bool
    reason: str = ""


class ComponentChanged(Body):
    """The orchestrator tells everyone of a component's life cycle (OR-8), e.g. an engine that is FAULTED."""

    KIND = "component_changed"
    component: ActorName
    state: str
    reason: str
    trigger: str = ""
    source: str = ""
    """The row of the component's table that led to `state`; messages of an older version lack it."""


class ComponentAlert(Body):
    """The supervision has something to say to the operator; the orchestrator's commit makes it an alert.

    `is_open`: the component is down and the alert lasts until it runs again; otherwise what is told is over.
    """

    KIND = "component_alert"
    component: ActorName | Foundation
    severity: Literal["info", "warning", "critical"]
    text: str
    is_open: bool = False


class DatabaseOutage(Body):
    """The database could not be used (DA-5): told when it begins, committed when it is over, and told again then.

    `what` continues "The database"; `since` and `until` are wall time as text, `until` "" while it lasts.
    """

    KIND = "database_outage"
    what: str
    why: str
    since: str
    until: str = ""


class OperatorCommand(Body):
    """A command of the operator (RM-5); `command_id` is the caller's and makes it idempotent."""

    KIND = "operator_command"
    command_id: str
    who: str
    action: Literal["pause", "resume", "reduce_only", "halt", "normal"]
    scope: str
    reason: str


class ComponentReset(Body):
    """The operator wants a FAULTED component tried again (OR-8); `command_id` as in `OperatorCommand`."""

    KIND = "component_reset"
    command_id: str
    who: str
    component: ActorName
    reason: str


def _all_kinds(base: type[Body]) -> dict[str, type[Body]]:
    kinds: dict[str, type[Body]] = {}
    for body in base.__subclasses__():
        if "KIND" in vars(body):
            kinds[body.KIND] = body
        kinds.update(_all_kinds(body))
    return kinds


BODIES: dict[str, type[Body]] = _all_kinds(Body)

ORDER_CHECKS = "order_checks"
"""The check that an `OrderDenied` of the order manager names: the venue's filters and the bounds of the approval."""

Wire = tuple[str, dict[str, Any]]
"""Kind and body of a message as it is stored."""


def _denied_1(data: dict[str, Any]) -> Wire:
    return OrderDenied.KIND, data


def _intent_done_1(data: dict[str, Any]) -> Wire:
    """Version 1 told every end of an intent, with the cause of a refusal beside outcomes that had none."""
    outcome, refusal = data.get("outcome"), {"refusal", "refusal_code"}
    if outcome == "REJECTED":
        return OrderRejected.KIND, {name: value for name, value in data.items() if name != "outcome"}
    if outcome == "DENIED":
        kept = {name: data[name] for name in IntentEnded.model_fields if name in data}
        return OrderDenied.KIND, kept | {
            "reasons": [f"{ORDER_CHECKS}: {data.get('reason', '')}"],
            "checks": [ORDER_CHECKS],
        }
    return IntentDone.KIND, {name: value for name, value in data.items() if name not in refusal}


UPCASTERS: dict[str, Callable[[dict[str, Any]], Wire]] = {"denied": _denied_1, "intent_done": _intent_done_1}
"""Bodies that an earlier version may have left unacknowledged in an outbox, by their kind then."""


def parse_body(kind: str, data: dict[str, Any]) -> Body:
    """The body of a wire message, also of one that an earlier version has stored.

    Raises:
        ValueError: the kind is not known, or a field is missing, unknown or of the wrong type.
    """
    upcast = UPCASTERS.get(kind)
    if upcast is not None:
        kind, data = upcast(data)
    model = BODIES.get(kind)
    if model is None:
        raise ValueError(f"message kind {kind!r} is not known; allowed: {sorted(BODIES)}")
    return model.model_validate(data)
