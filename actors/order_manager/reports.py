"""Order reports, from the stream or a reading: status only, idempotent, in any order (EX-2)."""

from __future__ import annotations

from actors.order_manager import doubts, revenants
from actors.order_manager.desk import EXTERNAL, Desk
from actors.order_manager.work import Work, stop_retry
from statemachines.facts import OrderFact
from statemachines.order.identity import LinkParts
from statemachines.order.order import Order
from statemachines.requests import OrderReport, VenueOrderStatus


def take_order(desk: Desk, report: OrderReport) -> None:
    """A row of the order stream."""
    parts = desk.ours(report.link_id, report.exchange_id)
    if parts is None:
        adopt_external(desk, report)
        return
    take_own(desk, parts, report)


def take_own(desk: Desk, parts: LinkParts, report: OrderReport) -> None:
    """A report of an order that carries our id, from the stream or a reading, whether or not it is still held here."""
    problem = doubts.order_problem(desk, report)
    if problem:
        doubts.refuse_order(desk, report, problem)
        return
    work = desk.works.get(parts.intent_id)
    order = work.order if work else None
    if report.status.is_final:
        revenants.ended(desk, report.link_id)
    if work is not None and order is not None and order.child == parts.child:
        apply_report(desk, work, order, report)
        return
    name = f"{parts.intent_id}/{parts.child}"
    if not report.status.is_final and (work is None or parts.child in work.unproven):
        why = "its intent ended long ago" if work is None else f"its intent has gone on to {order and order.link_id}"
        revenants.cancel(desk, report, why)
        return
    desk.remark(name, "late_report", f"{report.status.value}: the order is no longer held; nothing changes")


def apply_report(desk: Desk, work: Work, order: Order, report: OrderReport, *, looked_up: bool = False) -> None:
    """A report on the intent's current order; `looked_up` when it answers a look-up or a reading."""
    stop_retry(work)
    desk.notes(order.take_report(report, desk.now_ms, looked_up=looked_up))
    desk.remember_exchange_id(order)
    desk.touch(work)
    requests = work.requests
    requests.is_absent = False
    if work.is_ended or order.state.is_terminal:
        if not report.status.is_final and not order.is_ended_by_exchange:
            revenants.cancel(desk, report, f"it ended here as {order.state}")
    elif looked_up or order.state.is_resting:
        requests.check_ms = desk.now_ms + desk.parameters.in_flight_ms if _is_passing(order) else None


def shown_alive(desk: Desk, report: OrderReport) -> None:
    """A reading shows the order open. One whose end the exchange has told is cancelled when a second reading shows it
    too: the end was not true, nobody wants the order any more, and it must not fill unseen."""
    parts = desk.ours(report.link_id, report.exchange_id)
    if parts is None or report.status.is_final or report.link_id in desk.revenants:
        return
    work = desk.works.get(parts.intent_id)
    order = work.order if work else None
    if order is not None and order.child == parts.child and not order.state.is_terminal:
        return
    alive = desk.books[report.account].alive_after_end
    if report.link_id in alive:
        told = (
            f"the exchange told its end ({order.end_reason or order.state})" if order else "the exchange told its end"
        )
        revenants.cancel(desk, report, f"{told} before")
    else:
        alive.add(report.link_id)
        desk.remark(f"{parts.intent_id}/{parts.child}", "alive_after_end", "a reading shows it open after its end")


def _is_passing(order: Order) -> bool:
    """An order that cannot stay as it is: a market order, or a stop that was triggered."""
    return order.style == "market" or (order.is_conditional and order.status is not VenueOrderStatus.UNTRIGGERED)


def adopt_external(desk: Desk, report: OrderReport) -> bool:
    """An order that nobody here placed: recorded and reported once, never traded against. True at first sight."""
    books = desk.books[report.account]
    is_new = report.exchange_id not in books.external_orders
    if report.status.is_final:
        if not is_new:
            books.external_orders.discard(report.exchange_id)
            books.is_dirty = True
            _record_external(desk, report)
        return False
    if is_new:
        books.external_orders.add(report.exchange_id)
        books.is_dirty = True
        _record_external(desk, report)
        desk.alert(
            "warning",
            f"unknown order on {report.account}",
            f"{report.side} {report.quantity} {report.category} {report.symbol} ({report.exchange_id}) was not placed "
            "by this system; it is left alone and its executions are booked as EXTERNAL. Find out who placed it.",
        )
    return is_new


def _record_external(desk: Desk, report: OrderReport) -> None:
    desk.record(
        OrderFact(
            link_id=f"external:{report.exchange_id}",
            intent_id="",
            engine=EXTERNAL,
            account=report.account,
            category=report.category,
            symbol=report.symbol,
            side=report.side,
            order_type=EXTERNAL,
            quantity=report.quantity,
            price=report.price,
            trigger_price=report.trigger_price,
            reduce_only=report.reduce_only,
            state=report.status.value,
            exchange_id=report.exchange_id,
            executed_quantity=report.executed_quantity,
            average_price=report.average_price,
            reason=f"client id {report.link_id!r} is not ours",
            created_ms=report.created_ms,
            updated_ms=report.updated_ms,
            trace="",
        )
    )
