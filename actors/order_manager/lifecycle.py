"""One step toward what an intent needs now, after the events of a step were taken; doing nothing is always safe.

Nothing is sent before the first reconciliation has ended (OR-9); the release then steps every intent once.
"""

from __future__ import annotations

from actors.order_manager import protection, quoting, sending
from actors.order_manager.desk import Desk
from actors.order_manager.ending import decide_end, finish
from actors.order_manager.keys import Topic
from actors.order_manager.placing import place_next
from actors.order_manager.work import Work, stop_retry
from statemachines.order.machine import OrderState
from statemachines.order.order import Order


def advance(desk: Desk, work: Work) -> None:
    """Converge: place, re-quote, cancel, protect, wait for executions, end."""
    if work.is_ended:
        return
    desk.touch(work)
    if work.wants_child:
        _without_order(desk, work)
        return
    order = work.order
    if order is None:
        raise AssertionError(f"intent {work.intent.intent_id} wants no order and has none; it must have ended")
    if order.state.is_terminal:
        if order.is_settled:
            decide_end(desk, work, order)
        else:
            _await_executions(desk, work, order)
    elif order.state is OrderState.SENT and work.requests.is_retry_waiting:
        if work.is_stopping:
            _drop_retry(desk, work, order)
    elif order.state is OrderState.UNKNOWN and work.requests.is_absent:
        _after_absence(desk, work, order)
    elif order.state.is_resting:
        _resting(desk, work, order)


def due_ms(desk: Desk, work: Work) -> int | None:
    """When the intent wants to be looked at next; an instant in the past means now."""
    if work.is_ended:
        return None
    found = []
    if work.expires_ms is not None and not work.is_stopping:
        found.append(work.expires_ms)
    if work.requests.check_ms is not None:
        found.append(work.requests.check_ms)
    if work.intent.style == "maker":
        due = quoting.quote_due(desk, work)
        if due is not None:
            found.append(due)
    return min(found, default=None)


def on_due(desk: Desk, work: Work) -> None:
    """The clock has reached the work's due time; `advance` follows at the end of the step."""
    now_ms, requests, order = desk.now_ms, work.requests, work.order
    desk.touch(work)
    if work.expires_ms is not None and work.expires_ms <= now_ms and not work.is_stopping:
        work.is_expired = True
        desk.note(work.intent.intent_id, "expire", f"its time is over at {work.expires_ms}")
    if requests.check_ms is not None and requests.check_ms <= now_ms:
        requests.check_ms = None
        if order is not None:
            sending.look_up(desk, work, order, "the stream is silent about it")


def _without_order(desk: Desk, work: Work) -> None:
    if work.withdrawn:
        finish(desk, work, "CANCELLED", f"withdrawn: {work.withdrawn}")
    elif work.is_expired:
        finish(desk, work, "EXPIRED", f"its time was over at {work.expires_ms}")
    elif desk.is_started:
        place_next(desk, work)


def _resting(desk: Desk, work: Work, order: Order) -> None:
    protection.tell_working(desk, work, order)
    if work.requests.is_stuck or not desk.is_started:
        return
    if work.is_stopping:
        _cancel(desk, work, order, "expired" if work.is_expired else "withdrawn")
    elif work.filled + order.remaining > work.quantity and not order.is_conditional:
        _cancel(desk, work, order, "resize")
    elif work.intent.style == "maker":
        due = quoting.quote_due(desk, work)
        if due is not None and due <= desk.now_ms and not quoting.requote(desk, work, order):
            _cancel(desk, work, order, "resize")
    elif work.intent.style == "stop":
        protection.keep(desk, work, order)


def _cancel(desk: Desk, work: Work, order: Order, cause: str) -> None:
    if Topic.CANCEL in work.requests.pending:
        return
    if work.requests.again("cancel") > desk.parameters.loop_limit:
        work.requests.is_stuck = True
        desk.request_halt(work, order.link_id, f"order {order.link_id} cannot be cancelled and still rests")
        return
    order.cancel_cause = "expired" if cause == "expired" else "resize" if cause == "resize" else "withdrawn"
    order.cancel_reason = _cancel_reason(work, order)
    desk.note(order.name, "cancel", f"{order.cancel_reason}: {order.remaining} {order.symbol} to be cancelled")
    desk.notes([order.fire("request_cancel", cause, desk.now_ms)])
    sending.cancel(desk, work, order)


def _cancel_reason(work: Work, order: Order) -> str:
    if order.cancel_cause == "expired":
        return f"its time was over at {work.expires_ms}"
    if order.cancel_cause == "resize":
        return f"less is left to do than the {order.remaining} it still works"
    return f"withdrawn: {work.withdrawn}"


def _await_executions(desk: Desk, work: Work, order: Order) -> None:
    """Terminal by status, but the exchange counts more executions than have come: wait, then look up."""
    requests = work.requests
    if requests.check_ms is None and Topic.LOOK not in requests.pending and not requests.is_stuck:
        requests.check_ms = desk.now_ms + desk.parameters.settle_ms


def _drop_retry(desk: Desk, work: Work, order: Order) -> None:
    """Refused by the exchange and waiting to be sent again: it is nowhere, so it simply ends."""
    stop_retry(work)
    order.end_reason = "its retry was given up"
    trigger = "expire" if work.is_expired else "cancel"
    desk.notes([order.fire(trigger, order.end_reason, desk.now_ms)])
    decide_end(desk, work, order)


def _after_absence(desk: Desk, work: Work, order: Order) -> None:
    """The exchange never had the order: send it again under the same id (EX-4), or end it."""
    if not desk.is_started and not work.is_stopping:
        return
    age_ms = desk.now_ms - order.created_ms
    is_stale = (
        order.style == "market"
        and sending.gate_of(work.intent) is not None
        and age_ms > desk.parameters.stale_market_order_ms
    )
    if work.is_stopping:
        trigger, order.end_reason = ("expire" if work.is_expired else "cancel"), "it never reached the exchange"
    elif is_stale:
        # A market order is a decision about this minute's price; a late one would be another decision.
        trigger = "expire"
        order.end_reason = f"it never reached the exchange and the decision is {age_ms // 1000} s old"
    elif sending.place_again(desk, work, order, "the exchange never had it"):
        return
    else:
        # REJECTED is the exchange's word; it has said nothing, and the order may still land.
        trigger, order.end_reason = "cancel", "it never reached the exchange and the retries are used up"
    work.requests.is_absent = False
    desk.notes([order.fire(trigger, order.end_reason, desk.now_ms)])
    decide_end(desk, work, order)
