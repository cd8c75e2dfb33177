"""OR-6: balanced postings of all events that move money; `posting_id` contains the exchange's own id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from statemachines.facts import PostingFact, PostingLine
from statemachines.ledger.exact import add, multiply
from statemachines.requests import ExecutionReport
from statemachines.values import SPOT, Account, Side

ZERO = Decimal(0)

WALLET = "wallet"
"""The account's holdings at the exchange; equals its wallet balance to the smallest unit."""
TRADING = "trading"
"""Counter-account of trades: coins exchanged (spot) and realised profit and loss (linear)."""
FEES = "fees"
FUNDING = "funding"
OPENING = "opening"
DEPOSITS = "deposits"
WITHDRAWALS = "withdrawals"
UNEXPLAINED = "unexplained"
"""Counter-account of differences that reconciliation found and that are not explained yet; each raises an alert."""
SUSPENSE = "suspense"
"""Counter-account of rows of the transaction log that cannot be attributed: an unknown type, a contradiction."""
INTEREST = "interest"
BONUS = "bonus"
"""Bonuses, coupons and gifts of the exchange, less what it took back."""
CONVERSION = "conversion"
"""Counter-account of coins exchanged for each other outside the order book."""
DUST = "dust"
DEDUCTIONS = "deductions"
"""What the exchange deducted or rolled back on its own account."""
EARN = "earn"
"""The account's holdings in the exchange's flexible Earn products; equals its positions there."""
EARN_LOCKED = "earn_locked"
"""The account's holdings in Earn products of a fixed term, structured ones and the like. This system uses none of them;
their positions are not compared."""
EARN_INCOME = "earn_income"
LOANS = "loans"
CUSTODY = "custody"
"""The account's holdings locked with a custodian."""

LEDGER_ACCOUNTS: tuple[str, ...] = (
    WALLET, TRADING, FEES, FUNDING, OPENING, DEPOSITS, WITHDRAWALS, UNEXPLAINED, SUSPENSE, INTEREST, BONUS, CONVERSION,
    DUST, DEDUCTIONS, EARN, EARN_LOCKED, EARN_INCOME, LOANS, CUSTODY,
)  # fmt: skip
"""All accounts of the ledger."""


class UnbalancedPostingError(Exception):
    """The lines of a posting do not sum to zero per coin: a programming error."""


def balanced(posting: PostingFact) -> PostingFact:
    """The posting unchanged.

    Raises:
        UnbalancedPostingError: its lines do not sum to zero in some coin.
    """
    sums: dict[str, Decimal] = {}
    for line in posting.lines:
        sums[line.coin] = add(sums.get(line.coin, ZERO), line.amount)
    wrong = {coin: str(total) for coin, total in sums.items() if total != 0}
    if wrong:
        raise UnbalancedPostingError(
            f"posting {posting.posting_id} does not balance: {wrong}; every coin must sum to 0"
        )
    return posting


def fill_posting(report: ExecutionReport, base_coin: str, quote_coin: str, realized_pnl: Decimal) -> PostingFact:
    """A trade with its fee. Spot exchanges two coins; linear books the realised profit or loss in the quote coin.

    The fee is booked in the coin in which the exchange charged it: the base coin for a spot buy.
    """
    account = report.account
    if report.category == SPOT:
        value = multiply(report.quantity, report.price)
        lines = [
            *_pair(account, WALLET, TRADING, base_coin, _signed(report.quantity, report.side)),
            *_pair(account, WALLET, TRADING, quote_coin, _signed(value, report.side.opposite)),
        ]
    else:
        lines = _pair(account, WALLET, TRADING, quote_coin, realized_pnl)
    lines += _pair(account, FEES, WALLET, report.fee_coin or quote_coin, report.fee)
    for coin, amount in report.extra_fees:
        lines += _pair(account, FEES, WALLET, coin, amount)
    verb = "bought" if report.side is Side.BUY else "sold"
    return balanced(
        PostingFact(
            posting_id=f"fill:{account}:{report.execution_id}",
            kind="fill",
            posted_ms=report.executed_ms,
            description=f"{verb} {report.quantity} {report.category} {report.symbol} at {report.price}",
            lines=tuple(lines),
        )
    )


def funding_posting(report: ExecutionReport, coin: str) -> PostingFact:
    """A funding settlement; the report's fee is positive when funding was paid."""
    return balanced(
        PostingFact(
            posting_id=f"funding:{report.account}:{report.execution_id}",
            kind="funding",
            posted_ms=report.executed_ms,
            description=f"funding of {report.symbol} at rate {report.fee_rate} on {report.quantity}",
            lines=tuple(_pair(report.account, FUNDING, WALLET, coin, report.fee)),
        )
    )


def transfer_posting(
    transfer_id: str, source: Account, target: Account, coin: str, amount: Decimal, posted_ms: int, purpose: str
) -> PostingFact:
    """A transfer between two of our accounts."""
    return balanced(
        PostingFact(
            posting_id=f"transfer:{transfer_id}",
            kind="transfer",
            posted_ms=posted_ms,
            description=f"{amount} {coin} from {source} to {target}: {purpose}",
            lines=(
                PostingLine(account=source, ledger_account=WALLET, coin=coin, amount=amount.copy_negate()),
                PostingLine(account=target, ledger_account=WALLET, coin=coin, amount=amount),
            ),
        )
    )


def staking_posting(
    staking_id: str, account: Account, coin: str, into_earn: Decimal, posted_ms: int, description: str
) -> PostingFact:
    """Coins moved between the wallet and Earn; `into_earn` is negative for a redemption."""
    return balanced(
        PostingFact(
            posting_id=f"{STAKING}{account}:{staking_id}",
            kind="earn",
            posted_ms=posted_ms,
            description=description,
            lines=tuple(_pair(account, EARN, WALLET, coin, into_earn)),
        )
    )


STAKING = "staking:"
"""Begins the ids of postings of staking orders."""

EARN_OPENING = "opening-earn:"
"""Begins the ids of what was in Earn before this system read it."""


def yield_posting_id(account: str, yield_id: str) -> str:
    """The id under which a payment of yield is booked, once."""
    return f"yield:{account}:{yield_id}"


def yield_posting(account: Account, yield_id: str, coin: str, amount: Decimal, paid_ms: int) -> PostingFact:
    """Yield that Earn has paid: it is added to the position there."""
    return balanced(
        PostingFact(
            posting_id=yield_posting_id(account, yield_id),
            kind="earn",
            posted_ms=paid_ms,
            description=f"yield of {amount} {coin} paid by Earn",
            lines=tuple(_pair(account, EARN, EARN_INCOME, coin, amount)),
        )
    )


def earn_correction_posting(
    account: Account, coin: str, difference: Decimal, counter: str, found_ms: int
) -> PostingFact:
    """The exchange's Earn positions show `difference` more than the ledger, against `counter`: the wallet when it shows
    as much less, otherwise unexplained."""
    return balanced(
        PostingFact(
            posting_id=f"earn-{counter}:{account}:{coin}:{found_ms}",
            kind="earn" if counter == WALLET else "adjustment",
            posted_ms=found_ms,
            description=f"the exchange shows {difference} {coin} more in Earn than the ledger of {account}",
            lines=tuple(_pair(account, EARN, counter, coin, difference)),
        )
    )


def earn_opening_posting(account: Account, differences: Mapping[str, Decimal], posted_ms: int) -> PostingFact:
    """What the first reading of Earn shows more than the ledger; without lines when there is no difference."""
    return balanced(
        PostingFact(
            posting_id=f"{EARN_OPENING}{account}",
            kind="earn",
            posted_ms=posted_ms,
            description=f"opening positions of {account} in Earn",
            lines=tuple(
                line
                for coin, amount in sorted(differences.items())
                for line in _pair(account, EARN, OPENING, coin, amount)
            ),
        )
    )


def opening_posting(account: Account, balances: Mapping[str, Decimal], posted_ms: int) -> PostingFact | None:
    """The balances found at the very first start; None for an empty account."""
    lines = _lines(account, OPENING, balances.items())
    if not lines:
        return None
    return balanced(
        PostingFact(
            posting_id=f"opening:{account}",
            kind="opening",
            posted_ms=posted_ms,
            description=f"opening balances of {account}",
            lines=lines,
        )
    )


def correction_posting(account: Account, coin: str, difference: Decimal, counter: str, found_ms: int) -> PostingFact:
    """An unexplained difference; `difference` is the exchange's amount minus ours.

    On the master account an increase is a deposit and a decrease a withdrawal.
    """
    return balanced(
        PostingFact(
            posting_id=f"{counter}:{account}:{coin}:{found_ms}",
            kind="deposit" if counter == DEPOSITS else "adjustment",
            posted_ms=found_ms,
            description=f"the exchange shows {difference} {coin} more than the ledger of {account}",
            lines=_lines(account, counter, [(coin, difference)]),
        )
    )


def wallet_lines(account: Account, counter: str, coin: str, amount: Decimal) -> list[PostingLine]:
    """Two lines that move `amount` (signed) from the counter-account to the wallet; none for zero."""
    return _pair(account, WALLET, counter, coin, amount)


def reversal_posting(corrected: str, lines: Iterable[PostingLine], posted_ms: int, reason: str) -> PostingFact:
    """The opposite of an earlier correction, once the exchange's record explains what it stood for."""
    return balanced(
        PostingFact(
            posting_id=f"reversal:{corrected}",
            kind="reversal",
            posted_ms=posted_ms,
            description=reason,
            lines=tuple(line.model_copy(update={"amount": line.amount.copy_negate()}) for line in lines),
        )
    )


def _lines(account: Account, counter: str, amounts: Iterable[tuple[str, Decimal]]) -> tuple[PostingLine, ...]:
    return tuple(line for coin, amount in sorted(amounts) for line in _pair(account, WALLET, counter, coin, amount))


def _pair(account: Account, debit: str, credit: str, coin: str, amount: Decimal) -> list[PostingLine]:
    """Two lines that move `amount` (signed) from the credited to the debited ledger account; none for zero."""
    if not amount:
        return []
    return [
        PostingLine(account=account, ledger_account=debit, coin=coin, amount=amount),
        PostingLine(account=account, ledger_account=credit, coin=coin, amount=amount.copy_negate()),
    ]


def _signed(amount: Decimal, side: Side) -> Decimal:
    return amount if side is Side.BUY else amount.copy_negate()
