"""Executions and settlements: execution, position, posting and message in one commit (DESIGN 1), each once (EX-2)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from statemachines.execution import suspect_reports
from statemachines.execution.context import EXTERNAL, ExecutionContext
from statemachines.execution.orders.order_ids import ClientOrderIdParts
from statemachines.execution.orders.parent_order import ParentOrder, stop_retry
from statemachines.execution.orders.report_checks import FUNDING_TYPE
from statemachines.facts import ExecutionFact, PositionFact, PostingFact
from statemachines.ledger.positions import apply_execution
from statemachines.ledger.postings import fill_posting, funding_posting
from statemachines.messages.accounts import FundingPaid
from statemachines.messages.orders import Fill
from statemachines.requests import ExecutionReport
from statemachines.values import LINEAR, MINUTE_MS, ActorName

FILL_TYPES = frozenset({"Trade", "BustTrade", "AdlTrade", "Delivery"})
"""Execution types that are fills; all other types must not change a position (LESSONS, orders)."""
FORCED_TYPES = frozenset({"BustTrade", "AdlTrade", "Delivery"})


class Taken(StrEnum):
    """The treatment of an execution that the exchange reported."""

    KNOWN = "known"  # booked before, or older than anything that could be missing
    BOOKED = "booked"
    DOUBTED = "doubted"  # implausible; not booked before the exchange's list confirms it
    CONTRADICTION = "contradiction"  # implausible, but confirmed by the exchange's list and therefore booked


def take_execution(context: ExecutionContext, report: ExecutionReport, *, is_listed: bool = False) -> Taken:
    """Book a row of the execution stream or list. `is_listed`: the row is from the list that reconciliation reads."""
    books = context.books[report.account]
    if is_booked(context, report):
        if report.execution_id not in books.deduplicator:
            text = f"{report.execution_id} was counted before, or is older than any that could be missing"
            context.remark(str(report.account), "old_execution", text)
        return Taken.KNOWN
    parts = context.ours(report.client_order_id, report.venue_order_id)
    parent = context.parents.get(parts.intent_id) if parts else None
    doubt = suspect_reports.doubt_of(context, report, parts, parent)
    if doubt.problem and not (is_listed and suspect_reports.is_confirmed(books, report)):
        suspect_reports.refuse_execution(context, books, report, doubt.problem)
        return Taken.DOUBTED
    books.doubted.pop(report.execution_id, None)
    if doubt.is_foreign:
        parts, parent = None, None  # the money is real, but it was not our order
    books.deduplicator.add(report.execution_id, report.executed_ms)
    books.changed()
    if report.execution_type == FUNDING_TYPE:
        _book_funding(context, report)
    elif report.execution_type in FILL_TYPES:
        _book_fill(context, report, parts, parent)
    else:
        context.alert(
            "warning",
            f"execution of unknown type on {report.account}",
            f"{report.execution_id} of type {report.execution_type!r} on {report.symbol} was not booked; the next "
            "reconciliation shows its effect on the balances.",
        )
    return Taken.CONTRADICTION if doubt.problem and not doubt.is_tax_only else Taken.BOOKED


def is_booked(context: ExecutionContext, report: ExecutionReport) -> bool:
    """Whether an execution was booked before, or is older than any that could be missing (EX-2). The account remembers
    a bounded number of ids; an order under way, which may outlive them, remembers its own."""
    deduplicator = context.books[report.account].deduplicator
    if report.execution_id in deduplicator:
        return True
    parts = context.ours(report.client_order_id, report.venue_order_id)
    parent = context.parents.get(parts.intent_id) if parts else None
    order = parent.order if parent is not None and not parent.is_ended else None
    if order is not None and parts is not None and order.child == parts.child:
        return report.execution_id in order.executions
    return report.executed_ms <= deduplicator.horizon_ms


def _book_funding(context: ExecutionContext, report: ExecutionReport) -> None:
    _base, quote = context.coins(report.category, report.symbol)
    coin = report.fee_coin or quote
    post(context, funding_posting(report, coin))
    engine = context.engine_of(report.account)
    if engine is None:
        context.publish_balances(report.account)
        return
    paid_or_received = "received" if report.fee < 0 else "paid"
    context.note(
        str(report.account),
        "funding",
        f"{paid_or_received} {abs(report.fee)} {coin} on {report.symbol} at rate {report.fee_rate}",
        amount=str(report.fee.copy_negate()),
    )
    context.send(
        FundingPaid(
            execution_id=report.execution_id,
            engine=engine,
            account=report.account,
            symbol=report.symbol,
            amount_usdt=report.fee.copy_negate(),
            rate=report.fee_rate,
            settle_ms=report.executed_ms - report.executed_ms % MINUTE_MS,
            cash_usdt=context.books[report.account].book.wallet("USDT"),
        )
    )


def _book_fill(
    context: ExecutionContext, report: ExecutionReport, parts: ClientOrderIdParts | None, parent: ParentOrder | None
) -> None:
    base, quote = context.coins(report.category, report.symbol)
    book = context.books[report.account].book
    realized = report.realized_pnl or Decimal(0)
    if report.category == LINEAR:
        change = apply_execution(book.position(report.symbol), report.side, report.quantity, report.price)
        # REST's list does not contain the realised profit: our own ledger's is used, unless nothing was closed.
        if report.realized_pnl is None and report.closed_quantity != 0:
            realized = change.realized_pnl
        book.set_position(report.symbol, change.position)
        held, average = change.position.quantity, change.position.average_price
        context.record(
            PositionFact(
                account=report.account,
                symbol=report.symbol,
                quantity=held,
                average_price=average,
                updated_ms=report.executed_ms,
            )
        )
    post(context, fill_posting(report, base, quote, realized))
    if report.category != LINEAR:
        held, average = book.held(base), Decimal(0)
    engine = context.engine_of(report.account) if parts else None
    context.record(_execution_fact(report, parts, engine, realized))
    if parts is None or engine is None:
        _report_external(context, report)
        return
    context.send(
        Fill(
            execution_id=report.execution_id,
            intent_id=parts.intent_id,
            engine=engine,
            account=report.account,
            category=report.category,
            symbol=report.symbol,
            side=report.side,
            quantity=report.quantity,
            price=report.price,
            fee=report.fee,
            fee_coin=report.fee_coin or quote,
            is_maker=report.is_maker,
            realized_pnl=realized,
            executed_ms=report.executed_ms,
            position_quantity=held,
            position_price=average,
            cash_usdt=book.wallet("USDT"),
        )
    )
    if parent is not None:
        _count(context, parent, report, parts)


def _count(context: ExecutionContext, parent: ParentOrder, report: ExecutionReport, parts: ClientOrderIdParts) -> None:
    """Count the fill in its order and its intent; a fill of an earlier order may require the live one to be reduced."""
    parent.filled += report.quantity
    parent.cash += report.quantity * report.price
    context.touch(parent)
    order = parent.order
    if order is not None and order.child == parts.child:
        stop_retry(parent)
        parent.requests.is_absent = False
        context.notes(order.take_execution(report, context.now_ms) or [])
        context.remember_venue_order_id(order)
    else:
        context.remark(
            parent.intent.intent_id, "late_fill", f"its order {parts.child} filled {report.quantity} after its end"
        )


def post(context: ExecutionContext, posting: PostingFact) -> None:
    """Apply a posting to all accounts concerned and record it; a posting without lines is ignored."""
    for books in context.books.values():
        if any(line.account == books.account for line in posting.lines):
            books.book.post(posting)
            books.changed()
    if posting.lines:
        context.record(posting)


def _execution_fact(
    report: ExecutionReport, parts: ClientOrderIdParts | None, engine: ActorName | None, realized: Decimal
) -> ExecutionFact:
    return ExecutionFact(
        account=report.account,
        execution_id=report.execution_id,
        client_order_id=report.client_order_id,
        venue_order_id=report.venue_order_id,
        engine=engine if parts and engine else EXTERNAL,
        category=report.category,
        symbol=report.symbol,
        side=report.side,
        quantity=report.quantity,
        price=report.price,
        fee=report.fee,
        fee_coin=report.fee_coin,
        is_maker=report.is_maker,
        realized_pnl=realized,
        executed_ms=report.executed_ms,
    )


def _report_external(context: ExecutionContext, report: ExecutionReport) -> None:
    """A fill that this system did not request: booked, reported, and the engine receives its account's new state."""
    forced = report.execution_type in FORCED_TYPES
    what = (
        f"{report.execution_type} {report.side} {report.quantity} {report.category} {report.symbol} at {report.price}"
    )
    context.remark(str(report.account), "external_fill", what, execution_id=report.execution_id)
    context.alert(
        "critical" if forced else "warning",
        f"{'forced' if forced else 'external'} execution on {report.account}",
        f"{what} belongs to none of our orders; it was booked as {EXTERNAL}. Find out who traded.",
    )
    context.publish_balances(report.account)
