"""Unreadable rows of an account: set aside, reported once, read again; figures that depend on them are not compared."""

from __future__ import annotations

from statemachines.execution.account_books import AccountBooks
from statemachines.execution.context import ExecutionContext
from statemachines.execution.reconciliation.balances import empty_wallet_problem
from statemachines.messages.market import FiltersRefused, RowsSetAside
from statemachines.requests import WHOLE_ACCOUNT, AccountSnapshot, Refused, SetAside
from statemachines.values import Account

FILTER_CODES = frozenset(
    {110094, 170124, 170134, 170136, 170137, 170140, 170148, 170341, 170381, 170382}
)  # fmt: skip
"""Refusals by lot, tick, minimum or maximum (bybit-v5 6.3); linear contracts use 10001 and name the field."""
_FILTER_WORDS = ("qty", "price", "quantity", "number of contracts")


def is_filter_refusal(refused: Refused) -> bool:
    """Whether the exchange's filters refused the order, so that our copy of them may be outdated."""
    words = refused.message.lower()
    return refused.code in FILTER_CODES or (refused.code == 10001 and any(word in words for word in _FILTER_WORDS))


def report_filter_refusal(context: ExecutionContext, client_order_id: str, refused: Refused) -> None:
    """Request market data to read the instrument rules again."""
    parts = context.ours(client_order_id, "")
    parent = context.parents.get(parts.intent_id) if parts else None
    if parent is None or not is_filter_refusal(refused):
        return
    reason = f"order {client_order_id} was refused with {refused.code}: {refused.message}"
    context.send(FiltersRefused(category=parent.intent.category, symbol=parent.intent.symbol, reason=reason))


def take_rows(context: ExecutionContext, body: RowsSetAside) -> bool:
    """Rows of a private stream; True when the account must be read, since their content is unknown."""
    if body.account is None:
        return False
    for one in body.rows:
        _begin(context, body.account, one)
    return any(not one.is_foreign for one in body.rows)


def compare_unreadable(context: ExecutionContext, snapshot: AccountSnapshot) -> None:
    """Begin or continue the conditions of unreadable rows and doubted executions; end all others."""
    books = context.books[snapshot.account]
    unusable = books.unusable
    unread: set[tuple[str, str, str]] = {(one.kind, one.category, one.symbol) for one in snapshot.set_aside}
    if books.doubted:
        unread |= {key for key in unusable.open if key[0] == "execution"}
    if snapshot.transactions is None:
        unread |= {key for key in unusable.open if key[0] == "transaction"}
    for one in snapshot.set_aside:
        _begin(context, snapshot.account, one)
    for key in [key for key in unusable.open if key not in unread]:
        context.out.extend(unusable.end(*key))


def _begin(context: ExecutionContext, account: Account, one: SetAside) -> None:
    books = context.books[account]
    if one.is_foreign:
        named = f"{one.kind}:{one.category}:{one.symbol}"
        if named in books.reported_foreign:
            return
        books.reported_foreign.add(named)
        books.is_dirty = True
    context.out.extend(books.unusable.begin(one))


def is_known(snapshot: AccountSnapshot, kind: str, symbol: str) -> bool:
    """Whether the reading covers a position (or, given the coin, a balance): not when its row, or the whole list, was
    set aside."""
    return not any(
        one.kind == kind and (one.category == WHOLE_ACCOUNT or one.symbol in ("", symbol)) for one in snapshot.set_aside
    )


def unread_money(snapshot: AccountSnapshot) -> str:
    """Why a balance or a position of the account could not be read, in which case the account cannot be opened; "" when
    all could be read."""
    kinds = ("balance", "position")
    return next((one.problem for one in snapshot.set_aside if one.kind in kinds and not one.is_foreign), "")


def without_holdings(context: ExecutionContext, snapshot: AccountSnapshot) -> AccountSnapshot:
    """The reading, with a wallet without any coin set aside when our ledger holds coins (an empty list alone never
    counts as a loss of coins)."""
    book = context.books[snapshot.account].book
    problem = empty_wallet_problem(snapshot.account, book.coins(), snapshot.balances)
    if not problem or any(one.kind == "balance" for one in snapshot.set_aside):
        return snapshot
    one = SetAside(kind="balance", category=WHOLE_ACCOUNT, symbol=snapshot.account, problem=problem)
    return snapshot.model_copy(update={"set_aside": (*snapshot.set_aside, one)})


def is_log_unread(books: AccountBooks) -> bool:
    """Whether rows of the transaction log could not be read, so that it has to be read again."""
    return any(kind == "transaction" for kind, _category, _symbol in books.unusable.open)


def lacks_executions(snapshot: AccountSnapshot) -> bool:
    """Whether fills of the account could not be read, so that its money and positions cannot be compared."""
    return any(one.kind == "execution" and not one.is_foreign for one in snapshot.set_aside)
