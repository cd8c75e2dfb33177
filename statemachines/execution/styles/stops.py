"""TR-5, TR-6: stops held at the exchange: their confirmation, and their ratchet by amendment."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from statemachines.backoff import Tries
from statemachines.execution import submission
from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.child_order import ChildOrder
from statemachines.execution.orders.parent_order import ParentOrder
from statemachines.execution.orders.request_keys import AMEND_ANSWERED, AMEND_UNANSWERED, Topic
from statemachines.execution.styles import slicing
from statemachines.messages.orders import IntentWorking, MoveRefused, MoveStop
from statemachines.refusals import RefusalCause, cause_of, outcome_in_words
from statemachines.requests import Refused, Unknown, VenueOrderStatus
from statemachines.values import Side


def announce_working(context: ExecutionContext, parent: ParentOrder, order: ChildOrder) -> None:
    """Send IntentWorking, once per confirmed terms of the order: the exchange has reported that it rests."""
    shape = f"{order.child}:{order.trigger_price}:{order.quantity if order.is_conditional else ''}"
    if not order.state.is_resting or order.style == "market" or shape == parent.announced_shape:
        return
    if order.is_conditional and order.status is not VenueOrderStatus.UNTRIGGERED:
        return
    parent.announced_shape = shape
    if parent.price_refusals.failures >= context.parameters.price_refusals:
        context.end_alert(f"quote:{order.intent_id}", "the exchange accepted a quote")
    parent.price_refusals = Tries()
    context.touch(parent)
    context.send(
        IntentWorking(
            intent_id=order.intent_id,
            engine=order.engine,
            account=order.account,
            client_order_id=order.client_order_id,
            trigger_price=order.trigger_price,
            quantity=slicing.asked_quantity(parent, order),
        )
    )


def move_stop(context: ExecutionContext, parent: ParentOrder, body: MoveStop) -> None:
    """Store the new terms of a stop; they are applied as soon as the order rests."""
    intent = parent.intent
    if intent.style != "stop":
        context.note(intent.intent_id, "move_stop", f"ignored: the intent is a {intent.style} order, not a stop")
        return
    if body.trigger_price is not None:
        parent.trigger_price = _on_tick(context, parent, body.trigger_price)
    if body.quantity is not None:
        parent.quantity = body.quantity
    parent.requests.tries.pop(AMEND_ANSWERED, None)
    context.note(
        intent.intent_id,
        "move_stop",
        body.reason,
        trigger_price=str(parent.trigger_price),
        quantity=str(parent.quantity),
    )
    context.touch(parent)


def keep(context: ExecutionContext, parent: ParentOrder, order: ChildOrder) -> None:
    """Amend a resting stop to its target terms."""
    if order.status is not VenueOrderStatus.UNTRIGGERED or Topic.AMEND in parent.requests.pending:
        return
    tries, target = parent.requests.tries, dict[str, Decimal]()
    if parent.trigger_price is not None and parent.trigger_price != order.trigger_price:
        target["trigger_price"] = parent.trigger_price
    if (quantity := slicing.next_quantity(parent, parent.quantity)) != order.quantity:
        target["quantity"] = quantity
    if not target:
        counted = (tries.pop(AMEND_ANSWERED, None), tries.pop(AMEND_UNANSWERED, None))
        if counted != (None, None):
            context.end_alert(
                f"stop-move:{order.intent_id}", f"it rests at {order.trigger_price} with {order.quantity}"
            )
        return
    if tries.get(AMEND_ANSWERED, 0) >= context.parameters.loop_limit:
        _give_up(context, parent, order, target)
        return
    order.set_amendment(target)
    context.notes([order.fire("request_amend", f"stop moved to {_in_words(target)}", context.now_ms)])
    submission.amend(context, parent, order, submission.pause_s(context, tries.get(AMEND_UNANSWERED, 0)))


def count_unanswered(
    context: ExecutionContext, parent: ParentOrder, order: ChildOrder, outcome: Refused | Unknown
) -> int:
    """One more amendment whose outcome is not known, or which the exchange could not process; the number of them."""
    repetitions = parent.requests.again(AMEND_UNANSWERED)
    if repetitions == context.parameters.loop_limit:
        context.alert(
            "critical",
            f"stop of {order.account} {order.symbol} is not moved yet",
            f"Order {order.client_order_id} rests at trigger {order.trigger_price} with {order.quantity}; the target "
            f"is {_in_words(order.amended)}. {repetitions} amendments remained without effect "
            f"({outcome_in_words(outcome)}). The amendment is repeated until it "
            "succeeds; check the connection to the exchange.",
            f"stop-move:{order.intent_id}",
        )
    return repetitions


def give_up_amendment(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, refused: Refused) -> None:
    """The exchange permanently refuses the new terms: the stop stays where it is, and the engine and the operator are
    informed; of a trigger that the market has passed the engine alone, which then closes (T6)."""
    target, why = order.amended, outcome_in_words(refused)
    order.amended = {}
    cause = cause_of(refused.code, refused.fault)
    if cause is not RefusalCause.CROSSED:
        _give_up(context, parent, order, target, why)
        return
    trigger = target.get("trigger_price", order.trigger_price)
    context.note(order.name, "amend", f"the market has passed the trigger {trigger}: {why}")
    _stay(context, parent, order)
    if trigger is not None:
        context.send(MoveRefused(intent_id=order.intent_id, engine=order.engine, trigger_price=trigger, refusal=cause))


def _give_up(
    context: ExecutionContext, parent: ParentOrder, order: ChildOrder, target: dict[str, Decimal], why: str = ""
) -> None:
    because = why or f"{context.parameters.loop_limit} amendments changed nothing"
    context.alert(
        "critical",
        f"stop of {order.account} {order.symbol} could not be moved",
        f"Order {order.client_order_id} stays at trigger {order.trigger_price} with {order.quantity}; the target was "
        f"{_in_words(target)}: {because}. Check the protection of the position.",
        f"stop-move:{order.intent_id}",
    )
    _stay(context, parent, order)


def _stay(context: ExecutionContext, parent: ParentOrder, order: ChildOrder) -> None:
    """The stop keeps its terms, and the engine learns them."""
    parent.trigger_price, parent.quantity = order.trigger_price, order.quantity
    parent.announced_shape = ""
    announce_working(context, parent, order)


def _in_words(terms: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in terms.items())


def _on_tick(context: ExecutionContext, parent: ParentOrder, trigger: Decimal) -> Decimal:
    """On the tick, on the tighter side (TR-5): up for the stop of a long, down for that of a short."""
    instrument = context.instruments.get((parent.intent.category, parent.intent.symbol))
    if instrument is None:
        return trigger
    return instrument.ceil_price(trigger) if parent.intent.side is Side.SELL else instrument.floor_price(trigger)
