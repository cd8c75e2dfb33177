"""OR-6: the ledger of one account against the exchange's own record, entry by entry, as of one instant (pure).

The exchange's balance at an instant is its wallet now less the changes of the rows since; so that a running system can
be checked too. A difference names the entry: its id, its time, its amount.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from statemachines.earn.terms import EarnYield
from statemachines.ledger.exact import add
from statemachines.ledger.postings import EARN, EARN_OPENING, FEES, FUNDING, STAKING, WALLET, yield_posting_id
from statemachines.ledger.transaction_types import FLEXIBLE_STAKING, TRANSACTION_TYPES, BookedBy
from statemachines.ledger.transactions import attribute, posting_id, transaction_posting
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import DAY_MS, HOUR_MS

ZERO = Decimal(0)
BOOKED_WITHIN_MS = HOUR_MS
"""How long after its row a movement may be booked: a transfer whose outcome was not known at first, say."""

YIELD_READ_WITHIN_MS = DAY_MS + HOUR_MS
"""How long after its payment yield may be unread: it is read with the transaction log, once a day."""

Lines = dict[tuple[str, str], Decimal]
"""Amounts by ledger account and coin."""

Fault = Literal["missing", "surplus", "amount", "account", "unexplained", "balance", "position", "total", "unread"]


class LedgerEntry(NamedTuple):
    """One posting as far as it concerns the account."""

    posting_id: str
    kind: str
    posted_ms: int
    lines: Mapping[tuple[str, str], Decimal]


class Difference(NamedTuple):
    """One difference. `entry` is the id of the posting or of the exchange's row; "" for a sum."""

    account: str
    fault: Fault
    entry: str
    time_ms: int
    ledger: str
    exchange: str
    text: str


class Figure(NamedTuple):
    """One line of the table: what the ledger says and what the exchange says."""

    account: str
    what: str
    unit: str
    ledger: Decimal
    exchange: Decimal

    @property
    def is_equal(self) -> bool:
        """Whether both agree to the last unit."""
        return self.ledger == self.exchange


class EarnCheck(NamedTuple):
    """The result for what is in Earn. `unread`: yield that is paid and not read yet, left out of the exchange's."""

    figures: list[Figure]
    differences: list[Difference]
    unread: list[EarnYield]


@dataclass(slots=True)
class AccountCheck:
    """The result for one account."""

    figures: list[Figure] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    entries: int = 0
    """Rows of the exchange that were compared one by one."""


def check_account(
    account: str,
    entries: Iterable[LedgerEntry],
    rows: Iterable[TransactionRow],
    wallet_now: Mapping[str, Decimal],
    as_of_ms: int,
    from_ms: int = 0,
) -> AccountCheck:
    """Compare balances, fees, funding and every single entry. `entries` are all postings of the account, `rows` its
    transaction log since `read_from_ms` without gaps until now; `wallet_now` is read after it."""
    check = AccountCheck()
    ours = [entry for entry in entries if entry.posted_ms <= as_of_ms]
    opening_ms = opened_ms(ours)
    begin_ms = max(from_ms, opening_ms)
    # What no entry claims up to here was there before: it is part of the opening, or of an account that was empty then.
    before_ms = max(opening_ms or min((entry.posted_ms for entry in ours), default=0) - 1, from_ms - 1)
    earliest_ms = read_from_ms(ours, from_ms)
    every = list(rows)
    theirs = [row for row in every if row.time_ms is None or earliest_ms <= row.time_ms <= as_of_ms]
    counted = _compare_entries(check, account, ours, theirs, begin_ms, before_ms)
    since = [row for row in every if _time(row) > as_of_ms]
    _compare_balances(check, account, ours, wallet_now, since)
    compared = [entry for entry in ours if entry.posted_ms >= begin_ms and entry.kind != "opening"]
    _compare_totals(check, account, "fees", compared, FEES, counted)
    _compare_totals(check, account, "funding paid", compared, FUNDING, counted)
    return check


def read_from_ms(entries: Iterable[LedgerEntry], from_ms: int = 0) -> int:
    """From when on the log is read for `check_account`; 0 for an account without entries. A transfer is booked when its
    outcome is known, which is after the instant of its row; an opening took over what had happened until then."""
    ours = list(entries)
    opening_ms = opened_ms(ours)
    first_ms = opening_ms or min((entry.posted_ms for entry in ours), default=0)
    return max(opening_ms, max(from_ms, first_ms) - BOOKED_WITHIN_MS, 0)


class Traded(NamedTuple):
    """The signed quantity of a perpetual that one execution added to its position."""

    symbol: str
    quantity: Decimal
    time_ms: int


def positions_at(at_ms: int, now: Mapping[str, Decimal], traded: Iterable[Traded]) -> dict[str, Decimal]:
    """The signed quantities at an instant: those of now without what was executed since."""
    found = dict(now)
    for one in traded:
        if one.time_ms > at_ms:
            found[one.symbol] = add(found.get(one.symbol, ZERO), one.quantity.copy_negate())
    return {symbol: quantity for symbol, quantity in found.items() if quantity}


def compare_positions(
    account: str, ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]
) -> tuple[list[Figure], list[Difference]]:
    """Signed quantities by symbol, to the last unit; both sides as of one instant (`positions_at`)."""
    figures = [
        Figure(account, "position", symbol, ours.get(symbol, ZERO), theirs.get(symbol, ZERO))
        for symbol in sorted({*ours, *theirs})
    ]
    return figures, [_sum_difference(figure, "position") for figure in figures if not figure.is_equal]


def earn_at(
    at_ms: int, now: Mapping[str, Decimal], rows: Iterable[TransactionRow], yields: Iterable[EarnYield]
) -> dict[str, Decimal]:
    """What Earn held at an instant: what it holds now without what was staked, redeemed and paid since."""
    found = dict(now)
    for row in rows:
        if row.transaction_type in FLEXIBLE_STAKING and row.coin and _time(row) > at_ms:
            found[row.coin] = add(found.get(row.coin, ZERO), row.change or ZERO)
    for one in yields:
        if one.paid_ms > at_ms:
            found[one.coin] = add(found.get(one.coin, ZERO), one.amount.copy_negate())
    return {coin: amount for coin, amount in found.items() if amount}


def compare_earn(
    account: str,
    entries: Iterable[LedgerEntry],
    in_earn: Mapping[str, Decimal],
    yields: Iterable[EarnYield] = (),
    now_ms: int = 0,
) -> EarnCheck:
    """What flexible Earn products hold, by coin, to the last unit; `entries` are all postings of the account up to the
    instant of `in_earn` (`earn_at`), `yields` the payments of the last `YIELD_READ_WITHIN_MS` before it.

    Yield is paid during the day and read at its end. What is paid and not booked yet is left out of the exchange's side
    if it is the whole difference, to the last unit; otherwise it explains nothing."""
    postings = list(entries)
    held = _lines(item for entry in postings for item in entry.lines.items() if item[0][0] == EARN)
    ours = {coin: amount for (_name, coin), amount in held.items()}
    theirs, unread = dict(in_earn), list[EarnYield]()
    due = _unbooked(account, postings, yields, now_ms)
    for coin in sorted({one.coin for one in due}):
        payments = [one for one in due if one.coin == coin]
        rest = theirs.get(coin, ZERO)
        for one in payments:
            rest = add(rest, one.amount.copy_negate())
        if rest == ours.get(coin, ZERO) != theirs.get(coin, ZERO):
            theirs[coin] = rest
            unread += payments
    figures = [
        Figure(account, "earn", coin, ours.get(coin, ZERO), theirs.get(coin, ZERO)) for coin in sorted({*ours, *theirs})
    ]
    return EarnCheck(figures, [_sum_difference(one, "balance") for one in figures if not one.is_equal], unread)


def _unbooked(
    account: str, entries: Sequence[LedgerEntry], yields: Iterable[EarnYield], now_ms: int
) -> list[EarnYield]:
    """The payments that may still be unread; what was paid before the opening is part of it."""
    begun_ms = max(
        opened_ms(entries), *(one.posted_ms for one in entries if one.posting_id.startswith(EARN_OPENING)), 0
    )
    since_ms = max(begun_ms + 1, now_ms - YIELD_READ_WITHIN_MS)
    booked = {entry.posting_id for entry in entries}
    return [one for one in yields if one.paid_ms >= since_ms and yield_posting_id(account, one.yield_id) not in booked]


def expected_lines(row: TransactionRow) -> Lines:
    """How the row is booked by this ledger: by its execution, its transfer, or from the log."""
    attribution = attribute(row)
    if row.change is None or not row.coin:
        return {}
    if attribution.booked_by is BookedBy.LOG:
        return _lines(
            ((line.ledger_account, line.coin), line.amount) for line in transaction_posting(row, attribution, 0).lines
        )
    amounts = [((WALLET, row.coin), row.change)]
    if attribution.booked_by is BookedBy.EXECUTION:
        trading = TRANSACTION_TYPES["TRADE"].ledger_account
        amounts += [
            ((trading, row.coin), row.cash_flow.copy_negate()),
            ((FUNDING, row.coin), row.funding.copy_negate()),
            ((FEES, row.coin), row.fee),
        ]
    return _lines(amounts)


def _compare_entries(
    check: AccountCheck,
    account: str,
    ours: Sequence[LedgerEntry],
    theirs: Sequence[TransactionRow],
    begin_ms: int,
    before_ms: int,
) -> list[Lines]:
    """Every row has its entry, every entry its rows, and both say the same. Returns what the rows say that belong to
    the entries from `begin_ms` on, or to none at all."""
    counted: list[Lines] = []
    left = {entry.posting_id: entry for entry in ours}
    for name in _reversed(left):
        del left[name]
    for rows in _by_entry(account, theirs):
        check.entries += 1
        found = _claim(account, rows, left)
        if found is None:
            if min(_time(row) for row in rows) > before_ms:
                missing = [row for row in rows if row.change or row.problem]
                check.differences += [_missing(account, row) for row in missing]
                counted += [expected_lines(row) for row in missing]
            continue
        wanted = _lines(item for row in rows for item in expected_lines(row).items())
        if found.kind == "transfer":
            wanted = {key: amount for key, amount in wanted.items() if key[0] == WALLET}
        elif found.posting_id.startswith("log:") and attribute(rows[0]).booked_by is BookedBy.TRANSFER:
            wanted = _lines(
                ((line.ledger_account, line.coin), line.amount)
                for line in transaction_posting(rows[0], attribute(rows[0]), 0).lines
            )
        had = _lines(found.lines.items())
        if found.posted_ms >= begin_ms and found.kind != "opening":
            counted.append(wanted)
        if rows[0].change is None:
            check.differences.append(_unread(account, found, rows[0]))
        elif had != wanted:
            check.differences.append(_contradiction(account, found, rows[0], had, wanted))
    for entry in left.values():
        is_due = entry.kind != "opening" and entry.posted_ms >= begin_ms
        if is_due and any(amount for (name, _coin), amount in entry.lines.items() if name == WALLET):
            check.differences.append(_surplus(account, entry))
    return counted


def opened_ms(entries: Iterable[LedgerEntry]) -> int:
    """When the account's opening was booked; 0 without one."""
    return max((entry.posted_ms for entry in entries if entry.kind == "opening"), default=0)


def _by_entry(account: str, rows: Iterable[TransactionRow]) -> Iterable[list[TransactionRow]]:
    """The rows that one posting stands for: a spot trade moves two coins under one trade id."""
    groups: dict[str, list[TransactionRow]] = {}
    for row in rows:
        is_trade = attribute(row).booked_by is BookedBy.EXECUTION and row.trade_id
        groups.setdefault(f"trade:{row.trade_id}" if is_trade else f"row:{row.key}", []).append(row)
    return groups.values()


def _claim(account: str, rows: Sequence[TransactionRow], left: dict[str, LedgerEntry]) -> LedgerEntry | None:
    """The entry of the rows, which is then no longer available for others."""
    first = rows[0]
    names = [posting_id(first)]
    booked_by = attribute(first).booked_by
    if booked_by is BookedBy.EXECUTION:
        names = [f"fill:{account}:{first.trade_id}", f"funding:{account}:{first.trade_id}"]
    elif booked_by is BookedBy.TRANSFER or first.transaction_type in ("TRANSFER_IN", "TRANSFER_OUT"):
        names.append(f"transfer:{first.order_id}")
        fitting = [
            entry
            for entry in left.values()
            if entry.kind == "transfer" and entry.lines.get((WALLET, first.coin), ZERO) == first.change
        ]
        names += [one.posting_id for one in sorted(fitting, key=lambda entry: abs(entry.posted_ms - _time(first)))]
    elif first.transaction_type in FLEXIBLE_STAKING:
        prefix = f"{STAKING}{account}:"
        own = [
            entry
            for entry in left.values()
            if entry.posting_id.startswith(prefix) and entry.lines.get((WALLET, first.coin), ZERO) == first.change
        ]
        names += [one.posting_id for one in sorted(own, key=lambda entry: abs(entry.posted_ms - _time(first)))]
    for name in names:
        if name in left:
            return left.pop(name)
    return None


def _reversed(entries: Mapping[str, LedgerEntry]) -> list[str]:
    """Corrections that were reversed later, and their reversals: together they moved nothing."""
    pairs = [(name.removeprefix("reversal:"), name) for name in entries if name.startswith("reversal:")]
    return [name for pair in pairs if pair[0] in entries for name in pair]


def _compare_balances(
    check: AccountCheck,
    account: str,
    ours: Sequence[LedgerEntry],
    wallet_now: Mapping[str, Decimal],
    since: Sequence[TransactionRow],
) -> None:
    held = _lines(item for entry in ours for item in entry.lines.items())
    book = {coin: amount for (name, coin), amount in held.items() if name == WALLET}
    shown = dict(wallet_now)
    for row in since:
        if row.coin:
            shown[row.coin] = add(shown.get(row.coin, ZERO), (row.change or ZERO).copy_negate())
    for coin in sorted({*book, *shown}):
        figure = Figure(account, "balance", coin, book.get(coin, ZERO), shown.get(coin, ZERO))
        check.figures.append(figure)
        if not figure.is_equal:
            check.differences.append(_sum_difference(figure, "balance"))


def _compare_totals(
    check: AccountCheck,
    account: str,
    what: str,
    entries: Sequence[LedgerEntry],
    ledger_account: str,
    shown: Iterable[Lines],
) -> None:
    ours = _lines(item for entry in entries for item in entry.lines.items() if item[0][0] == ledger_account)
    theirs = _lines(item for lines in shown for item in lines.items() if item[0][0] == ledger_account)
    for key in sorted({*ours, *theirs}):
        figure = Figure(account, what, key[1], ours.get(key, ZERO), theirs.get(key, ZERO))
        check.figures.append(figure)
        if not figure.is_equal:
            check.differences.append(_sum_difference(figure, "total"))


def _missing(account: str, row: TransactionRow) -> Difference:
    amount = f"{_shown(row.change)} {row.coin}"
    text = f"the exchange's {row.transaction_type or 'row without type'} of {amount} is not in the ledger"
    if row.trade_id:
        text += f" (trade {row.trade_id}, order {row.order_id or 'unknown'})"
    return Difference(account, "missing", row.transaction_id, _time(row), "none", amount, text)


def _unread(account: str, entry: LedgerEntry, row: TransactionRow) -> Difference:
    text = f"the exchange's {row.transaction_type} {row.transaction_id} is preserved, but its amount cannot be read"
    return Difference(account, "unread", entry.posting_id, entry.posted_ms, "nothing", "an unread amount", text)


def _surplus(account: str, entry: LedgerEntry) -> Difference:
    moved = _texts({key: amount for key, amount in entry.lines.items() if key[0] == WALLET})
    if entry.kind in ("adjustment", "deposit", "reversal") and not entry.posting_id.startswith("log:"):
        text = f"a difference of {moved} was booked without a record of the exchange that explains it"
        return Difference(account, "unexplained", entry.posting_id, entry.posted_ms, moved, "none", text)
    text = f"the ledger's {entry.kind} of {moved} has no row in the exchange's log: it is booked twice, or never was"
    return Difference(account, "surplus", entry.posting_id, entry.posted_ms, moved, "none", text)


def _contradiction(account: str, entry: LedgerEntry, row: TransactionRow, had: Lines, wanted: Lines) -> Difference:
    differing = {key for key in {*had, *wanted} if had.get(key, ZERO) != wanted.get(key, ZERO)}
    ours = {key: had.get(key, ZERO) for key in differing}
    theirs = {key: wanted.get(key, ZERO) for key in differing}
    is_amount = any(name == WALLET for name, _coin in differing)
    fault: Fault = "amount" if is_amount else "account"
    what = "amount differs" if is_amount else "accounts of the ledger differ"
    text = f"the {entry.kind}'s {what} from the exchange's {row.transaction_type} {row.transaction_id}"
    return Difference(account, fault, entry.posting_id, entry.posted_ms, _texts(ours), _texts(theirs), text)


def _sum_difference(figure: Figure, fault: Fault) -> Difference:
    apart = add(figure.ledger, figure.exchange.copy_negate())
    text = f"{figure.what} {figure.unit}: the ledger is {_shown(apart)} apart from the exchange"
    return Difference(figure.account, fault, "", 0, _shown(figure.ledger), _shown(figure.exchange), text)


def _lines(amounts: Iterable[tuple[tuple[str, str], Decimal]]) -> Lines:
    sums: Lines = {}
    for key, amount in amounts:
        sums[key] = add(sums.get(key, ZERO), amount)
    return {key: amount for key, amount in sums.items() if amount}


def _texts(lines: Mapping[tuple[str, str], Decimal]) -> str:
    return ", ".join(f"{name} {_shown(amount)} {coin}" for (name, coin), amount in sorted(lines.items())) or "nothing"


def _shown(amount: Decimal | None) -> str:
    return "an unread amount" if amount is None else format(amount.normalize() if amount else ZERO, "f")


def _time(row: TransactionRow) -> int:
    return row.time_ms or 0
