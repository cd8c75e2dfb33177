"""OR-6: what `eternal ledger check` takes for equal, and what for a difference."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from statemachines.earn.terms import EarnYield
from statemachines.facts import PostingFact
from statemachines.ledger.check import (
    BOOKED_WITHIN_MS,
    YIELD_READ_WITHIN_MS,
    AccountCheck,
    LedgerEntry,
    check_account,
    compare_earn,
    read_from_ms,
)
from statemachines.ledger.postings import earn_opening_posting, opening_posting, transfer_posting, yield_posting
from statemachines.ledger.transactions import attribute, transaction_posting
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import Account

D = Decimal
A = Account.TREND_1
NOW = 1_700_000_000_000
DAY = 86_400_000


def row(number: int, kind: str, change: str, at_ms: int | None, **fields: Any) -> TransactionRow:
    return TransactionRow(
        account=A, transaction_id=f"l{number}", transaction_type=kind, coin="USDT", change=D(change), time_ms=at_ms,
        **fields,
    )  # fmt: skip


def entries(facts: Iterable[PostingFact]) -> list[LedgerEntry]:
    found = []
    for fact in facts:
        lines: dict[tuple[str, str], Decimal] = {}
        for line in fact.lines:
            if line.account == A:
                key = (line.ledger_account, line.coin)
                lines[key] = lines.get(key, D(0)) + line.amount
        found.append(LedgerEntry(fact.posting_id, fact.kind, fact.posted_ms, lines))
    return found


def transfer(number: int, amount: str, at_ms: int) -> PostingFact:
    return transfer_posting(f"t{number}", Account.MASTER, A, "USDT", D(amount), at_ms, "OR-5")


def from_log(one: TransactionRow, booked_ms: int = 0) -> PostingFact:
    return transaction_posting(one, attribute(one), booked_ms)


def checked(facts: Iterable[PostingFact], rows: list[TransactionRow], held: str, from_ms: int = 0) -> AccountCheck:
    """As the command does it: only what was read can be compared."""
    ours = entries(facts)
    read = [one for one in rows if one.time_ms is None or one.time_ms >= read_from_ms(ours, from_ms)]
    return check_account(A, ours, read, {"USDT": D(held)} if D(held) else {}, NOW + DAY, from_ms)


@pytest.mark.parametrize("late_ms", [1, 40, 120_000])
def test_the_first_transfer_into_an_empty_account_is_equal_however_late_it_was_booked(late_ms: int) -> None:
    """In live the row's instant lies before the booking. The log was read from the booking on: the first transfer of
    every account that was empty at the start was "booked twice, or never was"."""
    rows = [row(1, "TRANSFER_IN", "100", NOW), row(2, "TRANSFER_IN", "100", NOW + DAY // 2)]
    facts = [transfer(1, "100", NOW + late_ms), transfer(2, "100", NOW + DAY // 2 + late_ms)]
    assert checked(facts, rows, "200").differences == []
    (missed,) = [one for one in checked(facts[:1], rows, "200").differences if one.entry]
    assert (missed.fault, missed.entry) == ("missing", "l2")
    (never,) = [one for one in checked(facts, rows[:1], "100").differences if one.entry]
    assert (never.fault, never.entry) == ("surplus", "transfer:t2")


def test_what_an_empty_account_saw_before_its_first_entry_is_none_of_the_ledgers() -> None:
    rows = [row(1, "TRANSFER_IN", "100", NOW - 900), row(2, "TRANSFER_OUT", "-100", NOW - 500)]
    rows.append(row(3, "TRANSFER_IN", "100", NOW))
    assert checked([transfer(1, "100", NOW + 40)], rows, "100").differences == []


def test_what_happened_before_an_opening_belongs_to_it_whatever_its_amount() -> None:
    opening = opening_posting(A, {"USDT": D(100)}, NOW)
    assert opening is not None
    rows = [row(1, "TRANSFER_IN", "100", NOW - 5), row(2, "TRANSFER_IN", "100", NOW + 10)]
    assert checked([opening, transfer(1, "100", NOW + 50)], rows, "200").differences == []
    found = checked([opening, transfer(1, "100", NOW + 50)], rows[:1], "100")
    (never,) = [one for one in found.differences if one.entry]
    assert never.fault == "surplus"


def test_a_transfer_across_the_first_day_asked_for_is_equal() -> None:
    """`--from`: the row stands before midnight, its entry after it."""
    opening = opening_posting(A, {"USDT": D(100)}, NOW - 3 * DAY)
    assert opening is not None
    rows = [row(1, "TRANSFER_IN", "7", NOW - DAY), row(2, "TRANSFER_IN", "5", NOW - 20)]
    facts = [opening, transfer(1, "7", NOW - DAY + 9), transfer(2, "5", NOW + 20)]
    assert checked(facts, rows, "112", from_ms=NOW).differences == []
    (never,) = [one for one in checked(facts, rows[:1], "107", from_ms=NOW).differences if one.entry]
    assert never.entry == "transfer:t2"
    assert read_from_ms(entries(facts), NOW) == NOW - BOOKED_WITHIN_MS


@pytest.mark.parametrize("kind", ["SOMETHING_NEW", "BONUS", "TRANSFER_IN"])
def test_the_fee_of_a_row_counts_where_the_ledger_books_it(kind: str) -> None:
    """A row in suspense is booked whole, its fee included; the sum of the fees then differed for ever."""
    opening = opening_posting(A, {"USDT": D(100)}, NOW)
    assert opening is not None
    one = row(1, kind, "9.5", NOW + 5, cash_flow=D(10), fee=D("0.5"))
    check = checked([opening, from_log(one)], [one], "109.5")
    assert check.differences == [] and check.entries == 1
    assert {figure.is_equal for figure in check.figures} == {True}
    missing = checked([opening], [one], "109.5").differences
    assert {difference.fault for difference in missing} == {"missing", "balance", "total"} - (
        set() if kind == "BONUS" else {"total"}
    )


def test_a_row_whose_instant_cannot_be_read_is_the_entry_that_was_booked_for_it() -> None:
    """It was left out of the comparison, and its entry had "no row in the exchange's log"."""
    opening = opening_posting(A, {"USDT": D(100)}, NOW)
    assert opening is not None
    one = row(1, "BONUS", "3", None, problem="field 'transactionTime' is 'x'", raw="{}")
    assert checked([opening, from_log(one, NOW + 7)], [one], "103").differences == []


OPENED = NOW - 10 * DAY


def paid(number: int, amount: str, at_ms: int) -> EarnYield:
    return EarnYield(yield_id=f"y{number}", coin="ETH", amount=D(amount), paid_ms=at_ms)


@pytest.mark.parametrize(
    ("payments", "shown", "unread"),
    [
        ([paid(1, "0.1", NOW - 1)], "8.1", ["y1"]),
        ([paid(1, "0.1", NOW - 1), paid(2, "0.02", NOW - 2)], "8.12", ["y1", "y2"]),
        ([paid(1, "0.1", NOW - YIELD_READ_WITHIN_MS)], "8.1", ["y1"]),
        ([paid(1, "0.1", NOW - YIELD_READ_WITHIN_MS - 1)], "8.1", None),
        ([paid(1, "0.1", NOW - 1)], "8.1000000000000000001", None),
        ([paid(1, "0.1", NOW - 1)], "8.0999999999999999999", None),
        ([paid(1, "0.1", NOW - 1), paid(2, "0.02", NOW - 2)], "8.1", None),
        ([paid(1, "0.1", NOW - 1)], "7.9", None),
        ([paid(1, "0.1", NOW - 1)], "8", []),
        ([paid(9, "0.1", NOW - 1)], "8.1", None),
        ([], "8.1", None),
    ],
)
def test_or6_yield_that_is_paid_and_not_read_yet_is_no_difference_if_it_is_all_of_it(
    payments: list[EarnYield], shown: str, unread: list[str] | None
) -> None:
    """Paid at 00:30 and read at the end of the day, it was a difference of one day's yield for 23 hours and a half."""
    facts = [
        earn_opening_posting(A, {"ETH": D("7.9")}, OPENED), yield_posting(A, "y9", "ETH", D("0.1"), NOW - 1),
    ]  # fmt: skip
    check = compare_earn(A, entries(facts), {"ETH": D(shown)}, payments, NOW)
    assert bool(check.differences) is (unread is None)
    assert [one.yield_id for one in check.unread] == (unread or [])
    (figure,) = check.figures
    assert figure.ledger == 8 and figure.exchange == (8 if unread is not None else D(shown))


@pytest.mark.parametrize(("after_ms", "is_unread"), [(0, False), (1, True)])
def test_yield_from_before_the_opening_is_part_of_it(after_ms: int, is_unread: bool) -> None:
    opened_ms = NOW - 5
    facts = [earn_opening_posting(A, {"ETH": D(8)}, opened_ms)]
    check = compare_earn(A, entries(facts), {"ETH": D("8.1")}, [paid(1, "0.1", opened_ms + after_ms)], NOW)
    assert bool(check.unread) is is_unread and bool(check.differences) is not is_unread
