"""The next order of an intent: its terms within the approved bounds, validated, recorded, sent (EX-1, EX-3, EX-5)."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from actors.order_manager import quoting, sending
from actors.order_manager.desk import Desk
from actors.order_manager.ending import finish
from actors.order_manager.validation import filter_problem
from actors.order_manager.work import Work
from statemachines.plausibility import filters_problem
from statemachines.values import Side


def place_next(desk: Desk, work: Work) -> None:
    """Send the next child if its time has come; a violated filter or bound ends the intent as DENIED."""
    intent = work.intent
    price: Decimal | None = None
    slippage: Decimal | None = None
    problem: str | None = None
    quantity = work.remaining
    instrument = desk.instruments.get((intent.category, intent.symbol))
    if instrument is not None and (why := filters_problem(instrument, intent.reference_price)):
        _impossible(desk, work, why)
        return
    if intent.style == "maker":
        due = quoting.quote_due(desk, work)
        price = quoting.wanted_price(desk, work)
        if due is None or due > desk.now_ms or price is None:
            return
        if instrument is not None:
            quantity = quoting.affordable(work, price, instrument)
            if quantity < work.remaining and not instrument.tradable(quantity, price):
                finish(desk, work, "CANCELLED", quoting.too_little(work, quantity, price))
                return
        work.quoted_ms = desk.now_ms
    elif intent.style == "market":
        slippage, problem = market_slippage(desk, work)
    order = sending.next_order(desk, work, quantity, price, slippage)
    problem = problem or filter_problem(order, instrument, intent.reference_price)
    if problem is not None:
        order.end_reason = problem
        desk.notes([order.fire("deny", problem, desk.now_ms)])
        finish(desk, work, "DENIED", problem)
        return
    desk.notes([order.fire("validate", "the instrument's filters allow it", desk.now_ms)])
    terms = f" at {price}" if price else f" with trigger {order.trigger_price}" if order.trigger_price else ""
    desk.note(
        order.name,
        "place",
        f"{order.style} {order.side} {order.quantity} {order.category} {order.symbol}{terms}: {intent.reason}",
        quantity=str(order.quantity),
        price=str(price),
        trigger_price=str(order.trigger_price),
        slippage_limit=str(slippage),
        price_limit=str(work.approved.price_limit),
    )
    sending.place(desk, work, order)


def _impossible(desk: Desk, work: Work, why: str) -> None:
    """The exchange's filters allow no order at all: the intent ends, and a person has to look."""
    intent = work.intent
    finish(desk, work, "DENIED", f"filters of {intent.category} {intent.symbol}: {why}")
    desk.alert(
        "critical",
        f"no order of {intent.symbol} can be made",
        f"{intent.side} {work.remaining} {intent.category} {intent.symbol} of {intent.engine} was not sent: the "
        f"exchange's filters contradict the market ({why}). Check what the exchange tells of the instrument.",
    )


def market_slippage(desk: Desk, work: Work) -> tuple[Decimal | None, str | None]:
    """EX-3: the slippage limit of an urgent order, at most 0.5 %, narrowed so that no fill passes the approved
    price limit; a problem when the market is already beyond it. Orders that reduce risk are never refused for it.
    """
    parameters, approved, intent = desk.parameters, work.approved, work.intent
    slippage = min(approved.slippage_limit, parameters.max_slippage)
    quote = desk.quotes.get((intent.category, intent.symbol))
    limit = approved.price_limit
    if limit is not None and quote is not None and sending.gate_of(intent) is not None:
        room = limit / quote.ask - 1 if intent.side is Side.BUY else 1 - limit / quote.bid
        slippage = min(slippage, room).quantize(parameters.min_slippage, rounding=ROUND_DOWN)
        if slippage < parameters.min_slippage:
            best = quote.ask if intent.side is Side.BUY else quote.bid
            return None, f"the market at {best} leaves no room to the price limit {limit} of {intent.symbol}"
    return slippage, None
