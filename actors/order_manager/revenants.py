"""Orders of ours that live at the exchange after their end here: our own id is ours for ever (DESIGN 5).

Nobody wants such an order any more, so it is cancelled, again and again with growing pauses until the exchange shows
its end; its fills are booked for its engine as always. An order whose intent still wants it is none of these.
"""

from __future__ import annotations

from actors.order_manager.desk import Desk
from actors.order_manager.keys import Topic, other_key
from actors.order_manager.revenant import Revenant
from actors.order_manager.sending import patience_s
from statemachines.requests import Accepted, CancelOrder, Dropped, OrderReport, Outcome


def cancel(desk: Desk, report: OrderReport, why: str) -> None:
    """Take the report of a live order that must not live; one that is being cancelled already stays so."""
    is_conditional = report.trigger_price is not None
    cancel_by_id(desk, report.link_id, Revenant(report.account, report.category, report.symbol, is_conditional), why)


def cancel_by_id(desk: Desk, link_id: str, revenant: Revenant, why: str) -> None:
    """The same for an order of which no report has come."""
    known = desk.revenants.get(link_id)
    if known is None:
        desk.revenants[link_id] = known = revenant
        desk.alert(
            "warning",
            f"order of {revenant.account} appeared after its end",
            f"Order {link_id} on {revenant.symbol} is alive at the exchange, but {why}. It is being cancelled; fills "
            "that it has are booked.",
            f"after-end:{link_id}",
        )
    if not known.pending:
        _ask(desk, link_id, known, patience_s(desk, known.tries.failures) if known.tries.failures else 0.0)


def ended(desk: Desk, link_id: str) -> None:
    """The exchange has shown the order's end."""
    if desk.revenants.pop(link_id, None) is not None:
        desk.remark(link_id, "revenant_ended", "the exchange shows its end")
        desk.calm(f"after-end:{link_id}", "the exchange shows its end")


def wants(desk: Desk, link_id: str, key: str) -> bool:
    """Whether a delayed cancellation is still wanted."""
    known = desk.revenants.get(link_id)
    return known is not None and known.pending == key


def take_answer(desk: Desk, link_id: str, key: str, outcome: Outcome) -> None:
    """The outcome of a cancellation: what did not succeed is asked again, later each time."""
    known = desk.revenants.get(link_id)
    if known is None or known.pending != key:
        return
    known.pending = ""
    if isinstance(outcome, Accepted):
        if outcome.already:
            ended(desk, link_id)
        return  # its end comes as a report; should it be shown alive again, it is cancelled again
    if isinstance(outcome, Dropped):
        return
    known.tries = known.tries.failed(outcome.kind)
    _ask(desk, link_id, known, patience_s(desk, known.tries.failures))


def _ask(desk: Desk, link_id: str, revenant: Revenant, delay_s: float) -> None:
    request = CancelOrder(
        link_id=link_id,
        category=revenant.category,
        symbol=revenant.symbol,
        is_conditional=revenant.is_conditional,
    )
    revenant.pending = other_key(Topic.REVENANT, link_id, desk.control.next("revenant_cancels"))
    desk.ask(revenant.pending, revenant.account, request, None, delay_s)
