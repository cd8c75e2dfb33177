"""CH-10, OR-9: the account's Earn positions against the ledger, and the yield that Earn has paid.

Coins that left the wallet and are in Earn, or the reverse, have moved and are not missing, whatever record of it is
late or absent. While a staking order of ours is under way, both sides may or may not show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from statemachines.earn.terms import EarnReading, EarnYield
from statemachines.execution.account_books import AccountBooks
from statemachines.execution.context import ExecutionContext
from statemachines.execution.fills import post
from statemachines.execution.orders.staking_order_machine import StakingState
from statemachines.execution.reconciliation.balances import BalanceCorrection
from statemachines.execution.reconciliation.findings import Finding
from statemachines.execution.records.transaction_records import YIELD_PREFIX
from statemachines.ledger.exact import add
from statemachines.ledger.postings import (
    UNEXPLAINED,
    WALLET,
    earn_correction_posting,
    earn_opening_posting,
    yield_posting,
)
from statemachines.requests import (
    AccountSnapshot,
)
from statemachines.values import EARN_ACCOUNT, ENGINE_OF, IDENTITY_OF, SPOT, Account

ZERO = Decimal(0)


def coins_in_earn(reading: EarnReading | None) -> dict[str, Decimal] | None:
    """What the exchange shows in Earn, by coin; None when it is not known."""
    if reading is None or reading.positions is None:
        return None
    found: dict[str, Decimal] = {}
    for position in reading.positions:
        found[position.coin] = add(found.get(position.coin, ZERO), position.amount)
    return {coin: amount for coin, amount in found.items() if amount}


def wanted_coins(context: ExecutionContext) -> tuple[str, ...]:
    """The coins whose Earn products are of interest: those that the engine can hold."""
    universe = IDENTITY_OF[ENGINE_OF[EARN_ACCOUNT]].universe
    named = {name.partition(":")[2].removesuffix("USDT") for name in universe if name.startswith(f"{SPOT}:")}
    traded = {one.base_coin for (category, _symbol), one in context.instruments.items() if category == SPOT}
    return tuple(sorted(named | traded))


def yield_key(one: EarnYield) -> str:
    """The key under which a payment of yield is taken once."""
    return f"{YIELD_PREFIX}{one.yield_id}"


def take_yields(context: ExecutionContext, snapshot: AccountSnapshot) -> None:
    """Book the payments that are new, each once. As long as Earn cannot be read they are read from the same instant
    on: what is paid meanwhile is booked once it can."""
    books = context.books[snapshot.account]
    records = books.transactions
    if snapshot.earn is None:
        return
    if snapshot.earn.access == "denied" and not books.is_earn_opened:
        records.yields_read_to(snapshot.market_ms)  # what is paid until Earn is opened will be part of the opening
    if snapshot.earn.yields is None:
        return
    if not books.is_earn_opened:
        open_yields(books, snapshot.earn)
        open_earn(context, snapshot)
    for one in sorted(snapshot.earn.yields, key=lambda row: (row.paid_ms, row.yield_id)):
        if records.is_yield_taken(yield_key(one), one.paid_ms):
            continue
        records.seen.add(yield_key(one), one.paid_ms)
        post(context, yield_posting(snapshot.account, one.yield_id, one.coin, one.amount, one.paid_ms))
        context.publish_balances(snapshot.account)
        if one.coin in books.book.staked():
            context.count_result(snapshot.account, one.coin, one.amount)  # part of what is held, and a result (F11)
        text = f"Earn has paid {one.amount} {one.coin}"
        context.note(str(snapshot.account), "yield", text, amount=str(one.amount), coin=one.coin)
    if not snapshot.earn.has_pending_yields:
        records.yields_read_to(snapshot.market_ms)


def open_yields(books: AccountBooks, reading: EarnReading | None) -> None:
    """The very first reading: what was paid so far is in the opening balances."""
    for one in (reading.yields if reading is not None else None) or ():
        books.transactions.seen.add(yield_key(one), one.paid_ms)


def open_earn(context: ExecutionContext, snapshot: AccountSnapshot) -> None:
    """The first reading that shows Earn, together with the transaction log: what the ledger does not have was there
    before this system began to look."""
    books, theirs = context.books[snapshot.account], coins_in_earn(snapshot.earn)
    if books.is_earn_opened or theirs is None or snapshot.transactions is None:
        return
    books.is_earn_opened = True
    books.is_dirty = True
    ours = books.book.in_earn()
    differences = {coin: add(theirs.get(coin, ZERO), ours.get(coin, ZERO).copy_negate()) for coin in {*ours, *theirs}}
    post(context, earn_opening_posting(snapshot.account, differences, snapshot.market_ms))
    context.publish_balances(snapshot.account)


class EarnComparison(NamedTuple):
    """`balances` are the corrections of the wallet that remain; `corrections` those of Earn."""

    balances: tuple[BalanceCorrection, ...]
    corrections: tuple[BalanceCorrection, ...]


def compare_earn(
    context: ExecutionContext, snapshot: AccountSnapshot, balances: tuple[BalanceCorrection, ...]
) -> EarnComparison:
    """The differences in Earn, and the wallet's without those that Earn or a staking order under way explains."""
    account = snapshot.account
    under_way = _under_way(context, account)
    in_wallet = {one.finding.subject: one for one in balances}
    for coin, moved in under_way.items():
        if coin in in_wallet and _difference(in_wallet[coin]) in {amount.copy_negate() for amount in moved}:
            del in_wallet[coin]
    theirs, books = coins_in_earn(snapshot.earn), context.books[account]
    corrections = []
    if theirs is not None and books.is_earn_opened:
        ours = books.book.in_earn()
        for coin in sorted({*ours, *theirs}):
            book, shown = ours.get(coin, ZERO), theirs.get(coin, ZERO)
            difference = add(shown, book.copy_negate())
            if not difference or difference in under_way.get(coin, set()):
                continue
            beside = in_wallet.get(coin)
            is_move = beside is not None and add(_difference(beside), difference) == 0
            if is_move:
                del in_wallet[coin]
            corrections.append(_correction(snapshot, coin, difference, book, shown, is_move=is_move))
    return EarnComparison(tuple(one for one in balances if one.finding.subject in in_wallet), tuple(corrections))


def _under_way(context: ExecutionContext, account: Account) -> Mapping[str, set[Decimal]]:
    """Per coin what staking orders under way add to Earn, if they have had their effect already."""
    found: dict[str, set[Decimal]] = {}
    for work in context.stakings.live():
        if work.ordered.account is account and work.state is not StakingState.REQUESTED:
            found.setdefault(work.ordered.coin, set()).add(work.into_earn)
    return found


def _difference(correction: BalanceCorrection) -> Decimal:
    return next(line.amount for line in correction.posting.lines if line.ledger_account == WALLET)


def _correction(
    snapshot: AccountSnapshot, coin: str, difference: Decimal, book: Decimal, shown: Decimal, *, is_move: bool
) -> BalanceCorrection:
    counter = WALLET if is_move else UNEXPLAINED
    resolution = (
        f"{difference} moved between the wallet and Earn"
        if is_move
        else f"{difference} posted against {UNEXPLAINED}: find out why"
    )
    finding = Finding(snapshot.account, "earn_move" if is_move else "earn", coin, str(book), str(shown), resolution)
    posting = earn_correction_posting(snapshot.account, coin, difference, counter, snapshot.market_ms)
    return BalanceCorrection(posting, finding)
