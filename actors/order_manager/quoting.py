"""CH-3, EX-3: maker orders rest at the touch, follow it when it moves away, never beyond the approved limit."""

from __future__ import annotations

from decimal import Decimal

from actors.order_manager import sending
from actors.order_manager.desk import Desk
from actors.order_manager.keys import Topic
from actors.order_manager.work import Work
from statemachines.order.order import Order
from statemachines.requests import Quote
from statemachines.values import Instrument, Side


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


def quote_due(desk: Desk, work: Work) -> int | None:
    """When the maker order wants to be quoted or re-quoted; an instant that may have passed. None for never."""
    wanted = wanted_price(desk, work)
    if wanted is None or work.is_stopping or work.requests.is_stuck or not desk.is_started:
        return None
    if Topic.AMEND in work.requests.pending:
        return None
    if work.quoted_ms is None:
        return work.approved_ms
    earliest = work.quoted_ms + desk.parameters.requote_interval_ms
    if work.wants_child:
        return earliest
    order = work.order
    return earliest if order is not None and _has_moved_away(order, wanted) else None


def _has_moved_away(order: Order, wanted: Decimal) -> bool:
    """Whether the touch left the order behind; below (above) a buy (sell) it is the touch itself."""
    if not order.state.is_resting or order.price is None:
        return False
    return wanted > order.price if order.side is Side.BUY else wanted < order.price


def requote(desk: Desk, work: Work, order: Order) -> None:
    """Move the resting order to the touch; the exchange keeps its id, so nothing can be doubled."""
    wanted = wanted_price(desk, work)
    if wanted is None or not _has_moved_away(order, wanted):
        return
    reason = f"the touch moved away from {order.price}: re-quoted at {wanted}"
    work.quoted_ms = desk.now_ms
    order.amended = {"price": wanted}
    desk.notes([order.fire("request_amend", reason, desk.now_ms)])
    desk.note(order.name, "requote", reason, price=str(wanted), limit=str(work.approved.price_limit))
    sending.amend(desk, work, order)
