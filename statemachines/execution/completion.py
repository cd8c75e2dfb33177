"""The end of an intent: exactly one message, on evidence, with every execution included."""

from __future__ import annotations

from typing import Any, Literal

from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.child_order import ChildOrder
from statemachines.execution.orders.child_order_machine import OrderState
from statemachines.execution.orders.parent_order import ParentOrder
from statemachines.execution.orders.request_keys import CANCEL_UNANSWERED
from statemachines.execution.styles import maker_quotes, slicing
from statemachines.messages.orders import ORDER_CHECKS, IntentDone, IntentEnded, OrderDenied, OrderRejected
from statemachines.refusals import RefusalCause

Outcome = Literal["FILLED", "CANCELLED", "REJECTED", "EXPIRED", "DENIED"]

_TRIGGERS: dict[Outcome, str] = {
    "FILLED": "filled",
    "CANCELLED": "cancelled",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
    "DENIED": "denied",
}

_OUTCOMES: dict[OrderState, Outcome] = {
    OrderState.FILLED: "FILLED",
    OrderState.CANCELLED: "CANCELLED",
    OrderState.REJECTED: "REJECTED",
    OrderState.DENIED: "DENIED",
    OrderState.EXPIRED: "EXPIRED",
}


def finish(context: ExecutionContext, parent: ParentOrder, outcome: Outcome, reason: str) -> None:
    """End the intent and inform the engine and the risk manager."""
    intent = parent.intent
    parent.needs_child = False
    parent.requests.check_ms = None
    parent.ended_number = context.control.next("ended")
    context.parents.end(parent)
    context.touch(parent)
    average = parent.average_price
    text = f"{outcome}: filled {parent.filled} of {parent.quantity} {intent.symbol}"
    text += f" at an average of {average:.8f}" if average is not None else ""
    context.notes([parent.fire(_TRIGGERS[outcome], f"{text}; {reason}", filled=str(parent.filled))])
    context.send(_message(parent, outcome, reason))
    _alert_if_needed(context, parent, outcome, reason)


def _message(parent: ParentOrder, outcome: Outcome, reason: str) -> IntentEnded:
    """The message that ends the intent: our own refusal, the exchange's refusal, or the order's outcome."""
    intent, last = parent.intent, parent.order
    end: dict[str, Any] = {
        "intent_id": intent.intent_id,
        "engine": intent.engine,
        "filled_quantity": parent.filled,
        "average_price": parent.average_price,
        "retry_of": intent.retry_of,
    }
    if outcome == "DENIED":
        return OrderDenied(**end, reasons=(f"{ORDER_CHECKS}: {reason}",), checks=(ORDER_CHECKS,))
    end |= {
        "account": intent.account,
        "category": intent.category,
        "symbol": intent.symbol,
        "side": intent.side,
        "reason": reason,
    }
    if outcome == "REJECTED":
        refusal, code = (None, 0) if last is None else (last.refusal, last.refusal_code)
        return OrderRejected(**end, refusal=refusal, refusal_code=code)
    return IntentDone(**end, outcome=outcome)


def _alert_if_needed(context: ExecutionContext, parent: ParentOrder, outcome: Outcome, reason: str) -> None:
    intent = parent.intent
    if outcome == "FILLED" and not intent.reduce_only:
        context.end_alert(f"funds:{intent.account}", f"{intent.intent_id} was filled")
    if parent.price_refusals.failures >= context.parameters.price_refusals:
        context.end_alert(f"quote:{intent.intent_id}", f"it ended {outcome}")
    if intent.style == "stop":
        context.end_alert(f"stop-move:{intent.intent_id}", f"it ended {outcome}")
    if intent.style == "maker" and outcome == "EXPIRED":
        context.alert(
            "warning",
            f"maker order of {intent.engine} expired",
            f"{intent.side} {intent.symbol}: {parent.filled} of {parent.quantity} filled when it expired (CH-3).",
        )
    is_crossed = parent.order is not None and parent.order.refusal is RefusalCause.CROSSED  # its engine closes (T6)
    if intent.style == "stop" and outcome != "FILLED" and not parent.withdrawn and not is_crossed:
        context.alert(
            "critical",
            f"stop of {intent.account} {intent.symbol} is gone",
            f"{intent.intent_id} ended {outcome}: {reason}. {intent.engine} was informed; check the position's "
            "protection.",
        )


def decide_end(context: ExecutionContext, parent: ParentOrder, order: ChildOrder) -> None:
    """The current order has ended and is settled: the intent ends too, or a maker order quotes the remainder again."""
    if parent.requests.tries.get(CANCEL_UNANSWERED, 0) >= context.parameters.loop_limit:
        context.end_alert(f"cancel:{order.client_order_id}", f"the order is {order.state}")
    if parent.filled >= parent.quantity:
        finish(context, parent, "FILLED", f"completely executed in {order.child} order(s)")
    elif parent.withdrawn:
        finish(context, parent, "CANCELLED", f"withdrawn: {parent.withdrawn}")
    elif parent.is_expired:
        finish(context, parent, "EXPIRED", f"expired at {parent.expires_ms}")
    elif order.is_refused_for_price:
        parent.price_refusals = parent.price_refusals.failed(str(order.refusal_code or order.end_reason))
        if parent.price_refusals.failures == context.parameters.price_refusals:
            context.alert(
                "warning",
                f"quote of {parent.intent.engine} is refused for its price",
                f"{parent.intent.side} {parent.intent.symbol}: {order.end_reason}. It is quoted again every "
                f"{context.parameters.requote_slowly_ms // 60_000} minutes until it expires (X3); check the "
                "instrument's price band.",
                f"quote:{parent.intent.intent_id}",
            )
        _quote_rest(context, parent, order)
    elif order.cancel_cause == "resize" or _is_filled_short(parent, order) or slicing.continues(parent, order):
        _quote_rest(context, parent, order)
    elif order.state is OrderState.FILLED:
        finish(context, parent, "CANCELLED", f"the order of {order.quantity} is filled; nothing remains of it")
    else:
        finish(context, parent, _OUTCOMES[order.state], order.end_reason or order.state.value)


def _is_filled_short(parent: ParentOrder, order: ChildOrder) -> bool:
    """A maker child order was filled, but the intent's quantity is larger."""
    return parent.intent.style == "maker" and order.state is OrderState.FILLED


def _quote_rest(context: ExecutionContext, parent: ParentOrder, order: ChildOrder) -> None:
    """What remains waits for its next order: a maker's quote, or a slice."""
    intent = parent.intent
    instrument = context.instruments.get((intent.category, intent.symbol))
    price = maker_quotes.target_price(context, parent) or order.price or intent.reference_price
    quantity = parent.remaining
    if instrument is not None and intent.style == "maker":
        quantity = maker_quotes.affordable(parent, price, instrument)
    if instrument is not None and not instrument.tradable(quantity, price):
        finish(context, parent, "CANCELLED", maker_quotes.too_little(parent, quantity, price))
        return
    parent.needs_child = True
    text = f"{order.end_reason or order.state.value}: {parent.remaining} remains to be ordered"
    context.notes([parent.fire("quote_again", text, remaining=str(parent.remaining))])
    context.touch(parent)
