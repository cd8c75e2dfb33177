"""OR-6, OR-9: rows of the transaction log that neither an execution nor a transfer of ours books.

What cannot be attributed goes to suspense with one alert per type; it is never dropped and never stops anything. Any
order and any repetition of the rows gives the same ledger.
"""

from __future__ import annotations

from decimal import Decimal

from statemachines.execution import transfers
from statemachines.execution.account_books import AccountBooks
from statemachines.execution.context import ExecutionContext
from statemachines.execution.fills import post
from statemachines.execution.orders.staking_order_machine import StakingState
from statemachines.execution.orders.transfer_order_machine import TransferState
from statemachines.execution.reconciliation.earn import take_yields
from statemachines.execution.reconciliation.findings import Finding, Kind
from statemachines.execution.records.transaction_records import Correction
from statemachines.facts import PostingFact
from statemachines.ledger.exact import add
from statemachines.ledger.postings import DEPOSITS, WALLET, WITHDRAWALS, reversal_posting, wallet_lines
from statemachines.ledger.transaction_types import FLEXIBLE_STAKING, TRANSACTION_TYPES, BookedBy
from statemachines.ledger.transactions import Attribution, attribute, result_of, transaction_posting
from statemachines.requests import AccountSnapshot
from statemachines.transaction_log.row import TransactionRow

ZERO = Decimal(0)


def open_log(books: AccountBooks, snapshot: AccountSnapshot, began_ms: int) -> None:
    """The very first reading: what has happened so far is in the opening balances."""
    known = [(row.key, row.time_ms or 0) for row in snapshot.transactions or ()]
    books.transactions.begin(began_ms - 1, known, snapshot.market_ms)


def log_since_ms(context: ExecutionContext, books: AccountBooks) -> int:
    """The instant from which on the log is to be read.

    Accounts of versions that did not read it begin where their last comparison ended: everything before it is in the
    balances. Their confirmed transfers since then are expected to have rows.
    """
    records = books.transactions
    if not records.is_begun and books.is_opened:
        records.begin(books.reconciled_ms, (), books.reconciled_ms)
        expected = {leg.own_id for leg in records.legs}
        for work in context.transfers.known():
            is_unexpected = work.requested_ms > books.reconciled_ms and work.ordered.transfer_id not in expected
            if work.state is TransferState.DONE and is_unexpected:
                transfers.expect_row(context, work, books.account)
    return max(records.read_ms - context.parameters.reconcile_overlap_ms, 0)


def yields_since_ms(context: ExecutionContext, books: AccountBooks) -> int:
    """The instant from which on Earn's payments are to be read."""
    return max(books.transactions.yields_read_ms - context.parameters.reconcile_overlap_ms, 0)


def apply_transactions(context: ExecutionContext, snapshot: AccountSnapshot) -> list[Finding]:
    """Book the rows that are new; those of a transfer under way wait for its outcome."""
    if snapshot.transactions is None:
        return []
    books = context.books[snapshot.account]
    records = books.transactions
    findings: list[Finding] = []
    late: dict[str, list[TransactionRow]] = {}
    is_complete = not any(one.kind == "transaction" for one in snapshot.set_aside)
    for row in sorted(snapshot.transactions, key=lambda row: (row.time_ms or snapshot.market_ms, row.key)):
        attribution = attribute(row)
        if attribution.booked_by is BookedBy.EXECUTION or records.is_taken(row.key, row.time_ms):
            continue
        if _is_under_way(context, row):
            is_complete = False
            continue
        records.seen.add(row.key, row.time_ms or snapshot.market_ms)
        if _is_own(books, row) or (row.change == ZERO and not attribution.suspense_reason):
            continue
        if _is_transfer(row) and transfers.take_landed(context, row):
            _is_own(books, row)  # it is one of those expected since then
            late.setdefault(row.coin, []).append(row)
            continue
        findings.append(_book(context, row, attribution, snapshot.market_ms))
        late.setdefault(row.coin, []).append(row)
    for rows in late.values():
        _explain(context, books, rows, snapshot.market_ms)
    take_yields(context, snapshot)
    if is_complete:
        records.read_to(snapshot.market_ms)
    return findings


def remember_correction(books: AccountBooks, posting: PostingFact, found_ms: int) -> None:
    """A balance was corrected without an explanation; a row that arrives later may be one."""
    for line in posting.lines:
        if line.ledger_account == WALLET:
            counter = next(one.ledger_account for one in posting.lines if one.ledger_account != WALLET)
            correction = Correction(posting.posting_id, counter, line.coin, line.amount, found_ms)
            books.transactions.corrected(correction)


def _book(context: ExecutionContext, row: TransactionRow, attribution: Attribution, now_ms: int) -> Finding:
    posting = transaction_posting(row, attribution, now_ms)
    post(context, posting)
    if not posting.lines:
        context.record(posting)  # nothing could be booked, but the row is preserved
    context.count_result(row.account, row.coin, result_of(row, attribution))
    if attribution.ledger_account in (DEPOSITS, WITHDRAWALS) and row.change is not None:
        context.count_flow(row.account, row.coin, add(row.change, row.fee))
    amount = f"{row.change} {row.coin}" if row.change is not None else "an amount that cannot be read"
    kind: Kind = "transaction"
    if attribution.suspense_reason:
        kind = "suspense"
        _alert_suspense(context, row, attribution, amount)
    elif attribution.ledger_account == DEPOSITS:
        kind = "deposit"
    elif attribution.ledger_account == WITHDRAWALS:
        kind = "withdrawal"
        context.alert(
            "warning",
            f"withdrawal from {row.account}",
            f"{amount} left the account at the exchange ({row.transaction_type}, row {row.transaction_id}); this "
            "system did not order it. It was booked as a withdrawal: confirm that it was yours.",
        )
    context.note(
        str(row.account),
        "transaction",
        f"{row.transaction_type or 'no type'} of {amount} booked to {attribution.ledger_account}",
        row=row.key,
    )
    theirs = f"{row.transaction_type or 'no type'} of {amount} at {row.time_ms or 'an unread instant'}"
    resolution = f"booked to {attribution.ledger_account} from the exchange's transaction log"
    return Finding(row.account, kind, row.key, "none", theirs, resolution)


def _alert_suspense(context: ExecutionContext, row: TransactionRow, attribution: Attribution, amount: str) -> None:
    """One condition per account and type: it begins with the first row and changes with each further one."""
    name = row.transaction_type or "no type"
    count = context.books[row.account].transactions.count_suspense(name)
    rows = "1 row" if count == 1 else f"{count} rows"
    context.alert(
        "warning",
        f"transactions in suspense on {row.account}",
        f"{rows} of type {name!r}; the newest is {row.transaction_id} of {amount}: {attribution.suspense_reason} The "
        "balance equals the exchange's and the rows are preserved whole, but they count neither as profit nor as loss. "
        "Find the rows with `eternal ledger export` (type suspense) and clarify them with the exchange.",
        f"suspense:{row.account}:{name}",
    )


def _is_under_way(context: ExecutionContext, row: TransactionRow) -> bool:
    """Whether the row may belong to a transfer or staking order of ours whose outcome is not known yet."""
    if row.transaction_type in FLEXIBLE_STAKING:
        return any(
            (work.ordered.account, work.ordered.coin) == (row.account, row.coin)
            and work.into_earn.copy_negate() == row.change
            and work.state is not StakingState.REQUESTED
            for work in context.stakings.live()
        )
    return _is_transfer(row) and any(
        row.account in (work.ordered.from_account, work.ordered.to_account)
        and (work.ordered.coin, work.ordered.amount) == (row.coin, abs(row.change or ZERO))
        and work.may_have_moved
        for work in context.transfers.live()
    )


def _is_own(books: AccountBooks, row: TransactionRow) -> bool:
    if row.change is None:
        return False
    if row.transaction_type in FLEXIBLE_STAKING:
        return books.transactions.take_staking_leg(row.coin, row.change, row.order_id)
    return _is_transfer(row) and books.transactions.take_leg(row.coin, row.change, row.order_id)


def _is_transfer(row: TransactionRow) -> bool:
    known = TRANSACTION_TYPES.get(row.transaction_type)
    return known is not None and known.booked_by is BookedBy.TRANSFER


def _explain(context: ExecutionContext, books: AccountBooks, rows: list[TransactionRow], now_ms: int) -> None:
    """Reverse the corrections that stood for rows that have arrived only now: each alone, or all of a coin together."""
    left = [row for row in rows if row.change and not _reverse(context, books, [row], now_ms)]
    if len(left) > 1:
        _reverse(context, books, left, now_ms)


def _reverse(context: ExecutionContext, books: AccountBooks, rows: list[TransactionRow], now_ms: int) -> bool:
    total = ZERO
    for row in rows:
        total = add(total, row.change or ZERO)
    latest_ms = max(row.time_ms or now_ms for row in rows)
    found = books.transactions.take_correction(rows[0].coin, total, latest_ms)
    if found is None:
        return False
    lines = wallet_lines(books.account, found.ledger_account, found.coin, found.amount)
    named = ", ".join(row.transaction_id for row in rows)
    post(
        context,
        reversal_posting(found.posting_id, lines, now_ms, f"explained by {named} of the transaction log"),
    )
    return True
