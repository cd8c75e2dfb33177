"""CH-3, EX-3: maker orders rest at the touch and follow it when it moves away, never beyond the approved limit."""

from __future__ import annotations

from decimal import Decimal

from statemachines.backoff import Backoff
from statemachines.execution import submission
from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.child_order import ZERO, ChildOrder
from statemachines.execution.orders.parent_order import ParentOrder
from statemachines.execution.orders.request_keys import Topic
from statemachines.requests import Quote
from statemachines.values import HOUR_MS, SECOND_MS, Instrument, Side

REQUOTE_LONGEST_S = HOUR_MS / SECOND_MS
"""Longest pause between attempts to move a resting order whose amendments fail."""


def touch_price(side: Side, quote: Quote, instrument: Instrument, limit: Decimal | None) -> Decimal:
    """CH-3: a buy at the best bid, a sell at the best ask, on the tick, never worse than `limit`."""
    if side is Side.BUY:
        return instrument.floor_price(quote.bid if limit is None else min(quote.bid, limit))
    return instrument.ceil_price(quote.ask if limit is None else max(quote.ask, limit))


def target_price(context: ExecutionContext, parent: ParentOrder) -> Decimal | None:
    """Where the order should rest now; None without a quote or an instrument."""
    intent = parent.intent
    market = (intent.category, intent.symbol)
    quote, instrument = context.quotes.get(market), context.instruments.get(market)
    if quote is None or instrument is None:
        return None
    return touch_price(intent.side, quote, instrument, parent.approved.price_limit)


def affordable(parent: ParentOrder, price: Decimal, instrument: Instrument) -> Decimal:
    """X2: the remaining quantity at `price`: a purchase never costs more than the amount it was sized for (its quantity
    at the intent's reference price), so at a higher price it buys less, in whole lots."""
    if parent.intent.side is Side.SELL:
        return parent.remaining
    if price <= 0:
        return ZERO
    budget = parent.quantity * parent.intent.reference_price - parent.cash
    return min(parent.remaining, instrument.floor_qty(max(budget, ZERO) / price))


def too_little(parent: ParentOrder, quantity: Decimal, price: Decimal) -> str:
    """Why the remainder is not quoted."""
    return f"the remaining amount buys {quantity} of {parent.remaining} at {price}, below the exchange's minimum order"


def quote_due(context: ExecutionContext, parent: ParentOrder) -> int | None:
    """When the maker order must be quoted or re-quoted; the instant may have passed. None for never."""
    target = target_price(context, parent)
    if target is None or parent.is_stopping or parent.requests.is_stuck or not context.is_started:
        return None
    if Topic.AMEND in parent.requests.pending:
        return None
    if parent.quoted_ms is None:
        return parent.approved_ms
    earliest = parent.quoted_ms + _pause_ms(context, parent)
    if parent.needs_child:
        return earliest
    order = parent.order
    return earliest if order is not None and _has_moved_away(order, target) else None


def _pause_ms(context: ExecutionContext, parent: ParentOrder) -> int:
    """CH-3: at most one quote every 30 s. X3: a quote refused for its price is repeated immediately the first time, and
    every 10 minutes after ten equal refusals; only its expiry, its engine or the operator ends it. An amendment that
    fails for another reason, or whose outcome is unknown, is repeated with growing pauses."""
    parameters, refusals = context.parameters, parent.price_refusals.failures
    failures = parent.amend_failures.failures
    if failures > refusals and not parent.needs_child:
        steps_s = (parameters.requote_interval_ms / SECOND_MS,)
        return round(Backoff(steps_s, REQUOTE_LONGEST_S).pause_s(failures) * SECOND_MS)
    if refusals == 1:
        return 0
    return parameters.requote_interval_ms if refusals < parameters.price_refusals else parameters.requote_slowly_ms


def _has_moved_away(order: ChildOrder, target: Decimal) -> bool:
    """Whether the touch has moved away from the order: above a buy, below a sell."""
    if not order.state.is_resting or order.price is None:
        return False
    return target > order.price if order.side is Side.BUY else target < order.price


def requote(context: ExecutionContext, parent: ParentOrder, order: ChildOrder) -> bool:
    """Move the resting order to the touch; the exchange keeps its id, so nothing can be duplicated.

    False when its remaining amount buys less than the exchange's minimum there: the order must be cancelled.
    """
    target = target_price(context, parent)
    if target is None or not _has_moved_away(order, target):
        return True
    instrument = context.instruments[(parent.intent.category, parent.intent.symbol)]
    quantity = affordable(parent, target, instrument)
    if not instrument.tradable(quantity, target):
        return False
    reason = f"the touch moved away from {order.price}: re-quoted at {target}"
    parent.quoted_ms = context.now_ms
    terms = {"price": target}
    if quantity < order.remaining:
        terms["quantity"] = order.filled_quantity + quantity
        reason += f" for {quantity} instead of {order.remaining}, within the amount it was sized for"
    order.set_amendment(terms)
    context.notes([order.fire("request_amend", reason, context.now_ms)])
    context.note(order.name, "requote", reason, price=str(target), limit=str(parent.approved.price_limit))
    submission.amend(context, parent, order)
    return True
