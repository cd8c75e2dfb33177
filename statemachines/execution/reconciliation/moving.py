"""OR-6, OR-9: money that is under way while an account is compared, and what of a balance it explains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.staking_order_machine import UNCERTAIN
from statemachines.execution.orders.transfer_order import TransferWork
from statemachines.ledger.exact import add
from statemachines.values import Account

ZERO = Decimal(0)
MOST_TOGETHER = 10
"""Transfers of one coin whose possible sums are compared one by one: 1,024. Of more, the coin waits for all of them."""


def moving_money(context: ExecutionContext, account: Account) -> list[str]:
    """The transfers and staking orders of the account that are under way, in words: its balance may or may not have
    changed yet."""
    transfers = [
        f"transfer {one.work_id} of {one.ordered.amount:f} {one.ordered.coin} ({one.state})"
        for one in _transfers(context, account)
    ]
    stakings = [
        f"{one.ordered.action} order {one.work_id} of {one.ordered.amount:f} {one.ordered.coin} ({one.state})"
        for one in context.stakings.live()
        if one.ordered.account is account and one.state in UNCERTAIN
    ]
    return transfers + stakings


def coins_being_staked(context: ExecutionContext, account: Account) -> set[str]:
    """The coins of staking orders whose outcome is not known."""
    return {
        one.ordered.coin for one in context.stakings.live() if one.ordered.account is account and one.state in UNCERTAIN
    }


def with_landed(
    context: ExecutionContext, account: Account, ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]
) -> tuple[dict[str, Decimal], set[str]]:
    """Our balances with those transfers under way that explain the exchange's best, and the coins where some do.

    What is left differs whatever becomes of them. Should the explanation be wrong, their outcome shows it: the next
    comparison finds the rest.
    """
    adjusted, coins = dict(ours), set()
    amounts: dict[str, list[Decimal]] = {}
    for work in _transfers(context, account):
        ordered = work.ordered
        amount = ordered.amount if account is ordered.to_account else ordered.amount.copy_negate()
        amounts.setdefault(ordered.coin, []).append(amount)
    for coin, moved in amounts.items():
        book = ours.get(coin, ZERO)
        difference = add(theirs.get(coin, ZERO), book.copy_negate())
        landed = _best(difference, moved)
        if landed:
            adjusted[coin] = add(book, landed)
            coins.add(coin)
    return adjusted, coins


def _best(difference: Decimal, moved: list[Decimal]) -> Decimal:
    """The sum of some of the amounts, or of none, that is nearest to the difference; of two, the smaller one."""
    if len(moved) > MOST_TOGETHER:
        return difference
    sums = {ZERO}
    for amount in moved:
        sums |= {add(one, amount) for one in sums}
    return min(sums, key=lambda one: (abs(add(difference, one.copy_negate())), abs(one), one))


def _transfers(context: ExecutionContext, account: Account) -> Iterable[TransferWork]:
    for work in context.transfers.live():
        ordered = work.ordered
        is_between = ordered.from_account is not ordered.to_account
        if is_between and account in (ordered.from_account, ordered.to_account) and work.may_have_moved:
            yield work
