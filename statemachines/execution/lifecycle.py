"""One step toward what an intent needs now, after the events of a step were applied; doing nothing is always safe.

Nothing is sent before the first reconciliation has ended (OR-9); then every intent is advanced once.
"""

from __future__ import annotations

from statemachines.execution import submission
from statemachines.execution.completion import decide_end, finish
from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.child_order import ChildOrder
from statemachines.execution.orders.child_order_machine import OrderState
from statemachines.execution.orders.parent_order import ParentOrder, stop_retry
from statemachines.execution.orders.request_keys import CANCEL_ANSWERED, CANCEL_UNANSWERED, Topic
from statemachines.execution.placement import place_next
from statemachines.execution.styles import maker_quotes, slicing, stops


def advance(context: ExecutionContext, parent: ParentOrder) -> None:
    """Converge: place, re-quote, cancel, protect, wait for executions, end."""
    if parent.is_ended:
        return
    context.touch(parent)
    if parent.needs_child:
        _without_order(context, parent)
        return
    order = parent.order
    if order is None:
        raise AssertionError(f"intent {parent.intent.intent_id} needs no order and has none; it must have ended")
    if order.state.is_terminal:
        if order.is_settled:
            decide_end(context, parent, order)
        else:
            _await_executions(context, parent, order)
    elif order.state is OrderState.SENT and parent.requests.is_retry_waiting:
        if parent.is_stopping:
            _drop_retry(context, parent, order)
    elif order.state is OrderState.UNKNOWN and parent.requests.is_absent:
        _after_absence(context, parent, order)
    elif order.state.is_resting:
        _resting(context, parent, order)


def due_ms(context: ExecutionContext, parent: ParentOrder) -> int | None:
    """When the intent must be advanced next; an instant in the past means now."""
    if parent.is_ended:
        return None
    found = []
    if parent.expires_ms is not None and not parent.is_stopping:
        found.append(parent.expires_ms)
    if parent.requests.check_ms is not None:
        found.append(parent.requests.check_ms)
    # Before the first reconciliation has ended nothing is sent: an instant that nothing answers would hold time still.
    slice_due = slicing.due_ms(parent) if parent.needs_child and context.is_started else None
    if parent.intent.style == "maker":
        due = maker_quotes.quote_due(context, parent)
        if due is not None:
            found.append(max(due, slice_due or due))
    elif slice_due is not None and not parent.is_stopping:
        found.append(slice_due)
    return min(found, default=None)


def on_due(context: ExecutionContext, parent: ParentOrder) -> None:
    """The intent's due time has come: it expires (CH-3 for maker orders), or its order is looked up; `advance` follows
    at the end of the step."""
    now_ms, requests, order = context.now_ms, parent.requests, parent.order
    context.touch(parent)
    if parent.expires_ms is not None and parent.expires_ms <= now_ms and not parent.is_stopping:
        parent.is_expired = True
        context.notes([parent.fire("expire", f"expired at {parent.expires_ms}", due_ms=parent.expires_ms)])
    if requests.check_ms is not None and requests.check_ms <= now_ms:
        requests.check_ms = None
        if order is not None:
            submission.look_up(context, parent, order, "no report of it has arrived on the stream")


def _without_order(context: ExecutionContext, parent: ParentOrder) -> None:
    if parent.withdrawn:
        finish(context, parent, "CANCELLED", f"withdrawn: {parent.withdrawn}")
    elif parent.is_expired:
        finish(context, parent, "EXPIRED", f"expired at {parent.expires_ms}")
    elif context.is_started:
        place_next(context, parent)


def _resting(context: ExecutionContext, parent: ParentOrder, order: ChildOrder) -> None:
    stops.announce_working(context, parent, order)
    if parent.requests.is_stuck or not context.is_started:
        return
    if parent.is_stopping:
        _cancel(context, parent, order, "expired" if parent.is_expired else "withdrawn")
    elif parent.filled + order.remaining > parent.quantity and not order.is_conditional:
        _cancel(context, parent, order, "resize")
    elif parent.intent.style == "maker":
        due = maker_quotes.quote_due(context, parent)
        if due is not None and due <= context.now_ms and not maker_quotes.requote(context, parent, order):
            _cancel(context, parent, order, "resize")
    elif parent.intent.style == "stop":
        stops.keep(context, parent, order)


def _cancel(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, cause: str) -> None:
    if Topic.CANCEL in parent.requests.pending:
        return
    tries = parent.requests.tries
    if tries.get(CANCEL_ANSWERED, 0) >= context.parameters.loop_limit:
        parent.requests.is_stuck = True
        context.request_halt(
            parent, order.client_order_id, f"order {order.client_order_id} cannot be cancelled and still rests"
        )
        return
    order.cancel_cause = "expired" if cause == "expired" else "resize" if cause == "resize" else "withdrawn"
    order.cancel_reason = _cancel_reason(parent, order)
    context.note(order.name, "cancel", f"{order.cancel_reason}: {order.remaining} {order.symbol} to be cancelled")
    context.notes([order.fire("request_cancel", cause, context.now_ms)])
    submission.cancel(context, parent, order, submission.pause_s(context, tries.get(CANCEL_UNANSWERED, 0)))


def _cancel_reason(parent: ParentOrder, order: ChildOrder) -> str:
    if order.cancel_cause == "expired":
        return f"expired at {parent.expires_ms}"
    if order.cancel_cause == "resize":
        return f"the remaining quantity is less than the {order.remaining} it still works"
    return f"withdrawn: {parent.withdrawn}"


def _await_executions(context: ExecutionContext, parent: ParentOrder, order: ChildOrder) -> None:
    """Terminal by status, but the exchange counts more executions than have arrived: wait, then look up."""
    requests = parent.requests
    if requests.check_ms is None and Topic.LOOK not in requests.pending and not requests.is_stuck:
        requests.check_ms = context.now_ms + context.parameters.settle_ms


def _drop_retry(context: ExecutionContext, parent: ParentOrder, order: ChildOrder) -> None:
    """Refused by the exchange and waiting to be resent: it exists nowhere, so it ends."""
    stop_retry(parent)
    order.end_reason = "its retry was abandoned"
    trigger = "expire" if parent.is_expired else "cancel"
    context.notes([order.fire(trigger, order.end_reason, context.now_ms)])
    decide_end(context, parent, order)


def _after_absence(context: ExecutionContext, parent: ParentOrder, order: ChildOrder) -> None:
    """The exchange never received the order: resend it under the same id (EX-4), or end it."""
    if not context.is_started and not parent.is_stopping:
        return
    age_ms = context.now_ms - order.created_ms
    is_stale = (
        order.style == "market"
        and submission.gate_of(parent.intent) is not None
        and age_ms > context.parameters.stale_market_order_ms
    )
    if parent.is_stopping:
        trigger, order.end_reason = ("expire" if parent.is_expired else "cancel"), "it never reached the exchange"
    elif is_stale:
        # A market order is a decision about the current price; sent late, it would be a different decision.
        trigger = "expire"
        order.end_reason = f"it never reached the exchange and the decision is {age_ms // 1000} s old"
    elif submission.place_again(context, parent, order, "the exchange never received it"):
        return
    else:
        # REJECTED requires a response of the exchange; there is none, and the order may still arrive.
        trigger, order.end_reason = "cancel", "it never reached the exchange and the retries are exhausted"
    parent.requests.is_absent = False
    context.notes([order.fire(trigger, order.end_reason, context.now_ms)])
    decide_end(context, parent, order)
