"""EX-4: answers to requests on orders: what a refusal, a loss or an absence leads to.

A refusal for a passing reason is sent again under the same id after 1, 5 and 15 s (the exchange said that it did
not take it); a lost outcome and a duplicate id are looked up first; missing funds and permanent errors end it.
"""

from __future__ import annotations

from actors.order_manager import protection, revenants, sending
from actors.order_manager.booking import take_execution
from actors.order_manager.desk import Desk
from actors.order_manager.keys import Topic
from actors.order_manager.reports import apply_report
from actors.order_manager.revenant import Revenant
from actors.order_manager.work import Work, stop_retry
from statemachines.backoff import Tries
from statemachines.order.judging import foreign_problem, row_problem, terms_of, terms_problem
from statemachines.order.machine import OrderState
from statemachines.order.order import Order
from statemachines.refusals import RefusalCause, cause_of
from statemachines.requests import Accepted, Blocked, Dropped, OrderAbsent, OrderFound, Outcome, Refused, Unknown

LOOK_UPS_TO_BELIEVE = 2


def take_answer(desk: Desk, link_id: str, topic: Topic, key: str, outcome: Outcome) -> None:
    """The outcome of a request on an order; one that is no longer awaited changes nothing."""
    parts = desk.ours(link_id, "")
    work = desk.works.get(parts.intent_id) if parts else None
    order = work.order if work else None
    if work is None or order is None or order.link_id != link_id:
        desk.remark(link_id, "late_answer", f"{topic} was answered {outcome.kind}; the order is no longer held")
        return
    desk.touch(work)
    if isinstance(outcome, Dropped):
        return
    if work.requests.pending.get(topic) != key:
        desk.remark(order.name, "late_answer", f"{topic} was answered {outcome.kind}, which nobody awaits any more")
        if topic is Topic.PLACE and isinstance(outcome, Accepted):
            _acknowledge(desk, work, order, outcome)
        return
    del work.requests.pending[topic]
    if topic is Topic.PLACE:
        _on_place(desk, work, order, outcome)
    elif topic is Topic.CANCEL:
        _on_cancel(desk, work, order, outcome)
    elif topic is Topic.AMEND:
        _on_amend(desk, work, order, outcome)
    else:
        _on_look(desk, work, order, outcome)


def _acknowledge(desk: Desk, work: Work, order: Order, outcome: Accepted) -> None:
    if order.exchange_id and outcome.exchange_id not in ("", order.exchange_id):
        why = f"it was acknowledged as {outcome.exchange_id} and shown as {order.exchange_id}"
        desk.reading_wanted = f"order {order.link_id}: {why}"
        sending.look_up(desk, work, order, why)
    order.exchange_id = order.exchange_id or outcome.exchange_id
    desk.remember_exchange_id(order)
    desk.notes([order.fire("acknowledge", "the exchange took it", desk.now_ms)])
    if work.is_ended or order.state.is_terminal:
        if not order.is_ended_by_exchange:
            revenant = Revenant(order.account, order.category, order.symbol, order.is_conditional)
            revenants.cancel_by_id(desk, order.link_id, revenant, f"it ended here as {order.state}")
    elif order.status is None or order.style == "market":
        work.requests.check_ms = desk.now_ms + desk.parameters.in_flight_ms


def _on_place(desk: Desk, work: Work, order: Order, outcome: Outcome) -> None:
    work.requests.is_retry_waiting = False
    if isinstance(outcome, Accepted):
        _acknowledge(desk, work, order, outcome)
    elif isinstance(outcome, Refused):
        _refused(desk, work, order, outcome)
    elif isinstance(outcome, Blocked):
        order.end_reason = outcome.why
        desk.notes([order.fire("block", outcome.why, desk.now_ms)])
    elif order.state is OrderState.SENT:
        why = outcome.why if isinstance(outcome, Unknown) else f"answered {outcome.kind}"
        desk.notes([order.fire("lose", f"the outcome is not known: {why}", desk.now_ms)])
        sending.look_up(desk, work, order, f"place: {why}")


def _refused(desk: Desk, work: Work, order: Order, refused: Refused) -> None:
    why = f"refused with {refused.code}: {refused.message}"
    order.refusal, order.refusal_code = cause_of(refused.code, refused.fault), refused.code
    if order.state is not OrderState.SENT:
        desk.remark(order.name, "late_refusal", f"{why}; the exchange has shown the order meanwhile")
        return
    if refused.fault == "transient":
        if work.is_stopping or not sending.place_again(desk, work, order, why):
            _reject(desk, order, f"{why}; not sent again")
        return
    if refused.fault == "duplicate":
        work.requests.is_doubtful = True
        desk.notes([order.fire("lose", f"{why}; the id exists: is it ours?", desk.now_ms)])
        sending.look_up(desk, work, order, why)
        return
    _reject(desk, order, why)
    if refused.fault == "funds":
        desk.alert(
            "critical",
            f"insufficient funds on {order.account}",
            f"{order.side} {order.quantity} {order.category} {order.symbol} was {why}. It is not tried again (EX-4); "
            "check the account's balance.",
            f"funds:{order.account}",
        )
    elif refused.fault == "halt":
        desk.request_halt(work, order.link_id, f"{order.account} may not trade: {why}")


def _reject(desk: Desk, order: Order, why: str) -> None:
    order.end_reason = why
    desk.notes([order.fire("refuse", why, desk.now_ms)])


def _on_cancel(desk: Desk, work: Work, order: Order, outcome: Outcome) -> None:
    if order.state.is_terminal:
        return
    if isinstance(outcome, Accepted) and not outcome.already:
        work.requests.check_ms = desk.now_ms + desk.parameters.in_flight_ms
        return
    if isinstance(outcome, Refused) and outcome.fault == "transient":
        repetitions = work.requests.again("cancel_refused")
        if repetitions <= len(desk.parameters.retry_delays_s):
            sending.cancel(desk, work, order, sending.patience_s(desk, repetitions))
            return
    if isinstance(outcome, Unknown) and order.state is OrderState.PENDING_CANCEL:
        desk.notes([order.fire("lose", f"the cancel's outcome is not known: {outcome.why}", desk.now_ms)])
    sending.look_up(desk, work, order, f"cancel was answered {_told(outcome)}")


def _on_amend(desk: Desk, work: Work, order: Order, outcome: Outcome) -> None:
    if order.state is not OrderState.PENDING_AMEND:
        return
    if isinstance(outcome, Accepted):
        work.requests.check_ms = desk.now_ms + desk.parameters.in_flight_ms
        work.price_refusals = work.amend_failures = Tries()
        return
    work.amend_failures = work.amend_failures.failed(outcome.kind)
    if isinstance(outcome, Refused) and cause_of(outcome.code, outcome.fault) is RefusalCause.PRICE:
        work.price_refusals = work.price_refusals.failed(str(outcome.code))
    if isinstance(outcome, Refused) and outcome.fault == "transient" and order.is_conditional and not work.is_stopping:
        repetitions = work.requests.again("amend_refused")
        if repetitions <= len(desk.parameters.retry_delays_s):
            sending.amend(desk, work, order, sending.patience_s(desk, repetitions))
            return
    if isinstance(outcome, Unknown):
        desk.notes([order.fire("lose", f"the amendment's outcome is not known: {outcome.why}", desk.now_ms)])
    elif isinstance(outcome, Refused) and order.is_conditional:
        protection.give_up_amendment(desk, work, order, _told(outcome))
    # A refused re-quote needs no alarm: the order rests where it was, or the look-up shows its end.
    sending.look_up(desk, work, order, f"amendment was answered {_told(outcome)}")


def _on_look(desk: Desk, work: Work, order: Order, outcome: Outcome) -> None:
    requests = work.requests
    if isinstance(outcome, OrderFound) and (problem := row_problem(outcome.report)):
        outcome = Unknown(why=f"the answer contradicts itself: {problem}")
    if isinstance(outcome, OrderFound | OrderAbsent) and requests.tries.get("look", 0) >= desk.parameters.loop_limit:
        desk.calm(f"look-up:{order.link_id}", "the exchange has answered")
    if isinstance(outcome, OrderFound):
        requests.tries.pop("look", None)
        requests.tries.pop("absent", None)
        _found(desk, work, order, outcome)
    elif isinstance(outcome, OrderAbsent):
        requests.tries.pop("look", None)
        _absent(desk, work, order)
    else:
        repetitions = requests.again("look")
        if repetitions == desk.parameters.loop_limit:
            desk.alert(
                "critical",
                f"order of {order.account} cannot be looked up",
                f"Order {order.link_id} is {order.state} and the exchange has not answered {repetitions} look-ups "
                f"({_told(outcome)}). It is asked again until it answers; check the connection to the exchange.",
                f"look-up:{order.link_id}",
            )
        sending.look_up(desk, work, order, f"look-up was {_told(outcome)}", sending.patience_s(desk, repetitions))


def _found(desk: Desk, work: Work, order: Order, found: OrderFound) -> None:
    requests = work.requests
    if (requests.is_doubtful or not order.is_seen) and not order.is_same_as(found.report):
        _foreign(desk, work, order, found)
        return
    if not _is_believed(desk, work, order, found):
        return
    requests.is_doubtful = False
    stop_retry(work)
    for execution in found.executions:
        take_execution(desk, execution)
    apply_report(desk, work, order, found.report, looked_up=True)
    if order.state.is_terminal and not order.is_settled and not requests.is_stuck:
        repetitions = requests.again("settle")
        if repetitions > desk.parameters.loop_limit:
            requests.is_stuck = True
            counted = f"the exchange counts {order.reported_executed} executed, its executions make up {order.executed}"
            desk.request_halt(work, order.link_id, f"order {order.link_id} does not settle: {counted}")
            return
        sending.look_up(desk, work, order, "executions are missing", sending.patience_s(desk, repetitions))


def _is_believed(desk: Desk, work: Work, order: Order, found: OrderFound) -> bool:
    """Whether what a look-up shows is to be taken. Another exchange id or other terms than ours are believed when a
    second look-up shows them too: then a report has deceived us before, or the exchange has changed the order."""
    terms, requests = terms_of(order), work.requests
    foreign, odd = foreign_problem(terms, found.report), terms_problem(terms, found.report)
    if not foreign and not odd:
        requests.tries.pop("contradiction", None)
        return True
    seen = requests.again("contradiction")
    if seen < LOOK_UPS_TO_BELIEVE:
        sending.look_up(desk, work, order, f"looked up: {foreign or odd}", sending.patience_s(desk, seen))
        return False
    requests.tries.pop("contradiction", None)
    if odd:
        desk.request_halt(work, order.link_id, f"order {order.link_id}: the exchange insists that its {odd}")
    else:
        desk.alert(
            "warning",
            f"order of {order.account} has another id than was told",
            f"Order {order.link_id}: {foreign}. The exchange shows it so again and again; its id is taken over.",
        )
    desk.forget_exchange_id(order)
    order.exchange_id = found.report.exchange_id
    return True


def _foreign(desk: Desk, work: Work, order: Order, found: OrderFound) -> None:
    """The exchange has another order under our id: two installations share a name, or the database is not ours."""
    theirs = f"{found.report.side} {found.report.quantity} {found.report.symbol} at {found.report.price}"
    ours = f"{order.side} {order.quantity} {order.symbol} at {order.price}"
    order.end_reason = f"client id {order.link_id} belongs to another order: {theirs}, ours was {ours}"
    desk.notes([order.fire("reject", order.end_reason, desk.now_ms)])
    desk.request_halt(work, order.link_id, order.end_reason)


def _absent(desk: Desk, work: Work, order: Order) -> None:
    requests = work.requests
    if order.state.is_terminal:
        return
    if not order.is_seen:
        if order.state is OrderState.SENT:
            desk.notes([order.fire("lose", "looked up and not found", desk.now_ms)])
        requests.is_absent = True
        return
    repetitions = requests.again("absent")
    if repetitions < desk.parameters.absences_to_believe:
        sending.look_up(desk, work, order, "seen before and absent now", sending.patience_s(desk, repetitions + 1))
        return
    why = f"the exchange has no record of it any more ({repetitions} look-ups)"
    desk.notes([order.vanish(why, desk.now_ms)])
    desk.alert(
        "critical",
        f"order of {order.account} has vanished",
        f"Order {order.link_id} ({order.side} {order.quantity} {order.symbol}) was seen before; {why}. It counts as "
        "cancelled; should it appear again, it is cancelled.",
    )


def _told(outcome: Outcome) -> str:
    if isinstance(outcome, Refused):
        return f"refused with {outcome.code}: {outcome.message}"
    if isinstance(outcome, Unknown | Blocked):
        return f"{outcome.kind}: {outcome.why}"
    return outcome.kind
