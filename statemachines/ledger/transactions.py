"""OR-6: what a row of the transaction log is in the ledger, as pure functions; the unknown is suspense."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from statemachines.facts import PostingFact, PostingKind
from statemachines.ledger.exact import add
from statemachines.ledger.postings import FEES, SUSPENSE, balanced, wallet_lines
from statemachines.ledger.transaction_types import TRANSACTION_TYPES, BookedBy, Effect, Sign
from statemachines.transaction_log.row import TransactionRow

ZERO = Decimal(0)


class Attribution(NamedTuple):
    """`suspense_reason` says why a row cannot be attributed, as a sentence; "" when it can."""

    booked_by: BookedBy
    ledger_account: str
    kind: PostingKind
    effect: Effect
    suspense_reason: str = ""


def attribute(row: TransactionRow) -> Attribution:
    """The counter-account of a row, from the one table of types; the same row always has the same."""
    known = TRANSACTION_TYPES.get(row.transaction_type)
    if known is not None and known.booked_by is BookedBy.EXECUTION:
        return Attribution(known.booked_by, known.ledger_account, known.kind, known.effect)
    if row.problem or row.change is None or not row.coin:
        return _suspense(row.problem or "the row has no coin or no amount.")
    if known is None:
        return _suspense(f"type {row.transaction_type!r} is not known.")
    if not _is_of_sign(row.change, known.sign):
        required = "above 0" if known.sign is Sign.IN else "below 0"
        return _suspense(f"type {row.transaction_type} with a change of {row.change:f}; one {required} is required.")
    return Attribution(known.booked_by, known.ledger_account, known.kind, known.effect)


def transaction_posting(row: TransactionRow, attribution: Attribution, booked_ms: int) -> PostingFact:
    """The row as a balanced posting: the wallet by its change, the fee, and the counter-account by the rest.

    A row whose amount cannot be read moves nothing: its posting has no lines and preserves it whole. `booked_ms` stands
    in for an instant that cannot be read.
    """
    lines = []
    if row.change is not None and row.coin:
        fee = ZERO if attribution.suspense_reason else row.fee
        lines = [
            *wallet_lines(row.account, FEES, row.coin, fee.copy_negate()),
            *wallet_lines(row.account, attribution.ledger_account, row.coin, add(row.change, fee)),
        ]
    what = f"{row.transaction_type or 'no type'} of {row.change if row.change is not None else 'an unread amount'}"
    text = f"{what} {row.coin}".rstrip()
    if row.symbol:
        text += f" on {row.symbol}"
    if attribution.suspense_reason:
        text += f": {attribution.suspense_reason} The row: {row.raw}"
    return balanced(
        PostingFact(
            posting_id=posting_id(row),
            kind=attribution.kind,
            posted_ms=booked_ms if row.time_ms is None else row.time_ms,
            description=text,
            lines=tuple(lines),
        )
    )


def posting_id(row: TransactionRow) -> str:
    """The id under which the row is booked."""
    return f"log:{row.account}:{row.key}"


def result_of(row: TransactionRow, attribution: Attribution) -> Decimal:
    """How much of the row's change is profit or loss rather than a flow (RULINGS F11)."""
    if row.change is None or attribution.suspense_reason:
        return ZERO
    return row.change if attribution.effect is Effect.RESULT else row.fee.copy_negate()


def _suspense(reason: str) -> Attribution:
    return Attribution(BookedBy.LOG, SUSPENSE, "suspense", Effect.FLOW, reason)


def _is_of_sign(change: Decimal, sign: Sign) -> bool:
    return sign is Sign.ANY or change == 0 or (change > 0) is (sign is Sign.IN)
