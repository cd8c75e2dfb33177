"""Orders of ours that live at the exchange after their end here: our own id is ours for ever (DESIGN 5).

Nobody wants such an order any more, so it is cancelled, again and again with growing pauses until the exchange shows
its end; its fills are booked for its engine as always. An order whose intent still wants it is none of these.
"""

from __future__ import annotations

from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.parent_order import ResurrectedOrder
from statemachines.execution.orders.request_keys import Topic, other_key
from statemachines.execution.submission import patience_s
from statemachines.requests import Accepted, CancelOrder, Dropped, ExchangeResponse, OrderReport


def cancel(context: ExecutionContext, report: OrderReport, why: str) -> None:
    """Take the report of a live order that must not live; one that is being cancelled already stays so."""
    is_conditional = report.trigger_price is not None
    cancel_by_id(
        context,
        report.client_order_id,
        ResurrectedOrder(report.account, report.category, report.symbol, is_conditional),
        why,
    )


def cancel_by_id(context: ExecutionContext, client_order_id: str, resurrected: ResurrectedOrder, why: str) -> None:
    """The same for an order of which no report has come."""
    known = context.resurrected.get(client_order_id)
    if known is None:
        context.resurrected[client_order_id] = known = resurrected
        context.alert(
            "warning",
            f"order of {resurrected.account} appeared after its end",
            f"Order {client_order_id} on {resurrected.symbol} is alive at the exchange, but {why}. It is "
            "being cancelled; fills "
            "that it has are booked.",
            f"after-end:{client_order_id}",
        )
    if not known.pending:
        _ask(
            context, client_order_id, known, patience_s(context, known.tries.failures) if known.tries.failures else 0.0
        )


def ended(context: ExecutionContext, client_order_id: str) -> None:
    """The exchange has shown the order's end."""
    if context.resurrected.pop(client_order_id, None) is not None:
        context.remark(client_order_id, "resurrected_ended", "the exchange shows its end")
        context.end_alert(f"after-end:{client_order_id}", "the exchange shows its end")


def wants(context: ExecutionContext, client_order_id: str, key: str) -> bool:
    """Whether a delayed cancellation is still wanted."""
    known = context.resurrected.get(client_order_id)
    return known is not None and known.pending == key


def take_answer(context: ExecutionContext, client_order_id: str, key: str, outcome: ExchangeResponse) -> None:
    """The outcome of a cancellation: what did not succeed is asked again, later each time."""
    known = context.resurrected.get(client_order_id)
    if known is None or known.pending != key:
        return
    known.pending = ""
    if isinstance(outcome, Accepted):
        if outcome.already:
            ended(context, client_order_id)
        return  # its end comes as a report; should it be shown alive again, it is cancelled again
    if isinstance(outcome, Dropped):
        return
    known.tries = known.tries.failed(outcome.kind)
    _ask(context, client_order_id, known, patience_s(context, known.tries.failures))


def _ask(context: ExecutionContext, client_order_id: str, resurrected: ResurrectedOrder, delay_s: float) -> None:
    request = CancelOrder(
        client_order_id=client_order_id,
        category=resurrected.category,
        symbol=resurrected.symbol,
        is_conditional=resurrected.is_conditional,
    )
    resurrected.pending = other_key(Topic.RESURRECTED, client_order_id, context.control.next("resurrected_cancels"))
    context.call_exchange(resurrected.pending, resurrected.account, request, None, delay_s)
