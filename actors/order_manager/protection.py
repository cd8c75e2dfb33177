"""TR-5, TR-6: stops held at the exchange: their confirmation, and their ratchet by amendment."""

from __future__ import annotations

from decimal import Decimal

from actors.order_manager import sending
from actors.order_manager.desk import Desk
from actors.order_manager.keys import Topic
from actors.order_manager.work import Work
from statemachines.backoff import Tries
from statemachines.messages import IntentWorking, MoveStop
from statemachines.order.order import Order
from statemachines.requests import VenueOrderStatus
from statemachines.values import Side


def tell_working(desk: Desk, work: Work, order: Order) -> None:
    """IntentWorking, once per confirmed shape of the order: the exchange has shown that it rests."""
    shape = f"{order.child}:{order.trigger_price}:{order.quantity if order.is_conditional else ''}"
    if not order.state.is_resting or order.style == "market" or shape == work.told:
        return
    if order.is_conditional and order.status is not VenueOrderStatus.UNTRIGGERED:
        return
    work.told = shape
    if work.price_refusals.failures >= desk.parameters.price_refusals:
        desk.calm(f"quote:{order.intent_id}", "the exchange took a quote")
    work.price_refusals = Tries()
    desk.touch(work)
    desk.send(
        IntentWorking(
            intent_id=order.intent_id,
            engine=order.engine,
            account=order.account,
            link_id=order.link_id,
            trigger_price=order.trigger_price,
            quantity=order.quantity,
        )
    )


def move_stop(desk: Desk, work: Work, body: MoveStop) -> None:
    """Take the new terms of a stop; they are carried out as soon as the order rests."""
    intent = work.intent
    if intent.style != "stop":
        desk.note(intent.intent_id, "move_stop", f"ignored: the intent is a {intent.style} order, not a stop")
        return
    if body.trigger_price is not None:
        work.trigger_price = _on_tick(desk, work, body.trigger_price)
    if body.quantity is not None:
        work.quantity = body.quantity
    work.requests.tries.pop("amend", None)
    desk.note(
        intent.intent_id,
        "move_stop",
        body.reason,
        trigger_price=str(work.trigger_price),
        quantity=str(work.quantity),
    )
    desk.touch(work)


def keep(desk: Desk, work: Work, order: Order) -> None:
    """Bring a resting stop to its wanted terms."""
    if order.status is not VenueOrderStatus.UNTRIGGERED or Topic.AMEND in work.requests.pending:
        return
    wanted: dict[str, Decimal] = {}
    if work.trigger_price is not None and work.trigger_price != order.trigger_price:
        wanted["trigger_price"] = work.trigger_price
    if work.quantity != order.quantity:
        wanted["quantity"] = work.quantity
    if not wanted:
        if work.requests.tries.pop("amend", None) is not None:
            desk.calm(f"stop-move:{order.intent_id}", f"it rests at {order.trigger_price} with {order.quantity}")
        return
    if work.requests.again("amend") > desk.parameters.loop_limit:
        _give_up(desk, work, order, wanted)
        return
    order.wish(wanted)
    terms = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in wanted.items())
    desk.notes([order.fire("request_amend", f"stop moved to {terms}", desk.now_ms)])
    sending.amend(desk, work, order)


def give_up_amendment(desk: Desk, work: Work, order: Order, why: str) -> None:
    """The exchange refuses the new terms for good: the stop stays where it is and everyone is told."""
    wanted = order.amended
    order.amended = {}
    _give_up(desk, work, order, wanted, why)


def _give_up(desk: Desk, work: Work, order: Order, wanted: dict[str, Decimal], why: str = "") -> None:
    terms = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in wanted.items())
    because = why or f"{desk.parameters.loop_limit} amendments changed nothing"
    work.trigger_price, work.quantity = order.trigger_price, order.quantity
    work.told = ""
    desk.alert(
        "critical",
        f"stop of {order.account} {order.symbol} could not be moved",
        f"Order {order.link_id} stays at trigger {order.trigger_price} with {order.quantity}; wanted {terms}: "
        f"{because}. Check the protection of the position.",
        f"stop-move:{order.intent_id}",
    )
    tell_working(desk, work, order)


def _on_tick(desk: Desk, work: Work, trigger: Decimal) -> Decimal:
    """On the tick, on the tighter side (TR-5): up for the stop of a long, down for that of a short."""
    instrument = desk.instruments.get((work.intent.category, work.intent.symbol))
    if instrument is None:
        return trigger
    return instrument.ceil_price(trigger) if work.intent.side is Side.SELL else instrument.floor_price(trigger)
