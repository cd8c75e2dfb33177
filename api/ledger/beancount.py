"""The journal as plain text for beancount 3 (`bean-check`, `bean-query`, Fava).

Every posting of the ledger is one transaction that balances in each coin by itself; no prices and no lots are added. A
coin that was bought or sold goes through an equity account, so that income and expenses hold results only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from api.ledger.period import FOREVER_MS, Period
from infra.database.ledger_rows import LedgerRows, PostingRow
from statemachines.ledger import postings

ROOTS: dict[str, str] = {
    postings.WALLET: "Assets:Bybit:{account}:Wallet",
    postings.EARN: "Assets:Bybit:{account}:Earn",
    postings.EARN_LOCKED: "Assets:Bybit:{account}:Earn:Locked",
    postings.CUSTODY: "Assets:Bybit:{account}:Custody",
    postings.LOANS: "Liabilities:Bybit:{account}:Loans",
    postings.TRADING: "Income:Bybit:{account}:Trading",
    postings.BONUS: "Income:Bybit:{account}:Bonus",
    postings.DUST: "Income:Bybit:{account}:Dust",
    postings.EARN_INCOME: "Income:Bybit:{account}:Earn",
    postings.FEES: "Expenses:Bybit:{account}:Fees",
    postings.FUNDING: "Expenses:Bybit:{account}:Funding",
    postings.INTEREST: "Expenses:Bybit:{account}:Interest",
    postings.DEDUCTIONS: "Expenses:Bybit:{account}:Deductions",
    postings.CONVERSION: "Equity:Bybit:{account}:Exchanged",
    postings.OPENING: "Equity:Bybit:{account}:Opening",
    postings.DEPOSITS: "Equity:Bybit:{account}:Deposits",
    postings.WITHDRAWALS: "Equity:Bybit:{account}:Withdrawals",
    postings.UNEXPLAINED: "Equity:Bybit:{account}:Unexplained",
    postings.SUSPENSE: "Equity:Bybit:{account}:Suspense",
}
"""The account of beancount for each account of the ledger."""

EXCHANGED = ROOTS[postings.CONVERSION]
CARRIED = "Equity:Bybit:{account}:Carried-Forward"
_COMMODITY = re.compile(r"[A-Z][A-Z0-9]{1,22}")


def journal(rows: LedgerRows, period: Period) -> Iterator[str]:
    """The lines of the file. One that begins later than the ledger begins with the balances carried forward."""
    carried = rows.balances_before(period.from_ms) if period.from_ms else []
    moved = rows.accounts_used(period.from_ms, period.until_ms)
    yield 'option "title" "Eternal Engine"'
    yield 'option "operating_currency" "USDT"'
    first_ms = period.from_ms or _first_ms(rows, period)
    if first_ms is None:
        yield "; the ledger has no entry in this period"
        return
    opened = _day(first_ms)
    for coin in sorted({str(row["coin"]) for row in (*carried, *moved)}):
        yield ""
        yield f"{opened} commodity {commodity(coin)}"
        yield f"  name: {quoted(coin)}"
    yield ""
    accounts = {_account(row["ledger_account"], row["account"]) for row in (*carried, *moved)}
    # A spot trade's coins are exchanged: the same account of the ledger, another one in the journal.
    accounts |= {EXCHANGED.format(account=row["account"]) for row in moved if row["ledger_account"] == postings.TRADING}
    accounts |= {CARRIED.format(account=row["account"]) for row in carried}
    for name in sorted(accounts):
        yield f"{opened} open {name}"
    held: dict[tuple[str, str], Decimal] = {}
    yield from _carried_forward(carried, opened, held)
    last_ms = first_ms
    for posting in rows.postings(period.from_ms, period.until_ms):
        last_ms = posting.posted_ms
        yield from transaction(posting)
        for account, name, coin, amount in posting.lines:
            if name == postings.WALLET:
                held[account, coin] = held.get((account, coin), Decimal(0)) + amount
    closed = _day(last_ms if period.until_ms == FOREVER_MS else period.until_ms - 1, later_days=1)
    yield ""
    for (account, coin), amount in sorted(held.items()):
        yield f"{closed} balance {_account(postings.WALLET, account)}  {number(amount)} {commodity(coin)}"


def transaction(posting: PostingRow) -> Iterator[str]:
    """One posting; one without lines moves nothing and is preserved as a note."""
    yield ""
    day = _day(posting.posted_ms)
    if not posting.lines:
        account = posting.posting_id.split(":")[1]
        yield f"; {posting.posting_id} of {account} at {instant(posting.posted_ms)} moves nothing:"
        yield f"; {_one_line(posting.description)}"
        return
    yield f"{day} * {quoted(posting.kind)} {quoted(posting.description)}"
    yield f"  time: {quoted(instant(posting.posted_ms))}"
    yield f"  posting: {quoted(posting.posting_id)}"
    for name, key in (("order", "client_order_id"), ("exchange_order", "venue_order_id"), ("trade", "execution_id")):
        if posting.execution and posting.execution.get(key):
            yield f"  {name}: {quoted(posting.execution[key])}"
    is_exchange = len({coin for _account, name, coin, _amount in posting.lines if name == postings.TRADING}) > 1
    for account, name, coin, amount in posting.lines:
        target = EXCHANGED.format(account=account) if is_exchange and name == postings.TRADING else None
        yield f"  {target or _account(name, account)}  {number(amount)} {commodity(coin)}"


def commodity(coin: str) -> str:
    """The coin's name as beancount takes it: at least two characters, a letter first (1INCH becomes COIN-1INCH)."""
    return coin if _COMMODITY.fullmatch(coin) else f"COIN-{coin}"


def number(amount: Decimal) -> str:
    """The exact number without an exponent."""
    return format(amount.normalize() if amount else Decimal(0), "f")


def quoted(text: str) -> str:
    """A text of beancount, on one line."""
    return '"' + _one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def instant(posted_ms: int) -> str:
    """An instant of the journal, UTC, to the millisecond."""
    return datetime.fromtimestamp(posted_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split(" "))


def _account(ledger_account: str, account: str) -> str:
    return ROOTS[ledger_account].format(account=account)


def _carried_forward(
    carried: Iterable[dict[str, Any]], day: str, held: dict[tuple[str, str], Decimal]
) -> Iterator[str]:
    for row in carried:
        name, coin, amount = row["ledger_account"], row["coin"], row["amount"]
        if not ROOTS[name].startswith(("Assets", "Liabilities")):
            continue  # results and flows of earlier periods are in what is carried forward
        if name == postings.WALLET:
            held[row["account"], coin] = amount
        yield ""
        yield f'{day} * "carried forward" "balance at the beginning of this journal"'
        yield f"  {_account(name, row['account'])}  {number(amount)} {commodity(coin)}"
        yield f"  {CARRIED.format(account=row['account'])}  {number(-amount)} {commodity(coin)}"


def _first_ms(rows: LedgerRows, period: Period) -> int | None:
    return next((posting.posted_ms for posting in rows.postings(period.from_ms, period.until_ms)), None)


def _day(posted_ms: int, later_days: int = 0) -> str:
    return (datetime.fromtimestamp(posted_ms / 1000, UTC) + timedelta(days=later_days)).date().isoformat()
