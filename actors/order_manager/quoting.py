"""CH-3, EX-3: maker orders rest at the touch, follow it when it moves away, never beyond the approved limit."""

from __future__ import annotations

from decimal import Decimal

from actors.order_manager import sending
from actors.order_manager.desk import Desk
from actors.order_manager.keys import Topic
from actors.order_manager.work import Work
from statemachines.backoff import Backoff
from statemachines.order.order import ZERO, Order
from statemachines.requests import Quote
from statemachines.values import HOUR_MS, SECOND_MS, Instrument, Side

REQUOTE_LONGEST_S = HOUR_MS / SECOND_MS
"""A resting order whose amendments fail is moved at least so often."""


def touch_price(side: Side, quote: Quote, instrument: Instrument, limit: Decimal | None) -> Decimal:
    """CH-3: a buy at the best bid, a sell at the best ask, on the tick, never worse than `limit`."""
    if side is Side.BUY:
        return instrument.floor_price(quote.bid if limit is None else min(quote.bid, limit))
    return instrument.ceil_price(quote.ask if limit is None else max(quote.ask, limit))


def wanted_price(desk: Desk, work: Work) -> Decimal | None:
    """Where the order should rest now; None without a quote or an instrument."""
    intent = work.intent
    market = (intent.category, intent.symbol)
    quote, instrument = desk.quotes.get(market), desk.instruments.get(market)
    if quote is None or instrument is None:
        return None
    return touch_price(intent.side, quote, instrument, work.approved.price_limit)


def affordable(work: Work, price: Decimal, instrument: Instrument) -> Decimal:
    """X2: what is left to do at `price`: a purchase never costs more than it was sized with (its quantity at the
    intent's reference price), so at a higher price it buys less, in whole lots."""
    if work.intent.side is Side.SELL:
        return work.remaining
    if price <= 0:
        return ZERO
    budget = work.quantity * work.intent.reference_price - work.cash
    return min(work.remaining, instrument.floor_qty(max(budget, ZERO) / price))


def too_little(work: Work, quantity: Decimal, price: Decimal) -> str:
    """Why the rest is not quoted."""
    return (
        f"what is left of it buys {quantity} at {price} ({work.remaining} wanted), below the exchange's minimum order"
    )


def quote_due(desk: Desk, work: Work) -> int | None:
    """When the maker order wants to be quoted or re-quoted; an instant that may have passed. None for never."""
    wanted = wanted_price(desk, work)
    if wanted is None or work.is_stopping or work.requests.is_stuck or not desk.is_started:
        return None
    if Topic.AMEND in work.requests.pending:
        return None
    if work.quoted_ms is None:
        return work.approved_ms
    earliest = work.quoted_ms + _pause_ms(desk, work)
    if work.wants_child:
        return earliest
    order = work.order
    return earliest if order is not None and _has_moved_away(order, wanted) else None


def _pause_ms(desk: Desk, work: Work) -> int:
    """CH-3: at most one quote every 30 s. X3: a quote refused for its price is repeated at once the first time, every
    10 minutes after ten equal refusals; nothing but its time, its engine or the operator ends it. An amendment that
    fails for another reason, or is not known to have been carried out, is repeated ever more rarely."""
    parameters, refusals = desk.parameters, work.price_refusals.failures
    failures = work.amend_failures.failures
    if failures > refusals and not work.wants_child:
        steps_s = (parameters.requote_interval_ms / SECOND_MS,)
        return round(Backoff(steps_s, REQUOTE_LONGEST_S).pause_s(failures) * SECOND_MS)
    if refusals == 1:
        return 0
    return parameters.requote_interval_ms if refusals < parameters.price_refusals else parameters.requote_slowly_ms


def _has_moved_away(order: Order, wanted: Decimal) -> bool:
    """Whether the touch left the order behind; below (above) a buy (sell) it is the touch itself."""
    if not order.state.is_resting or order.price is None:
        return False
    return wanted > order.price if order.side is Side.BUY else wanted < order.price


def requote(desk: Desk, work: Work, order: Order) -> bool:
    """Move the resting order to the touch; the exchange keeps its id, so nothing can be doubled.

    False when what is left of its amount buys less than the exchange's minimum there: the order has to go.
    """
    wanted = wanted_price(desk, work)
    if wanted is None or not _has_moved_away(order, wanted):
        return True
    instrument = desk.instruments[(work.intent.category, work.intent.symbol)]
    quantity = affordable(work, wanted, instrument)
    if not instrument.tradable(quantity, wanted):
        return False
    reason = f"the touch moved away from {order.price}: re-quoted at {wanted}"
    work.quoted_ms = desk.now_ms
    terms = {"price": wanted}
    if quantity < order.remaining:
        terms["quantity"] = order.executed + quantity
        reason += f" for {quantity} instead of {order.remaining}, within the amount it was sized with"
    order.wish(terms)
    desk.notes([order.fire("request_amend", reason, desk.now_ms)])
    desk.note(order.name, "requote", reason, price=str(wanted), limit=str(work.approved.price_limit))
    sending.amend(desk, work, order)
    return True
