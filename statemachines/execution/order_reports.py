"""Order reports, from the stream or a reading: status only, idempotent, in any order (EX-2)."""

from __future__ import annotations

from statemachines.execution import resurrected_orders, suspect_reports
from statemachines.execution.context import EXTERNAL, ExecutionContext
from statemachines.execution.orders.child_order import ChildOrder
from statemachines.execution.orders.order_ids import ClientOrderIdParts
from statemachines.execution.orders.parent_order import ParentOrder, stop_retry
from statemachines.facts import OrderFact
from statemachines.requests import OrderReport, VenueOrderStatus


def take_order(context: ExecutionContext, report: OrderReport) -> None:
    """A row of the order stream."""
    parts = context.ours(report.client_order_id, report.venue_order_id)
    if parts is None:
        adopt_external(context, report)
        return
    take_own(context, parts, report)


def take_own(context: ExecutionContext, parts: ClientOrderIdParts, report: OrderReport) -> None:
    """A report of an order with our id, from the stream or a reading, whether or not the order is still held here."""
    problem = suspect_reports.order_problem(context, report)
    if problem:
        suspect_reports.refuse_order(context, report, problem)
        return
    parent = context.parents.get(parts.intent_id)
    order = parent.order if parent else None
    if report.status.is_final:
        resurrected_orders.ended(context, report.client_order_id)
    if parent is not None and order is not None and order.child == parts.child:
        apply_report(context, parent, order, report)
        return
    name = f"{parts.intent_id}/{parts.child}"
    if not report.status.is_final and (parent is None or parts.child in parent.unproven):
        why = (
            "its intent ended long ago"
            if parent is None
            else f"its intent has continued with {order and order.client_order_id}"
        )
        resurrected_orders.cancel(context, report, why)
        return
    context.remark(name, "late_report", f"{report.status.value}: the order is no longer held; nothing changes")


def apply_report(
    context: ExecutionContext, parent: ParentOrder, order: ChildOrder, report: OrderReport, *, looked_up: bool = False
) -> None:
    """A report on the intent's current order; `looked_up` when it comes from a look-up or a reading."""
    stop_retry(parent)
    context.notes(order.take_report(report, context.now_ms, looked_up=looked_up))
    context.remember_venue_order_id(order)
    context.touch(parent)
    requests = parent.requests
    requests.is_absent = False
    if parent.is_ended or order.state.is_terminal:
        if not report.status.is_final and not order.is_ended_by_exchange:
            resurrected_orders.cancel(context, report, f"it ended here as {order.state}")
    elif looked_up or order.state.is_resting:
        requests.check_ms = context.now_ms + context.parameters.in_flight_ms if _is_passing(order) else None


def shown_alive(context: ExecutionContext, report: OrderReport) -> None:
    """A reading shows the order open. If the exchange has already reported its end, it is cancelled when a second
    reading also shows it: the reported end was wrong, the order is no longer needed, and it must not fill unnoticed."""
    parts = context.ours(report.client_order_id, report.venue_order_id)
    if parts is None or report.status.is_final or report.client_order_id in context.resurrected:
        return
    parent = context.parents.get(parts.intent_id)
    order = parent.order if parent else None
    if order is not None and order.child == parts.child and not order.state.is_terminal:
        return
    alive = context.books[report.account].alive_after_end
    if report.client_order_id in alive:
        ended_as = f" ({order.end_reason or order.state})" if order else ""
        resurrected_orders.cancel(context, report, f"the exchange reported its end{ended_as} before")
    else:
        alive.add(report.client_order_id)
        context.remark(f"{parts.intent_id}/{parts.child}", "alive_after_end", "a reading shows it open after its end")


def _is_passing(order: ChildOrder) -> bool:
    """An order in a transient state: a market order, or a stop that was triggered."""
    return order.style == "market" or (order.is_conditional and order.status is not VenueOrderStatus.UNTRIGGERED)


def adopt_external(context: ExecutionContext, report: OrderReport) -> bool:
    """An order not placed by this system: recorded and reported once, never traded against. True if it is new."""
    books = context.books[report.account]
    is_new = report.venue_order_id not in books.external_orders
    if report.status.is_final:
        if not is_new:
            books.external_orders.discard(report.venue_order_id)
            books.is_dirty = True
            _record_external(context, report)
        return False
    if is_new:
        books.external_orders.add(report.venue_order_id)
        books.is_dirty = True
        _record_external(context, report)
        context.alert(
            "warning",
            f"unknown order on {report.account}",
            f"{report.side} {report.quantity} {report.category} {report.symbol} "
            f"({report.venue_order_id}) was not placed by this system; it is left unchanged and its executions are "
            "booked as EXTERNAL. Find out who placed it.",
        )
    return is_new


def _record_external(context: ExecutionContext, report: OrderReport) -> None:
    context.record(
        OrderFact(
            client_order_id=f"external:{report.venue_order_id}",
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
            venue_order_id=report.venue_order_id,
            filled_quantity=report.filled_quantity,
            average_price=report.average_price,
            reason=f"client id {report.client_order_id!r} is not ours",
            created_ms=report.created_ms,
            updated_ms=report.updated_ms,
            trace="",
        )
    )
