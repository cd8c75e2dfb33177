"""Executions and settlements: execution, position, posting and message in one commit (DESIGN 1), each once (EX-2)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from actors.order_manager import doubts
from actors.order_manager.desk import EXTERNAL, Desk
from actors.order_manager.work import Work, stop_retry
from statemachines.facts import ExecutionFact, PositionFact, PostingFact
from statemachines.ledger.positions import apply_execution
from statemachines.ledger.postings import fill_posting, funding_posting
from statemachines.messages import Fill, FundingPaid
from statemachines.order.identity import LinkParts
from statemachines.order.judging import FUNDING_TYPE
from statemachines.requests import ExecutionReport
from statemachines.values import LINEAR, MINUTE_MS, ActorName

FILL_TYPES = frozenset({"Trade", "BustTrade", "AdlTrade"})
"""Execution types that are fills; everything else must not touch a position (LESSONS, orders)."""
FORCED_TYPES = frozenset({"BustTrade", "AdlTrade"})


class Taken(StrEnum):
    """What became of an execution that the exchange told of."""

    KNOWN = "known"  # booked before, or older than anything that could be missing
    BOOKED = "booked"
    DOUBTED = "doubted"  # it cannot be; not booked before the exchange's list confirms it
    CONTRADICTION = "contradiction"  # it cannot be, the exchange's list confirmed it, and it was booked


def take_execution(desk: Desk, report: ExecutionReport, *, is_listed: bool = False) -> Taken:
    """Book a row of the execution stream or list. `is_listed`: the row is of the list that reconciliation reads."""
    books = desk.books[report.account]
    parts = desk.ours(report.link_id, report.exchange_id)
    work = desk.works.get(parts.intent_id) if parts else None
    if report.execution_id in books.seen:
        return Taken.KNOWN
    if report.executed_ms <= books.seen.forgotten_ms and not _is_of_current_order(work, parts):
        desk.remark(
            str(report.account), "old_execution", f"{report.execution_id} is older than any that could be missing"
        )
        return Taken.KNOWN
    doubt = doubts.doubt_of(desk, report, parts, work)
    if doubt.problem and not (is_listed and doubts.is_confirmed(books, report)):
        doubts.refuse_execution(desk, books, report, doubt.problem)
        return Taken.DOUBTED
    books.doubted.pop(report.execution_id, None)
    if doubt.is_foreign:
        parts, work = None, None  # the money is real; our order did not do this
    books.seen.add(report.execution_id, report.executed_ms)
    books.changed()
    if report.execution_type == FUNDING_TYPE:
        _book_funding(desk, report)
    elif report.execution_type in FILL_TYPES:
        _book_fill(desk, report, parts, work)
    else:
        desk.alert(
            "warning",
            f"execution of unknown type on {report.account}",
            f"{report.execution_id} of type {report.execution_type!r} on {report.symbol} was not booked; the next "
            "reconciliation shows what it did to the balances.",
        )
    return Taken.CONTRADICTION if doubt.problem else Taken.BOOKED


def _is_of_current_order(work: Work | None, parts: LinkParts | None) -> bool:
    return bool(work and parts and work.order and work.order.child == parts.child and not work.is_ended)


def _book_funding(desk: Desk, report: ExecutionReport) -> None:
    _base, quote = desk.coins(report.category, report.symbol)
    coin = report.fee_coin or quote
    post(desk, funding_posting(report, coin))
    engine = desk.engine_of(report.account)
    if engine is None:
        desk.tell_balances(report.account)
        return
    paid_or_received = "received" if report.fee < 0 else "paid"
    desk.note(
        str(report.account),
        "funding",
        f"{paid_or_received} {abs(report.fee)} {coin} on {report.symbol} at rate {report.fee_rate}",
        amount=str(report.fee.copy_negate()),
    )
    desk.send(
        FundingPaid(
            execution_id=report.execution_id,
            engine=engine,
            account=report.account,
            symbol=report.symbol,
            amount_usdt=report.fee.copy_negate(),
            rate=report.fee_rate,
            settle_ms=report.executed_ms - report.executed_ms % MINUTE_MS,
            cash_usdt=desk.books[report.account].book.wallet("USDT"),
        )
    )


def _book_fill(desk: Desk, report: ExecutionReport, parts: LinkParts | None, work: Work | None) -> None:
    base, quote = desk.coins(report.category, report.symbol)
    book = desk.books[report.account].book
    realized = report.realized_pnl
    if report.category == LINEAR:
        change = apply_execution(book.position(report.symbol), report.side, report.quantity, report.price)
        # REST's list does not tell the realised profit; 0 then stands for "not told" and our own books know it.
        if not realized and report.closed_quantity != 0:
            realized = change.realized_pnl
        book.set_position(report.symbol, change.position)
        held, average = change.position.quantity, change.position.average_price
        desk.record(
            PositionFact(
                account=report.account,
                symbol=report.symbol,
                quantity=held,
                average_price=average,
                updated_ms=report.executed_ms,
            )
        )
    post(desk, fill_posting(report, base, quote, realized))
    if report.category != LINEAR:
        held, average = book.wallet(base), Decimal(0)
    engine = desk.engine_of(report.account) if parts else None
    desk.record(_execution_fact(report, parts, engine, realized))
    if parts is None or engine is None:
        _tell_external(desk, report)
        return
    desk.send(
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
    if work is not None:
        _count(desk, work, report, parts)


def _count(desk: Desk, work: Work, report: ExecutionReport, parts: LinkParts) -> None:
    """The fill in its order and its intent; one of an earlier order of the intent may force the live one to shrink."""
    work.filled += report.quantity
    work.cash += report.quantity * report.price
    desk.touch(work)
    order = work.order
    if order is not None and order.child == parts.child:
        stop_retry(work)
        work.requests.is_absent = False
        desk.notes(order.take_execution(report, desk.now_ms) or [])
        desk.remember_exchange_id(order)
    else:
        desk.remark(
            work.intent.intent_id, "late_fill", f"order {parts.child} of it filled {report.quantity} after its end"
        )


def post(desk: Desk, posting: PostingFact) -> None:
    """Take a posting into all books it concerns and record it; one without lines is nothing."""
    for books in desk.books.values():
        if any(line.account == books.account for line in posting.lines):
            books.book.post(posting)
            books.changed()
    if posting.lines:
        desk.record(posting)


def _execution_fact(
    report: ExecutionReport, parts: LinkParts | None, engine: ActorName | None, realized: Decimal
) -> ExecutionFact:
    return ExecutionFact(
        account=report.account,
        execution_id=report.execution_id,
        link_id=report.link_id,
        exchange_id=report.exchange_id,
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


def _tell_external(desk: Desk, report: ExecutionReport) -> None:
    """A fill nobody here asked for: booked, reported, and the engine gets its account's new state."""
    forced = report.execution_type in FORCED_TYPES
    what = (
        f"{report.execution_type} {report.side} {report.quantity} {report.category} {report.symbol} at {report.price}"
    )
    desk.remark(str(report.account), "external_fill", what, execution_id=report.execution_id)
    desk.alert(
        "critical" if forced else "warning",
        f"{'forced' if forced else 'external'} execution on {report.account}",
        f"{what} belongs to no order of ours; it was booked as {EXTERNAL}. Find out who traded.",
    )
    desk.tell_balances(report.account)
