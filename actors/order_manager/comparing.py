"""OR-9: one account's reading against its books: executions first, then orders, positions and balances."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actors.order_manager import doubts, sending
from actors.order_manager.account import AccountBooks
from actors.order_manager.booking import Taken, post, take_execution
from actors.order_manager.desk import Desk
from actors.order_manager.reports import adopt_external, apply_report, shown_alive, take_own
from actors.order_manager.unreadable import is_known
from actors.order_manager.work import Work
from statemachines.facts import PositionFact
from statemachines.ledger.positions import Position, adopted
from statemachines.ledger.postings import opening_posting
from statemachines.reconciliation.balances import BalanceCorrection, compare_balances
from statemachines.reconciliation.executions import execution_finding, missing_executions
from statemachines.reconciliation.findings import Finding
from statemachines.reconciliation.orders import compare_orders, external_order_finding, own_order_finding
from statemachines.reconciliation.positions import PositionCorrection, compare_positions
from statemachines.requests import AccountSnapshot
from statemachines.values import Account


def unsettled(desk: Desk, account: Account) -> list[Work]:
    """Live intents of the account whose order may still live at the exchange or lacks executions."""
    return [
        work
        for work in desk.works.live()
        if work.intent.account == account and not work.wants_child and work.order and not work.order.is_settled
    ]


def is_moving_money(desk: Desk, account: Account) -> bool:
    """Whether a transfer from or to the account is under way: its balance may have changed already, or not yet."""
    return any(
        account in (transfer.ordered.from_account, transfer.ordered.to_account)
        for transfer in desk.transfers.live()
        if transfer.stage != "REQUESTED"
    )


def is_trading(desk: Desk, account: Account) -> bool:
    """Whether a request on an order of the account is under way: readings are not comparable then."""
    return any(work.requests.pending for work in desk.works.live() if work.intent.account == account)


def open_account(desk: Desk, snapshot: AccountSnapshot, began_ms: int) -> list[Finding]:
    """The first reading ever: balances are posted as opening balances; positions and orders found are adopted."""
    account = snapshot.account
    books = desk.books[account]
    books.is_opened = True
    books.seen.forgotten_ms = max(books.seen.forgotten_ms, began_ms - 1)
    for row in snapshot.executions:
        books.seen.add(row.execution_id, row.executed_ms)
    posting = opening_posting(account, snapshot.balances, snapshot.market_ms)
    if posting is not None:
        post(desk, posting)
    findings = []
    for report in snapshot.positions:
        if report.quantity:
            _set_position(desk, books, report.symbol, adopted(report.quantity, report.average_price), snapshot)
            theirs = f"{report.quantity} at {report.average_price}"
            findings.append(Finding(account, "position", report.symbol, "none", theirs, "adopted at the first start"))
    findings += _adopt_orders(desk, books, snapshot, [])
    books.changed()
    return findings


def apply_executions(desk: Desk, snapshot: AccountSnapshot, doubted_before: Mapping[str, None]) -> list[Finding]:
    """Executions that the stream did not bring, booked as if it had; those that were doubted when the list was asked
    for are settled by it."""
    books = desk.books[snapshot.account]
    doubts.drop_unlisted(desk, books, doubted_before, snapshot)
    found = []
    for row in missing_executions(books.is_booked, snapshot.executions):
        taken = take_execution(desk, row, is_listed=True)
        if taken in (Taken.BOOKED, Taken.CONTRADICTION):
            found.append(execution_finding(row, contradicts=taken is Taken.CONTRADICTION))
    desk.reading_wanted = ""  # this is the reading
    return found


def apply_orders(
    desk: Desk, snapshot: AccountSnapshot, *, is_start: bool, follows_gap: bool, confirmed: Callable[[str], None]
) -> list[Finding]:
    """Open orders against ours: shown ones are taken, absent ones looked up, unknown ones adopted as EXTERNAL.

    At a start every request of the earlier life is void, so nothing counts as under way; after a gap in the streams
    no report of what is under way is waited for.
    """
    books = desk.books[snapshot.account]
    books.alive_after_end &= {report.link_id for report in snapshot.open_orders}
    live = unsettled(desk, snapshot.account)
    by_link = {work.order.link_id: work for work in live if work.order}
    comparison = compare_orders(list(by_link), books.external_orders, snapshot.open_orders)
    for report in comparison.shown:
        work = by_link[report.link_id]
        if work.order is not None:
            is_quiet = is_start or not work.requests.pending
            apply_report(desk, work, work.order, report, looked_up=is_quiet)
            shown_alive(desk, report)
            confirmed(work.intent.intent_id)
    for link in comparison.absent:
        work = by_link[link]
        if work.requests.is_stuck:
            work.requests.is_stuck = False
            work.requests.tries.clear()
        if work.order is not None and (is_start or not work.requests.pending):
            if work.requests.check_ms is None or is_start or follows_gap:
                sending.look_up(desk, work, work.order, "not among the open orders")
            desk.touch(work)
    return _adopt_orders(desk, books, snapshot, list(by_link))


def differences(
    desk: Desk, snapshot: AccountSnapshot
) -> tuple[tuple[PositionCorrection, ...], tuple[BalanceCorrection, ...]]:
    """What differs in positions and balances."""
    book = desk.books[snapshot.account].book
    positions = compare_positions(snapshot.account, book.positions, snapshot.positions)
    balances = compare_balances(snapshot.account, book.coins(), snapshot.balances, snapshot.market_ms)
    if snapshot.set_aside:
        # What could not be read is not known: neither a difference nor absent.
        positions = tuple(change for change in positions if is_known(snapshot, "position", change.symbol))
        balances = tuple(change for change in balances if is_known(snapshot, "balance", change.finding.subject))
    return positions, balances


def correct(
    desk: Desk,
    snapshot: AccountSnapshot,
    positions: tuple[PositionCorrection, ...],
    balances: tuple[BalanceCorrection, ...],
) -> list[Finding]:
    """Bring the books to what the exchange shows; every correction is a finding."""
    books = desk.books[snapshot.account]
    for change in positions:
        _set_position(desk, books, change.symbol, change.position, snapshot)
    for correction in balances:
        post(desk, correction.posting)
    books.changed()
    return [change.finding for change in positions] + [correction.finding for correction in balances]


def _adopt_orders(desk: Desk, books: AccountBooks, snapshot: AccountSnapshot, live: list[str]) -> list[Finding]:
    gone = books.external_orders - {report.exchange_id for report in snapshot.open_orders}
    if gone:
        books.external_orders -= gone
        books.is_dirty = True
    unheld = compare_orders(live, books.external_orders, snapshot.open_orders).external
    findings = []
    for report in unheld:
        parts = desk.ours(report.link_id, report.exchange_id)
        if parts is not None:
            take_own(desk, parts, report)
            shown_alive(desk, report)
            if report.link_id in desk.revenants:
                findings.append(own_order_finding(snapshot.account, report))
        elif adopt_external(desk, report):
            findings.append(external_order_finding(snapshot.account, report))
    return findings


def _set_position(desk: Desk, books: AccountBooks, symbol: str, position: Position, snapshot: AccountSnapshot) -> None:
    books.book.set_position(symbol, position)
    desk.record(
        PositionFact(
            account=snapshot.account,
            symbol=symbol,
            quantity=position.quantity,
            average_price=position.average_price,
            updated_ms=snapshot.market_ms,
        )
    )
