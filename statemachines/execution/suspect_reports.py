"""Implausible reports about our orders: not booked but reported, entries are halted, and the account is read.

The exchange's own list settles the matter. An execution that is not on the list never happened. One that the list
shows with the same values is authoritative, however odd: it is booked, and the reconciliation reports it as a
difference, which halts the account's engine (RM-4), unless only its taxes were in doubt. So nothing is booked because
of a single frame, and no execution is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from statemachines.execution import submission
from statemachines.execution.account_books import AccountBooks
from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.order_ids import ClientOrderIdParts
from statemachines.execution.orders.parent_order import ParentOrder
from statemachines.execution.orders.report_checks import (
    NO_TERMS,
    Terms,
    closed_problem,
    fee_problem,
    foreign_problem,
    lot_problem,
    overfill_problem,
    price_problem,
    row_problem,
    tax_problem,
    terms_of,
    terms_problem,
    time_problem,
)
from statemachines.limits.plausibility import MAX_APART_MS
from statemachines.requests import AccountSnapshot, ExecutionReport, OrderReport, SetAside
from statemachines.values import ACCOUNT_OF, HOUR_MS, Account, ActorName

MAX_DOUBTED = 1_000
"""Maximum number of doubted executions kept per account, which bounds the memory used."""

QUOTE_HOLDS_MS = HOUR_MS
"""A quote is used to check the price of an execution at most this long before or after it."""

_FACTS = (
    *("category", "symbol", "side", "quantity", "price", "execution_type", "client_order_id"),
    *("fee", "fee_coin", "tax_in_fee", "extra_fees"),
)
"""The fields in which two reports of one execution must agree; only streams contain the realised profit."""


class Doubt(NamedTuple):
    """Why an execution is implausible ("": plausible), whether it belongs to another order than ours, and whether only
    its taxes are in doubt: nothing of ours says how high they are, so that a confirmed one contradicts nothing."""

    problem: str
    is_foreign: bool
    is_tax_only: bool


def doubt_of(
    context: ExecutionContext, report: ExecutionReport, parts: ClientOrderIdParts | None, parent: ParentOrder | None
) -> Doubt:
    """Check an execution against the order whose id it carries and against the market, and its fee and taxes
    against its value."""
    terms = _terms(parts, parent)
    foreign = foreign_problem(terms, report)
    instrument = context.instruments.get((report.category, report.symbol))
    coins = context.coins(report.category, report.symbol)
    problem = (
        foreign
        or overfill_problem(terms, report)
        or time_problem(terms, report, context.now_ms)
        or price_problem(terms, report, _prices(context, report, parent))
        or (lot_problem(terms, report, instrument.qty_step) if instrument is not None else "")
        or closed_problem(report)
        or fee_problem(report, *coins)
    )
    tax = "" if problem else tax_problem(report, *coins)
    return Doubt(problem or tax, bool(foreign), bool(tax))


def _prices(context: ExecutionContext, report: ExecutionReport, parent: ParentOrder | None) -> list[Decimal]:
    """Prices near which an execution is plausible: the market's within an hour, and the one its decision is based
    on."""
    quote = context.quotes.get((report.category, report.symbol))
    known = (
        [] if quote is None or abs(quote.market_ms - report.executed_ms) > QUOTE_HOLDS_MS else [quote.bid, quote.ask]
    )
    return known if parent is None else [*known, parent.intent.reference_price]


def order_problem(context: ExecutionContext, report: OrderReport) -> str:
    """Why a report with our id is not about our order, or is implausible; "" when it is valid, or when the id is not
    ours."""
    parts = context.ours(report.client_order_id, report.venue_order_id)
    if parts is None:
        return ""
    terms = _terms(parts, context.parents.get(parts.intent_id))
    problem = foreign_problem(terms, report) or row_problem(report) or terms_problem(terms, report)
    if report.updated_ms > context.now_ms + MAX_APART_MS:
        # If it were accepted, every later report of the order would count as late.
        problem = problem or f"it was updated at {report.updated_ms}, and it is {context.now_ms}"
    return f"order {report.client_order_id or report.venue_order_id}: {problem}." if problem else ""


def _terms(parts: ClientOrderIdParts | None, parent: ParentOrder | None) -> Terms:
    if parts is None:
        return NO_TERMS
    if parent is None:
        issuer = parts.intent_id.rpartition("-")[0]
        return Terms(account=ACCOUNT_OF.get(ActorName(issuer)))
    if parent.order is not None and parent.order.child == parts.child:
        return terms_of(parent.order)
    intent = parent.intent
    # An earlier order of the intent: its own quantity is no longer known, but it was at most the approved one.
    limit = parent.approved.price_limit
    return Terms(
        intent.account,
        intent.category,
        intent.symbol,
        intent.side,
        max(parent.approved.max_quantity, parent.quantity),
        limits=(limit,) if limit is not None and intent.style == "maker" else (),
        may_shrink=intent.reduce_only,
        created_ms=parent.approved_ms,
    )


def is_confirmed(books: AccountBooks, report: ExecutionReport) -> bool:
    """Whether the exchange's list shows a doubted execution with the same values as before."""
    known = books.doubted.get(report.execution_id)
    return known is not None and all(getattr(known, name) == getattr(report, name) for name in _FACTS)


def refuse_execution(context: ExecutionContext, books: AccountBooks, report: ExecutionReport, problem: str) -> None:
    """Do not book it; report it, halt entries on its market (and on its order's), and request a reading of the
    account."""
    if len(books.doubted) >= MAX_DOUBTED:
        del books.doubted[next(iter(books.doubted))]
    books.doubted[report.execution_id] = report
    sentence = (
        f"execution {report.execution_id} of order {report.client_order_id or report.venue_order_id} ({report.side} "
        f"{report.quantity} {report.category} {report.symbol} at {report.price}): {problem}. It is not booked unless "
        "the exchange's list of executions confirms it."
    )
    context.remark(str(books.account), "refuse_execution", sentence)
    _begin(context, books.account, "execution", report, sentence)


def refuse_order(context: ExecutionContext, report: OrderReport, problem: str) -> None:
    """Ignore a report; request a reading of the account, and look up the order whose id it carries."""
    context.remark(report.client_order_id, "refuse_report", problem)
    _begin(context, report.account, "order", report, problem)
    parts = context.ours(report.client_order_id, report.venue_order_id)
    parent = context.parents.get(parts.intent_id) if parts else None
    order = parent.order if parent else None
    is_live = parent is not None and not parent.is_ended and not parent.needs_child
    if parent is not None and order is not None and is_live and parts and order.child == parts.child:
        submission.look_up(context, parent, order, problem)


def _begin(
    context: ExecutionContext, account: Account, kind: str, report: OrderReport | ExecutionReport, problem: str
) -> None:
    markets = {(report.category, report.symbol): None}
    parts = context.ours(report.client_order_id, report.venue_order_id)
    parent = context.parents.get(parts.intent_id) if parts else None
    if parent is not None:
        markets[(parent.intent.category, parent.intent.symbol)] = None
    for category, symbol in markets:
        one = SetAside.model_validate({"kind": kind, "category": category, "symbol": symbol, "problem": problem})
        context.out.extend(context.books[account].unusable.begin(one))
    context.reading_needed = problem


def drop_unlisted(
    context: ExecutionContext, books: AccountBooks, doubted_before: Mapping[str, None], snapshot: AccountSnapshot
) -> None:
    """Drop executions that were doubted when the list was requested and are not on it: they never happened."""
    listed = {row.execution_id for row in snapshot.executions}
    for execution_id in doubted_before:
        if execution_id not in listed and books.doubted.pop(execution_id, None) is not None:
            reason = f"execution {execution_id} is not on the exchange's list: it never happened"
            context.remark(str(books.account), "drop_execution", reason)


def without_foreign_orders(context: ExecutionContext, snapshot: AccountSnapshot) -> AccountSnapshot:
    """The reading, with open orders set aside that carry our ids but are not ours."""
    problems = {report.venue_order_id: order_problem(context, report) for report in snapshot.open_orders}
    if not any(problems.values()):
        return snapshot
    aside = tuple(
        SetAside(kind="order", category=report.category, symbol=report.symbol, problem=problems[report.venue_order_id])
        for report in snapshot.open_orders
        if problems[report.venue_order_id]
    )
    kept = tuple(report for report in snapshot.open_orders if not problems[report.venue_order_id])
    return snapshot.model_copy(update={"open_orders": kept, "set_aside": (*snapshot.set_aside, *aside)})
