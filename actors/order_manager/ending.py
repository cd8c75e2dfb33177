"""The end of an intent: exactly one IntentDone, on evidence, with every execution accounted for."""

from __future__ import annotations

from typing import Literal

from actors.order_manager import quoting
from actors.order_manager.desk import Desk
from actors.order_manager.work import Work
from statemachines.messages import IntentDone
from statemachines.order.machine import OrderState
from statemachines.order.order import Order

Outcome = Literal["FILLED", "CANCELLED", "REJECTED", "EXPIRED", "DENIED"]

_OUTCOMES: dict[OrderState, Outcome] = {
    OrderState.FILLED: "FILLED",
    OrderState.CANCELLED: "CANCELLED",
    OrderState.REJECTED: "REJECTED",
    OrderState.DENIED: "DENIED",
    OrderState.EXPIRED: "EXPIRED",
}


def finish(desk: Desk, work: Work, outcome: Outcome, reason: str) -> None:
    """End the intent and tell the engine and the risk manager."""
    intent = work.intent
    work.outcome = outcome
    work.wants_child = False
    work.requests.check_ms = None
    work.ended_number = desk.control.next("ended")
    desk.works.end(work)
    desk.touch(work)
    average = work.average_price
    last = work.order
    text = f"{outcome}: filled {work.filled} of {work.quantity} {intent.symbol}"
    text += f" at an average of {average:.8f}" if average is not None else ""
    desk.note(intent.intent_id, "done", f"{text}; {reason}", outcome=outcome, filled=str(work.filled))
    desk.send(
        IntentDone(
            intent_id=intent.intent_id,
            engine=intent.engine,
            account=intent.account,
            category=intent.category,
            symbol=intent.symbol,
            side=intent.side,
            outcome=outcome,
            filled_quantity=work.filled,
            average_price=average,
            reason=reason,
            refusal=last.refusal if last is not None and outcome == "REJECTED" else None,
            refusal_code=last.refusal_code if last is not None and outcome == "REJECTED" else 0,
            retry_of=intent.retry_of,
        )
    )
    _alert_if_needed(desk, work, outcome, reason)


def _alert_if_needed(desk: Desk, work: Work, outcome: Outcome, reason: str) -> None:
    intent = work.intent
    if outcome == "FILLED" and not intent.reduce_only:
        desk.calm(f"funds:{intent.account}", f"{intent.intent_id} was filled")
    if work.price_refusals.failures >= desk.parameters.price_refusals:
        desk.calm(f"quote:{intent.intent_id}", f"it ended {outcome}")
    if intent.style == "maker" and outcome == "EXPIRED":
        desk.alert(
            "warning",
            f"maker order of {intent.engine} gave up",
            f"{intent.side} {intent.symbol}: {work.filled} of {work.quantity} filled when its time was over (CH-3).",
        )
    if intent.style == "stop" and outcome != "FILLED" and not work.withdrawn:
        desk.alert(
            "critical",
            f"stop of {intent.account} {intent.symbol} is gone",
            f"{intent.intent_id} ended {outcome}: {reason}. {intent.engine} was told; check the position's protection.",
        )


def decide_end(desk: Desk, work: Work, order: Order) -> None:
    """The current order has ended and is settled: the intent ends too, or a maker quotes what is left again."""
    if work.filled >= work.quantity:
        finish(desk, work, "FILLED", f"all of it executed in {order.child} order(s)")
    elif work.withdrawn:
        finish(desk, work, "CANCELLED", f"withdrawn: {work.withdrawn}")
    elif work.is_expired:
        finish(desk, work, "EXPIRED", f"its time was over at {work.expires_ms}")
    elif order.is_refused_for_price:
        work.price_refusals = work.price_refusals.failed(str(order.refusal_code or order.end_reason))
        if work.price_refusals.failures == desk.parameters.price_refusals:
            desk.alert(
                "warning",
                f"quote of {work.intent.engine} is refused for its price",
                f"{work.intent.side} {work.intent.symbol}: {order.end_reason}. It is quoted again every "
                f"{desk.parameters.requote_slowly_ms // 60_000} minutes until its time is over (X3); check the "
                "instrument's price band.",
                f"quote:{work.intent.intent_id}",
            )
        _quote_rest(desk, work, order)
    elif order.cancel_cause == "resize" or _is_filled_short(work, order):
        _quote_rest(desk, work, order)
    elif order.state is OrderState.FILLED:
        finish(desk, work, "CANCELLED", f"the order of {order.quantity} is filled; nothing is left of it")
    else:
        finish(desk, work, _OUTCOMES[order.state], order.end_reason or order.state.value)


def _is_filled_short(work: Work, order: Order) -> bool:
    """A maker child was filled, yet the intent wants more than that child carried."""
    return work.intent.style == "maker" and order.state is OrderState.FILLED


def _quote_rest(desk: Desk, work: Work, order: Order) -> None:
    intent = work.intent
    instrument = desk.instruments.get((intent.category, intent.symbol))
    price = quoting.wanted_price(desk, work) or order.price or intent.reference_price
    quantity = work.remaining if instrument is None else quoting.affordable(work, price, instrument)
    if instrument is not None and not instrument.tradable(quantity, price):
        finish(desk, work, "CANCELLED", quoting.too_little(work, quantity, price))
        return
    work.wants_child = True
    desk.note(
        order.name, "quote_again", f"{order.end_reason or order.state.value}: {work.remaining} to be quoted again"
    )
    desk.touch(work)
