"""EX-4: responses to requests on orders: the consequences of a refusal, a lost outcome or an absent order.

After a transient refusal the order is resent under the same id after 1, 5 and 15 s (the exchange has stated that it
did not accept it); after a lost outcome or a duplicate id it is looked up first; missing funds and permanent errors
end it.
"""

from __future__ import annotations

from statemachines.backoff import Tries
from statemachines.execution import resurrected_orders, submission
from statemachines.execution.context import ExecutionContext
from statemachines.execution.fills import take_execution
from statemachines.execution.order_reports import apply_report
from statemachines.execution.orders.child_order import ChildOrder
from statemachines.execution.orders.child_order_machine import OrderState
from statemachines.execution.orders.parent_order import ParentOrder, ResurrectedOrder, stop_retry
from statemachines.execution.orders.report_checks import foreign_problem, row_problem, terms_of, terms_problem
from statemachines.execution.orders.request_keys import AMEND_ANSWERED, CANCEL_ANSWERED, CANCEL_UNANSWERED, Topic
from statemachines.execution.styles import stops
from statemachines.refusals import RefusalCause, cause_of, outcome_in_words
from statemachines.requests import (
    Accepted,
    Blocked,
    Dropped,
    ExchangeResponse,
    OrderAbsent,
    OrderFound,
    Refused,
    Unknown,
)

LOOK_UPS_TO_ACCEPT = 2


def take_answer(
    context: ExecutionContext, client_order_id: str, topic: Topic, key: str, outcome: ExchangeResponse
) -> None:
    """The outcome of a request on an order; one that is no longer awaited changes nothing."""
    parts = context.ours(client_order_id, "")
    parent = context.parents.get(parts.intent_id) if parts else None
    order = parent.order if parent else None
    if parent is None or order is None or order.client_order_id != client_order_id:
        context.remark(
            client_order_id, "late_answer", f"the outcome of {topic} is {outcome.kind}; the order is no longer held"
        )
        return
    context.touch(parent)
    if isinstance(outcome, Dropped):
        return
    if parent.requests.pending.get(topic) != key:
        text = f"the outcome of {topic} is {outcome.kind}; it is no longer awaited"
        context.remark(order.name, "late_answer", text)
        if topic is Topic.PLACE and isinstance(outcome, Accepted):
            _acknowledge(context, parent, order, outcome)
        return
    del parent.requests.pending[topic]
    if topic is Topic.PLACE:
        _on_place(context, parent, order, outcome)
    elif topic is Topic.CANCEL:
        _on_cancel(context, parent, order, outcome)
    elif topic is Topic.AMEND:
        _on_amend(context, parent, order, outcome)
    else:
        _on_look(context, parent, order, outcome)


def _acknowledge(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, outcome: Accepted) -> None:
    if order.venue_order_id and outcome.venue_order_id not in ("", order.venue_order_id):
        why = f"it was acknowledged as {outcome.venue_order_id} and reported as {order.venue_order_id}"
        context.reading_needed = f"order {order.client_order_id}: {why}"
        submission.look_up(context, parent, order, why)
    order.venue_order_id = order.venue_order_id or outcome.venue_order_id
    context.remember_venue_order_id(order)
    context.notes([order.fire("acknowledge", "the exchange accepted it", context.now_ms)])
    if parent.is_ended or order.state.is_terminal:
        if not order.is_ended_by_exchange:
            resurrected = ResurrectedOrder(order.account, order.category, order.symbol, order.is_conditional)
            resurrected_orders.cancel_by_id(
                context, order.client_order_id, resurrected, f"it ended here as {order.state}"
            )
    elif order.status is None or order.style == "market":
        parent.requests.check_ms = context.now_ms + context.parameters.in_flight_ms


def _on_place(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, outcome: ExchangeResponse) -> None:
    parent.requests.is_retry_waiting = False
    if isinstance(outcome, Accepted):
        _acknowledge(context, parent, order, outcome)
    elif isinstance(outcome, Refused):
        _refused(context, parent, order, outcome)
    elif isinstance(outcome, Blocked):
        order.end_reason = outcome.why
        context.notes([order.fire("block", outcome.why, context.now_ms)])
    elif order.state is OrderState.SENT:
        why = outcome.why if isinstance(outcome, Unknown) else f"the outcome is {outcome.kind}"
        context.notes([order.fire("lose", f"the outcome is not known: {why}", context.now_ms)])
        submission.look_up(context, parent, order, f"place: {why}")


def _refused(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, refused: Refused) -> None:
    why = f"refused with {refused.code}: {refused.message}"
    order.refusal, order.refusal_code = cause_of(refused.code, refused.fault), refused.code
    if order.state is not OrderState.SENT:
        context.remark(order.name, "late_refusal", f"{why}; the exchange has reported the order meanwhile")
        return
    if refused.fault == "transient":
        if parent.is_stopping or not submission.place_again(context, parent, order, why):
            _reject(context, order, f"{why}; not sent again")
        return
    if refused.fault == "duplicate":
        parent.requests.is_doubtful = True
        context.notes([order.fire("lose", f"{why}; the id exists, possibly for an order of ours", context.now_ms)])
        submission.look_up(context, parent, order, why)
        return
    _reject(context, order, why)
    if refused.fault == "funds":
        context.alert(
            "critical",
            f"insufficient funds on {order.account}",
            f"{order.side} {order.quantity} {order.category} {order.symbol} was {why}. It is not retried (EX-4); "
            "check the account's balance.",
            f"funds:{order.account}",
        )
    elif refused.fault == "halt":
        context.request_halt(parent, order.client_order_id, f"{order.account} may not trade: {why}")


def _reject(context: ExecutionContext, order: ChildOrder, why: str) -> None:
    order.end_reason = why
    context.notes([order.fire("refuse", why, context.now_ms)])


def _on_cancel(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, outcome: ExchangeResponse) -> None:
    if order.state.is_terminal:
        return
    requests = parent.requests
    if isinstance(outcome, Accepted) and not outcome.already:
        requests.again(CANCEL_ANSWERED)
        requests.check_ms = context.now_ms + context.parameters.in_flight_ms
        return
    if isinstance(outcome, Refused) and outcome.fault == "transient":
        repetitions = _count_unanswered_cancel(context, parent, order, outcome)
        if repetitions <= len(context.parameters.retry_delays_s):
            submission.cancel(context, parent, order, submission.patience_s(context, repetitions))
            return
    elif isinstance(outcome, Unknown):
        _count_unanswered_cancel(context, parent, order, outcome)
        if order.state is OrderState.PENDING_CANCEL:
            context.notes([order.fire("lose", f"the cancel's outcome is not known: {outcome.why}", context.now_ms)])
    else:
        requests.again(CANCEL_ANSWERED)
    submission.look_up(context, parent, order, f"the cancel's outcome is {outcome_in_words(outcome)}")


def _count_unanswered_cancel(
    context: ExecutionContext, parent: ParentOrder, order: ChildOrder, outcome: Refused | Unknown
) -> int:
    repetitions = parent.requests.again(CANCEL_UNANSWERED)
    if repetitions == context.parameters.loop_limit:
        context.alert(
            "critical",
            f"order of {order.account} cannot be cancelled yet",
            f"Order {order.client_order_id} is to be cancelled and {repetitions} cancels remained without effect "
            f"({outcome_in_words(outcome)}). The cancel is repeated until the order has ended; check the connection to "
            "the exchange.",
            f"cancel:{order.client_order_id}",
        )
    return repetitions


def _on_amend(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, outcome: ExchangeResponse) -> None:
    if order.state is not OrderState.PENDING_AMEND:
        return
    if isinstance(outcome, Accepted):
        parent.requests.again(AMEND_ANSWERED)
        parent.requests.check_ms = context.now_ms + context.parameters.in_flight_ms
        parent.price_refusals = parent.amend_failures = Tries()
        return
    parent.amend_failures = parent.amend_failures.failed(outcome.kind)
    if isinstance(outcome, Refused) and cause_of(outcome.code, outcome.fault) is RefusalCause.PRICE:
        parent.price_refusals = parent.price_refusals.failed(str(outcome.code))
    if (
        isinstance(outcome, Refused)
        and outcome.fault == "transient"
        and order.is_conditional
        and not parent.is_stopping
    ):
        repetitions = stops.count_unanswered(context, parent, order, outcome)
        if repetitions <= len(context.parameters.retry_delays_s):
            submission.amend(context, parent, order, submission.patience_s(context, repetitions))
            return
    if isinstance(outcome, Unknown):
        if order.is_conditional:
            stops.count_unanswered(context, parent, order, outcome)
        context.notes([order.fire("lose", f"the amendment's outcome is not known: {outcome.why}", context.now_ms)])
    elif isinstance(outcome, Refused) and order.is_conditional:
        stops.give_up_amendment(context, parent, order, outcome)
    # A refused re-quote needs no alert: the order rests where it was, or the look-up shows its end.
    submission.look_up(context, parent, order, f"the amendment's outcome is {outcome_in_words(outcome)}")


def _on_look(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, outcome: ExchangeResponse) -> None:
    requests = parent.requests
    if isinstance(outcome, OrderFound) and (problem := row_problem(outcome.report)):
        outcome = Unknown(why=f"the response contradicts itself: {problem}")
    if isinstance(outcome, OrderFound | OrderAbsent) and requests.tries.get("look", 0) >= context.parameters.loop_limit:
        context.end_alert(f"look-up:{order.client_order_id}", "the exchange has responded")
    if isinstance(outcome, OrderFound):
        requests.tries.pop("look", None)
        requests.tries.pop("absent", None)
        _found(context, parent, order, outcome)
    elif isinstance(outcome, OrderAbsent):
        requests.tries.pop("look", None)
        _absent(context, parent, order)
    else:
        repetitions = requests.again("look")
        if repetitions == context.parameters.loop_limit:
            context.alert(
                "critical",
                f"order of {order.account} cannot be looked up",
                f"Order {order.client_order_id} is {order.state} and {repetitions} look-ups have failed "
                f"({outcome_in_words(outcome)}). The look-up is repeated until it succeeds; check the "
                "connection to the exchange.",
                f"look-up:{order.client_order_id}",
            )
        submission.look_up(
            context,
            parent,
            order,
            f"the look-up's outcome is {outcome_in_words(outcome)}",
            submission.patience_s(context, repetitions),
        )


def _found(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, found: OrderFound) -> None:
    requests = parent.requests
    if (requests.is_doubtful or not order.is_seen) and not order.is_same_as(found.report):
        _foreign(context, parent, order, found)
        return
    if not _is_accepted(context, parent, order, found):
        return
    requests.is_doubtful = False
    stop_retry(parent)
    for execution in found.executions:
        take_execution(context, execution)
    apply_report(context, parent, order, found.report, looked_up=True)
    if order.state.is_terminal and not order.is_settled and not requests.is_stuck:
        repetitions = requests.again("settle")
        if repetitions > context.parameters.loop_limit:
            requests.is_stuck = True
            counted = (
                f"the exchange reports {order.reported_filled} executed, its executions sum to {order.filled_quantity}"
            )
            context.request_halt(
                parent, order.client_order_id, f"order {order.client_order_id} does not settle: {counted}"
            )
            return
        submission.look_up(
            context, parent, order, "executions are missing", submission.patience_s(context, repetitions)
        )


def _is_accepted(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, found: OrderFound) -> bool:
    """Whether the result of a look-up is accepted. An exchange id or terms other than ours are accepted only when a
    second look-up shows them too: then an earlier report was wrong, or the exchange has changed the order."""
    terms, requests = terms_of(order), parent.requests
    foreign, odd = foreign_problem(terms, found.report), terms_problem(terms, found.report)
    if not foreign and not odd:
        requests.tries.pop("contradiction", None)
        return True
    repetitions = requests.again("contradiction")
    if repetitions < LOOK_UPS_TO_ACCEPT:
        submission.look_up(
            context, parent, order, f"looked up: {foreign or odd}", submission.patience_s(context, repetitions)
        )
        return False
    requests.tries.pop("contradiction", None)
    if odd:
        context.request_halt(
            parent, order.client_order_id, f"order {order.client_order_id}: two look-ups confirm that its {odd}"
        )
    else:
        context.alert(
            "warning",
            f"order of {order.account} has another exchange id than reported before",
            f"Order {order.client_order_id}: {foreign}. The exchange has reported this repeatedly; its id is adopted.",
        )
    context.discard_venue_order_id(order)
    order.venue_order_id = found.report.venue_order_id
    return True


def _foreign(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, found: OrderFound) -> None:
    """The exchange has a different order under our id: two installations share a code, or the database is not ours."""
    theirs = f"{found.report.side} {found.report.quantity} {found.report.symbol} at {found.report.price}"
    ours = f"{order.side} {order.quantity} {order.symbol} at {order.price}"
    order.end_reason = f"client id {order.client_order_id} belongs to another order: {theirs}, ours was {ours}"
    context.notes([order.fire("reject", order.end_reason, context.now_ms)])
    context.request_halt(parent, order.client_order_id, order.end_reason)


def _absent(context: ExecutionContext, parent: ParentOrder, order: ChildOrder) -> None:
    requests = parent.requests
    if order.state.is_terminal:
        return
    if not order.is_seen:
        if order.state is OrderState.SENT:
            context.notes([order.fire("lose", "looked up and not found", context.now_ms)])
        requests.is_absent = True
        return
    repetitions = requests.again("absent")
    if repetitions < context.parameters.absences_to_believe:
        submission.look_up(
            context, parent, order, "seen before and now absent", submission.patience_s(context, repetitions + 1)
        )
        return
    why = f"the exchange no longer has a record of it ({repetitions} look-ups)"
    context.notes([order.vanish(why, context.now_ms)])
    context.alert(
        "critical",
        f"order of {order.account} has vanished",
        f"Order {order.client_order_id} ({order.side} {order.quantity} {order.symbol}) was seen before; "
        f"{why}. It counts as cancelled; if it reappears, it is cancelled.",
    )
