"""Wallet balances, to the smallest unit: a difference becomes a correcting posting and an alert (DESIGN 7)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from statemachines.execution.reconciliation.findings import Finding
from statemachines.facts import PostingFact
from statemachines.ledger.exact import add
from statemachines.ledger.postings import DEPOSITS, UNEXPLAINED, WITHDRAWALS, correction_posting
from statemachines.values import Account

ZERO = Decimal(0)


class BalanceCorrection(NamedTuple):
    """The posting that brings the ledger to the exchange's balance."""

    posting: PostingFact
    finding: Finding


def compare_balances(
    account: Account, ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal], found_ms: int
) -> tuple[BalanceCorrection, ...]:
    """Corrections by coin, in alphabetical order; a coin that is not listed counts as zero.

    Money enters only through the master account: an increase there is a deposit (OR-5).
    """
    corrections = []
    for coin in sorted({*ours, *theirs}):
        book, shown = ours.get(coin, ZERO), theirs.get(coin, ZERO)
        difference = add(shown, book.copy_negate())
        if not difference:
            continue
        counter, resolution = _explain(account, difference)
        finding = Finding(
            account, "deposit" if counter == DEPOSITS else "balance", coin, str(book), str(shown), resolution
        )
        corrections.append(BalanceCorrection(correction_posting(account, coin, difference, counter, found_ms), finding))
    return tuple(corrections)


def empty_wallet_problem(account: Account, ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]) -> str:
    """Why a wallet without any coin is implausible, as a sentence; "" when it is plausible.

    The exchange leaves out coins with a zero balance, so an account that was emptied by hand looks like an incomplete
    list. A wrong zero would clear the ledger of a whole account, so the list must contain at least one coin.
    """
    held = sorted(coin for coin, amount in ours.items() if amount > ZERO)
    if theirs or not held:
        return ""
    return (
        f"wallet of {account}: the list of coins is empty, but the ledger holds {', '.join(held)}; nothing is booked. "
        "If the account was emptied by hand, transfer any amount of a coin to it: then it is compared again."
    )


def _explain(account: Account, difference: Decimal) -> tuple[str, str]:
    if account is not Account.MASTER:
        return UNEXPLAINED, f"{difference} posted against {UNEXPLAINED}: find out why"
    if difference > 0:
        return DEPOSITS, f"{difference} booked as a deposit"
    return WITHDRAWALS, f"{difference} booked as a withdrawal: confirm that it was yours"
