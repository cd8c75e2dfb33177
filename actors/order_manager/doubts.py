"""What the exchange tells about our orders and cannot be: not booked, told, entries halted, and the account is read.

The exchange's own list settles it. An execution that the list does not show never happened. One that it shows in the
same words is the exchange's truth, however odd: it is booked, and the reconciliation reports it as a difference, which
halts the account's engine (RM-4). So nothing is booked on one frame, and nothing that was executed is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from actors.order_manager import sending
from actors.order_manager.account import AccountBooks
from actors.order_manager.desk import Desk
from actors.order_manager.work import Work
from statemachines.order.identity import LinkParts
from statemachines.order.judging import (
    NO_TERMS,
    Terms,
    closed_problem,
    fee_problem,
    foreign_problem,
    lot_problem,
    overfill_problem,
    price_problem,
    row_problem,
    terms_of,
    terms_problem,
    time_problem,
)
from statemachines.plausibility import MOST_APART_MS
from statemachines.requests import AccountSnapshot, ExecutionReport, OrderReport, SetAside
from statemachines.values import ACCOUNT_OF, HOUR_MS, Account, ActorName

MOST_DOUBTED = 1_000
"""Doubted executions kept per account; a flood of them must not fill the memory."""

QUOTE_HOLDS_MS = HOUR_MS
"""A quote tells about the price of an execution that was at most so long before or after it."""

_FACTS = ("category", "symbol", "side", "quantity", "price", "fee", "fee_coin", "execution_type", "link_id")
"""What two tellings of one execution must agree in; only streams tell the realised profit."""


class Doubt(NamedTuple):
    """Why an execution cannot be true ("": it can), and whether it is of another order than ours."""

    problem: str
    is_foreign: bool


def doubt_of(desk: Desk, report: ExecutionReport, parts: LinkParts | None, work: Work | None) -> Doubt:
    """Hold an execution against the order whose id it carries, against the market, and its fee against its value."""
    terms = _terms(parts, work)
    foreign = foreign_problem(terms, report)
    instrument = desk.instruments.get((report.category, report.symbol))
    problem = (
        foreign
        or overfill_problem(terms, report)
        or time_problem(terms, report, desk.now_ms)
        or price_problem(terms, report, _prices(desk, report, work))
        or (lot_problem(terms, report, instrument.qty_step) if instrument is not None else "")
        or closed_problem(report)
        or fee_problem(report, *desk.coins(report.category, report.symbol))
    )
    return Doubt(problem, bool(foreign))


def _prices(desk: Desk, report: ExecutionReport, work: Work | None) -> list[Decimal]:
    """Prices near which an execution may have been: the market's of that hour, the one its order was decided at."""
    quote = desk.quotes.get((report.category, report.symbol))
    known = (
        [] if quote is None or abs(quote.market_ms - report.executed_ms) > QUOTE_HOLDS_MS else [quote.bid, quote.ask]
    )
    return known if work is None else [*known, work.intent.reference_price]


def order_problem(desk: Desk, report: OrderReport) -> str:
    """Why a report of an order that carries our id is none of ours, or cannot be; "" when it is sound, or when the id
    is not ours."""
    parts = desk.ours(report.link_id, report.exchange_id)
    if parts is None:
        return ""
    terms = _terms(parts, desk.works.get(parts.intent_id))
    problem = foreign_problem(terms, report) or row_problem(report) or terms_problem(terms, report)
    if report.updated_ms > desk.now_ms + MOST_APART_MS:
        # Taken, it would make every later report of the order a late one.
        problem = problem or f"it was updated at {report.updated_ms}, and it is {desk.now_ms}"
    return f"order {report.link_id or report.exchange_id}: {problem}." if problem else ""


def _terms(parts: LinkParts | None, work: Work | None) -> Terms:
    if parts is None:
        return NO_TERMS
    if work is None:
        issuer = parts.intent_id.rpartition("-")[0]
        return Terms(account=ACCOUNT_OF.get(ActorName(issuer)))
    if work.order is not None and work.order.child == parts.child:
        return terms_of(work.order)
    intent = work.intent
    # An earlier order of the intent: its own quantity is gone, but none was larger than what was approved.
    limit = work.approved.price_limit
    return Terms(
        intent.account,
        intent.category,
        intent.symbol,
        intent.side,
        max(work.approved.max_quantity, work.quantity),
        limits=(limit,) if limit is not None and intent.style == "maker" else (),
        may_shrink=intent.reduce_only,
        created_ms=work.approved_ms,
    )


def is_confirmed(books: AccountBooks, report: ExecutionReport) -> bool:
    """Whether the exchange's list shows a doubted execution in the same words as before."""
    known = books.doubted.get(report.execution_id)
    return known is not None and all(getattr(known, name) == getattr(report, name) for name in _FACTS)


def refuse_execution(desk: Desk, books: AccountBooks, report: ExecutionReport, problem: str) -> None:
    """Do not book it; tell it, halt entries on its market (and on its order's), and have the account read."""
    if len(books.doubted) >= MOST_DOUBTED:
        del books.doubted[next(iter(books.doubted))]
    books.doubted[report.execution_id] = report
    sentence = (
        f"execution {report.execution_id} of order {report.link_id or report.exchange_id} ({report.side} "
        f"{report.quantity} {report.category} {report.symbol} at {report.price}): {problem}. It is not booked unless "
        "the exchange's list of executions confirms it."
    )
    desk.remark(str(books.account), "refuse_execution", sentence)
    _begin(desk, books.account, "execution", report, sentence)


def refuse_order(desk: Desk, report: OrderReport, problem: str) -> None:
    """Take nothing of a report; what is true is read, and the order that it claims to be is looked up."""
    desk.remark(report.link_id, "refuse_report", problem)
    _begin(desk, report.account, "order", report, problem)
    parts = desk.ours(report.link_id, report.exchange_id)
    work = desk.works.get(parts.intent_id) if parts else None
    order = work.order if work else None
    is_live = work is not None and not work.is_ended and not work.wants_child
    if work is not None and order is not None and is_live and parts and order.child == parts.child:
        sending.look_up(desk, work, order, problem)


def _begin(desk: Desk, account: Account, kind: str, report: OrderReport | ExecutionReport, problem: str) -> None:
    markets = {(report.category, report.symbol): None}
    parts = desk.ours(report.link_id, report.exchange_id)
    work = desk.works.get(parts.intent_id) if parts else None
    if work is not None:
        markets[(work.intent.category, work.intent.symbol)] = None
    for category, symbol in markets:
        one = SetAside.model_validate({"kind": kind, "category": category, "symbol": symbol, "problem": problem})
        desk.out.extend(desk.books[account].unusable.begin(one))
    desk.reading_wanted = problem


def drop_unlisted(
    desk: Desk, books: AccountBooks, doubted_before: Mapping[str, None], snapshot: AccountSnapshot
) -> None:
    """Executions that were doubted when the account was asked for its list, and are not on it, never happened."""
    listed = {row.execution_id for row in snapshot.executions}
    for execution_id in doubted_before:
        if execution_id not in listed and books.doubted.pop(execution_id, None) is not None:
            reason = f"execution {execution_id} is not on the exchange's list: it never happened"
            desk.remark(str(books.account), "drop_execution", reason)


def without_foreign_orders(desk: Desk, snapshot: AccountSnapshot) -> AccountSnapshot:
    """The reading; open orders that carry our ids and are none of ours are set aside."""
    problems = {report.exchange_id: order_problem(desk, report) for report in snapshot.open_orders}
    if not any(problems.values()):
        return snapshot
    aside = tuple(
        SetAside(kind="order", category=report.category, symbol=report.symbol, problem=problems[report.exchange_id])
        for report in snapshot.open_orders
        if problems[report.exchange_id]
    )
    kept = tuple(report for report in snapshot.open_orders if not problems[report.exchange_id])
    return snapshot.model_copy(update={"open_orders": kept, "set_aside": (*snapshot.set_aside, *aside)})
