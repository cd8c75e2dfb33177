"""The next order of an intent: its terms within the approved bounds, validated, recorded, sent (EX-1, EX-3, EX-5)."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from statemachines.execution import submission
from statemachines.execution.completion import finish
from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.child_order import ChildOrder
from statemachines.execution.orders.parent_order import ParentOrder
from statemachines.execution.orders.request_keys import Topic, other_key
from statemachines.execution.styles import maker_quotes, slicing
from statemachines.execution.submission import patience_s
from statemachines.limits.plausibility import filters_problem
from statemachines.requests import Accepted, ExchangeResponse, Refused, SetLeverage
from statemachines.values import LINEAR, Account, Instrument, Side


def place_next(context: ExecutionContext, parent: ParentOrder) -> None:
    """Send the next child order if it is due; a violated filter or bound ends the intent as DENIED."""
    intent = parent.intent
    price: Decimal | None = None
    slippage: Decimal | None = None
    problem: str | None = None
    if not slicing.is_due(context, parent):
        return
    quantity, style = parent.remaining, slicing.next_style(parent)
    instrument = context.instruments.get((intent.category, intent.symbol))
    if instrument is not None and (why := filters_problem(instrument, intent.reference_price)):
        _impossible(context, parent, why)
        return
    if intent.style == "maker":
        due = maker_quotes.quote_due(context, parent)
        price = maker_quotes.target_price(context, parent)
        if due is None or due > context.now_ms or price is None:
            return
        if instrument is not None:
            quantity = maker_quotes.affordable(parent, price, instrument)
            if quantity < parent.remaining and not instrument.tradable(quantity, price):
                finish(context, parent, "CANCELLED", maker_quotes.too_little(parent, quantity, price))
                return
        parent.quoted_ms = context.now_ms
    elif style == "market":
        slippage, problem = market_slippage(context, parent)
        if problem is not None and parent.filled > 0:
            finish(context, parent, "CANCELLED", f"no further slice: {problem}")
            return
    if parent.approved.slice_quantity is not None:
        quantity = slicing.next_slice(parent, quantity, price or intent.reference_price, instrument)
        parent.sliced_ms = context.now_ms
    order = submission.next_order(context, parent, style, quantity, price, slippage)
    problem = problem or filter_problem(order, instrument, intent.reference_price)
    if problem is not None:
        order.end_reason = problem
        context.notes([order.fire("deny", problem, context.now_ms)])
        finish(context, parent, "DENIED", problem)
        return
    context.notes([order.fire("validate", "the instrument's filters allow it", context.now_ms)])
    terms = f" at {price}" if price else f" with trigger {order.trigger_price}" if order.trigger_price else ""
    context.note(
        order.name,
        "place",
        f"{order.style} {order.side} {order.quantity} {order.category} {order.symbol}{terms}: {intent.reason}",
        quantity=str(order.quantity),
        price=str(price),
        trigger_price=str(order.trigger_price),
        slippage_limit=str(slippage),
        price_limit=str(parent.approved.price_limit),
    )
    submission.place(context, parent, order)


def _impossible(context: ExecutionContext, parent: ParentOrder, why: str) -> None:
    """The exchange's filters allow no order at all: the intent ends, and the operator must act."""
    intent = parent.intent
    finish(context, parent, "DENIED", f"filters of {intent.category} {intent.symbol}: {why}")
    context.alert(
        "critical",
        f"no order of {intent.symbol} can be made",
        f"{intent.side} {parent.remaining} {intent.category} {intent.symbol} of {intent.engine} was not sent: the "
        f"exchange's filters contradict the market ({why}). Check the instrument's data at the exchange.",
    )


def market_slippage(context: ExecutionContext, parent: ParentOrder) -> tuple[Decimal | None, str | None]:
    """EX-3: the slippage limit of an urgent order, at most 0.5 %, narrowed so that no fill exceeds the approved price
    limit; a problem if the market is already beyond that limit. Orders that reduce risk are never refused for it.
    """
    parameters, approved, intent = context.parameters, parent.approved, parent.intent
    slippage = min(approved.slippage_limit, parameters.max_slippage)
    quote = context.quotes.get((intent.category, intent.symbol))
    limit = approved.price_limit
    if limit is not None and quote is not None and submission.gate_of(intent) is not None:
        room = limit / quote.ask - 1 if intent.side is Side.BUY else 1 - limit / quote.bid
        slippage = min(slippage, room).quantize(parameters.min_slippage, rounding=ROUND_DOWN)
        if slippage < parameters.min_slippage:
            best = quote.ask if intent.side is Side.BUY else quote.bid
            return None, f"the market at {best} leaves no room to the price limit {limit} of {intent.symbol}"
    return slippage, None


def filter_problem(order: ChildOrder, instrument: Instrument | None, about_price: Decimal) -> str | None:
    """A sentence that names the filter the order violates; None when the exchange would accept it.

    `about_price` values orders without a price of their own. The minimum value does not apply to reduce-only orders.
    """
    name = f"{order.category} {order.symbol}"
    if instrument is None:
        return f"{name} is not an instrument that the exchange lists"
    if order.closes_rest:
        # X1: below a lot by definition; it is sent with quantity 0, which closes the position.
        is_close = order.reduce_only and order.category == "linear" and order.style == "market"
        return None if is_close else f"{name}: only a reduce-only market order can close a remainder below a lot"
    if order.quantity <= 0 or order.quantity % instrument.qty_step:
        return f"quantity {order.quantity} of {name} is not a positive multiple of the lot step {instrument.qty_step}"
    if order.quantity < instrument.min_qty:
        return f"quantity {order.quantity} of {name} is below the minimum {instrument.min_qty}"
    most = instrument.max_limit_qty if order.style == "post_only" else instrument.max_market_qty
    if most and order.quantity > most:
        return f"quantity {order.quantity} of {name} is above the maximum {most} of a {order.style} order"
    for label, price in (("price", order.price), ("trigger price", order.trigger_price)):
        if price is not None and (price <= 0 or price % instrument.tick_size):
            return f"{label} {price} of {name} is not a positive multiple of the tick {instrument.tick_size}"
    if order.style == "stop_market" and order.trigger_price is None:
        return f"a stop on {name} needs a trigger price"
    if order.reduce_only and order.category == "spot":
        return f"{name} cannot be reduce-only; only linear orders can"
    value = order.quantity * (order.price or order.trigger_price or about_price)
    if not order.reduce_only and value < instrument.min_notional_usdt:
        return f"value {value:.2f} USDT of {name} is below the minimum {instrument.min_notional_usdt}"
    return None


class LeverageSetter:
    """Repeats the request until the exchange has accepted; accepted pairs are stored permanently."""

    def __init__(self, context: ExecutionContext) -> None:
        self._context = context
        self._pending: dict[str, str] = {}
        self._attempts: dict[str, int] = {}

    def begin(self) -> None:
        """Request every pair that is listed and not set to this leverage yet; a contract listed later follows when it
        is announced."""
        parameters = self._context.parameters
        for account in parameters.leverage_accounts:
            for symbol in parameters.leverage_symbols:
                pair = f"{account}:{symbol}"
                is_listed = (LINEAR, symbol) in self._context.instruments
                is_set = self._context.control.leverage.get(pair) == parameters.leverage
                if is_listed and not is_set and pair not in self._pending:
                    self._ask(pair, 0.0)

    def still_needed(self, pair: str, key: str) -> bool:
        """Whether a delayed request is still needed."""
        return self._pending.get(pair) == key

    def take_answer(self, pair: str, key: str, outcome: ExchangeResponse) -> None:
        """Setting the same leverage twice is harmless, so the request is repeated after a lost outcome."""
        if self._pending.get(pair) != key:
            return
        del self._pending[pair]
        context = self._context
        if isinstance(outcome, Accepted):
            context.control.leverage_set(pair, context.parameters.leverage)
            self._attempts.pop(pair, None)
            # The alert may be an earlier incarnation's; the end of one that is not open changes nothing.
            context.end_alert(f"leverage:{pair}", f"the exchange has set {context.parameters.leverage}")
            return
        attempts = self._attempts.get(pair, 0) + 1
        self._attempts[pair] = attempts
        is_final = isinstance(outcome, Refused) and outcome.fault != "transient"
        if is_final or attempts > len(context.parameters.retry_delays_s):
            context.alert(
                "warning",
                f"leverage of {pair} could not be set",
                f"Requested: {context.parameters.leverage}; the last response was {outcome.model_dump(mode='json')}. "
                "It is retried once a day and at the next start; check the account's settings.",
                f"leverage:{pair}",
            )
            self._attempts.pop(pair, None)
            return
        self._ask(pair, patience_s(context, attempts))

    def _ask(self, pair: str, delay_s: float) -> None:
        context = self._context
        account, _, symbol = pair.partition(":")
        key = other_key(Topic.LEVERAGE, pair, context.control.next("leverage_requests"))
        self._pending[pair] = key
        request = SetLeverage(symbol=symbol, leverage=context.parameters.leverage)
        context.call_exchange(key, Account(account), request, None, delay_s)
