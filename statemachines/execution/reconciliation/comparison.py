"""OR-9: one account's reading against our accounts: executions first, then orders, positions and balances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from statemachines.execution import submission, suspect_reports
from statemachines.execution.account_books import AccountBooks
from statemachines.execution.context import ExecutionContext
from statemachines.execution.fills import Taken, is_booked, post, take_execution
from statemachines.execution.order_reports import adopt_external, apply_report, shown_alive, take_own
from statemachines.execution.orders.parent_order import ParentOrder
from statemachines.execution.orders.report_checks import lacks_realized
from statemachines.execution.reconciliation.balances import BalanceCorrection, compare_balances
from statemachines.execution.reconciliation.earn import compare_earn, open_earn, open_yields
from statemachines.execution.reconciliation.executions import execution_finding, missing_executions
from statemachines.execution.reconciliation.findings import Finding
from statemachines.execution.reconciliation.moving import coins_being_staked, with_landed
from statemachines.execution.reconciliation.orders import compare_orders, external_order_finding, own_order_finding
from statemachines.execution.reconciliation.positions import PositionCorrection, compare_positions
from statemachines.execution.reconciliation.transactions import open_log, remember_correction
from statemachines.execution.reconciliation.unreadable import is_known
from statemachines.facts import PositionFact
from statemachines.ledger.positions import Position, adopted
from statemachines.ledger.postings import opening_posting
from statemachines.requests import AccountSnapshot
from statemachines.values import Account


def unsettled(context: ExecutionContext, account: Account) -> list[ParentOrder]:
    """Live intents of the account whose order may still be open at the exchange or lacks executions."""
    return [
        parent
        for parent in context.parents.live()
        if parent.intent.account == account and not parent.needs_child and parent.order and not parent.order.is_settled
    ]


def is_trading(context: ExecutionContext, account: Account) -> bool:
    """Whether a request on an order of the account is under way, so that readings cannot be compared."""
    return any(parent.requests.pending for parent in context.parents.live() if parent.intent.account == account)


def open_account(context: ExecutionContext, snapshot: AccountSnapshot, began_ms: int) -> list[Finding]:
    """The very first reading: balances are posted as opening balances; positions and orders found are adopted."""
    account = snapshot.account
    books = context.books[account]
    books.is_opened = True
    books.deduplicator.horizon_ms = max(books.deduplicator.horizon_ms, began_ms - 1)
    for row in snapshot.executions:
        books.deduplicator.add(row.execution_id, row.executed_ms)
    open_log(books, snapshot, began_ms)
    open_yields(books, snapshot.earn)
    posting = opening_posting(account, snapshot.balances, snapshot.market_ms)
    if posting is not None:
        post(context, posting)
    open_earn(context, snapshot)
    findings = []
    for report in snapshot.positions:
        if report.quantity:
            _set_position(context, books, report.symbol, adopted(report.quantity, report.average_price), snapshot)
            theirs = f"{report.quantity} at {report.average_price}"
            findings.append(
                Finding(account, "external_position", report.symbol, "none", theirs, "adopted at the first start")
            )
    findings += _adopt_orders(context, books, snapshot, [])
    books.changed()
    return findings


def lacks_profit(context: ExecutionContext, snapshot: AccountSnapshot) -> bool:
    """Whether an execution that is not booked yet comes without its realised profit."""
    return any(lacks_realized(row) for row in missing_executions(partial(is_booked, context), snapshot.executions))


def apply_executions(
    context: ExecutionContext, snapshot: AccountSnapshot, doubted_before: Mapping[str, None]
) -> list[Finding]:
    """Book the executions that the stream missed as if they had been streamed; the list also settles those that were
    doubted when it was requested."""
    books = context.books[snapshot.account]
    suspect_reports.drop_unlisted(context, books, doubted_before, snapshot)
    found = []
    for row in missing_executions(partial(is_booked, context), snapshot.executions):
        taken = take_execution(context, row, is_listed=True)
        if taken in (Taken.BOOKED, Taken.CONTRADICTION):
            found.append(execution_finding(row, contradicts=taken is Taken.CONTRADICTION))
    context.reading_needed = ""  # this reading is the one
    return found


def apply_orders(
    context: ExecutionContext,
    snapshot: AccountSnapshot,
    *,
    is_start: bool,
    follows_gap: bool,
    confirmed: Callable[[str], None],
) -> list[Finding]:
    """Open orders against ours: listed ones are applied, absent ones looked up, unknown ones adopted as EXTERNAL.

    At a start every request of the previous incarnation is void, so nothing counts as under way; after a gap in the
    streams no report of a request under way is expected.
    """
    books = context.books[snapshot.account]
    books.alive_after_end &= {report.client_order_id for report in snapshot.open_orders}
    live = unsettled(context, snapshot.account)
    by_link = {parent.order.client_order_id: parent for parent in live if parent.order}
    comparison = compare_orders(list(by_link), books.external_orders, snapshot.open_orders)
    for report in comparison.shown:
        parent = by_link[report.client_order_id]
        if parent.order is not None:
            is_quiet = is_start or not parent.requests.pending
            apply_report(context, parent, parent.order, report, looked_up=is_quiet)
            shown_alive(context, report)
            confirmed(parent.intent.intent_id)
    for link in comparison.absent:
        parent = by_link[link]
        if parent.requests.is_stuck:
            parent.requests.is_stuck = False
            parent.requests.tries.clear()
        if parent.order is not None and (is_start or not parent.requests.pending):
            if parent.requests.check_ms is None or is_start or follows_gap:
                submission.look_up(context, parent, parent.order, "not among the open orders")
            context.touch(parent)
    return _adopt_orders(context, books, snapshot, list(by_link))


class Differences(NamedTuple):
    """What differs, in positions and in balances (those in Earn included). `moving` are the coins whose balance differs
    by what is under way, whose outcome decides: no difference yet."""

    positions: tuple[PositionCorrection, ...]
    balances: tuple[BalanceCorrection, ...]
    moving: tuple[str, ...]

    @property
    def is_found(self) -> bool:
        return bool(self.positions or self.balances)


def differences(context: ExecutionContext, snapshot: AccountSnapshot) -> Differences:
    """The differences of one reading. A transfer under way excuses its own coin, by its own amount; a staking order
    whose outcome is not known its own coin; neither of them a position."""
    book = context.books[snapshot.account].book
    positions = compare_positions(snapshot.account, book.positions, snapshot.positions)
    ours, landed = with_landed(context, snapshot.account, book.coins(), snapshot.balances)
    balances = compare_balances(snapshot.account, ours, snapshot.balances, snapshot.market_ms)
    if snapshot.set_aside:
        # Unreadable rows are unknown: neither a difference nor absent.
        positions = tuple(change for change in positions if is_known(snapshot, "position", change.symbol))
        balances = tuple(change for change in balances if is_known(snapshot, "balance", change.finding.subject))
        landed = {coin for coin in landed if is_known(snapshot, "balance", coin)}
    compared = compare_earn(context, snapshot, balances)
    found = (*compared.balances, *compared.corrections)
    staked = coins_being_staked(context, snapshot.account)
    moving = landed | {one.finding.subject for one in found if one.finding.subject in staked}
    return Differences(
        positions, tuple(one for one in found if one.finding.subject not in staked), tuple(sorted(moving))
    )


def correct(
    context: ExecutionContext,
    snapshot: AccountSnapshot,
    positions: tuple[PositionCorrection, ...],
    balances: tuple[BalanceCorrection, ...],
) -> list[Finding]:
    """Correct our accounts to the exchange's figures; every correction is a finding."""
    books = context.books[snapshot.account]
    for change in positions:
        _set_position(context, books, change.symbol, change.position, snapshot)
    for correction in balances:
        post(context, correction.posting)
        remember_correction(books, correction.posting, snapshot.market_ms)
    books.changed()
    return [change.finding for change in positions] + [correction.finding for correction in balances]


def _adopt_orders(
    context: ExecutionContext, books: AccountBooks, snapshot: AccountSnapshot, live: list[str]
) -> list[Finding]:
    gone = books.external_orders - {report.venue_order_id for report in snapshot.open_orders}
    if gone:
        books.external_orders -= gone
        books.is_dirty = True
    unheld = compare_orders(live, books.external_orders, snapshot.open_orders).external
    findings = []
    for report in unheld:
        parts = context.ours(report.client_order_id, report.venue_order_id)
        if parts is not None:
            take_own(context, parts, report)
            shown_alive(context, report)
            if report.client_order_id in context.resurrected:
                findings.append(own_order_finding(snapshot.account, report))
        elif adopt_external(context, report):
            findings.append(external_order_finding(snapshot.account, report))
    return findings


def _set_position(
    context: ExecutionContext, books: AccountBooks, symbol: str, position: Position, snapshot: AccountSnapshot
) -> None:
    books.book.set_position(symbol, position)
    context.record(
        PositionFact(
            account=snapshot.account,
            symbol=symbol,
            quantity=position.quantity,
            average_price=position.average_price,
            updated_ms=snapshot.market_ms,
        )
    )
