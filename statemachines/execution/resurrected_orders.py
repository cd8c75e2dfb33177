"""Our orders that are open at the exchange after their end here; an id of ours always stays ours (DESIGN 5).

Such an order is no longer needed, so its cancellation is repeated with growing pauses until the exchange reports its
end; its fills are booked for its engine as usual. An order that its intent still needs is not affected.
"""

from __future__ import annotations

from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.parent_order import ResurrectedOrder
from statemachines.execution.orders.request_keys import Topic, other_key
from statemachines.execution.submission import patience_s
from statemachines.requests import Accepted, CancelOrder, Dropped, ExchangeResponse, OrderReport


def cancel(context: ExecutionContext, report: OrderReport, why: str) -> None:
    """Cancel an open order that must not be open; one that is already being cancelled is left to that cancellation."""
    is_conditional = report.trigger_price is not None
    cancel_by_id(
        context,
        report.client_order_id,
        ResurrectedOrder(report.account, report.category, report.symbol, is_conditional),
        why,
    )


def cancel_by_id(context: ExecutionContext, client_order_id: str, resurrected: ResurrectedOrder, why: str) -> None:
    """The same for an order of which no report has arrived."""
    known = context.resurrected.get(client_order_id)
    if known is None:
        context.resurrected[client_order_id] = known = resurrected
        context.alert(
            "warning",
            f"order of {resurrected.account} appeared after its end",
            f"Order {client_order_id} on {resurrected.symbol} is open at the exchange, but {why}. It is being "
            "cancelled; its fills are booked.",
            f"after-end:{client_order_id}",
        )
    if not known.pending:
        _ask(
            context, client_order_id, known, patience_s(context, known.tries.failures) if known.tries.failures else 0.0
        )


def ended(context: ExecutionContext, client_order_id: str) -> None:
    """The exchange has reported the order's end."""
    if context.resurrected.pop(client_order_id, None) is not None:
        context.remark(client_order_id, "resurrected_ended", "the exchange reports its end")
        context.end_alert(f"after-end:{client_order_id}", "the exchange reports its end")


def still_needed(context: ExecutionContext, client_order_id: str, key: str) -> bool:
    """Whether a delayed cancellation is still needed."""
    known = context.resurrected.get(client_order_id)
    return known is not None and known.pending == key


def take_answer(context: ExecutionContext, client_order_id: str, key: str, outcome: ExchangeResponse) -> None:
    """The outcome of a cancellation: one that did not succeed is repeated with growing pauses."""
    known = context.resurrected.get(client_order_id)
    if known is None or known.pending != key:
        return
    known.pending = ""
    if isinstance(outcome, Accepted):
        if outcome.already:
            ended(context, client_order_id)
        return  # its end arrives as a report; if it is reported open again, it is cancelled again
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
