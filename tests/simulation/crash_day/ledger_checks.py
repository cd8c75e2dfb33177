"""`eternal ledger check`'s comparison on a run in process: the ledger's entries against the exchange's own log."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from actors.runtime.memory_store import MemoryStore
from infra.backtest.system import DirectExchange
from infra.bybit.account import AccountReader
from infra.bybit.caller import Caller
from infra.bybit.session import DirectSessions
from infra.simulator.api import Exchange
from statemachines.facts import PostingFact
from statemachines.ledger.check import AccountCheck, LedgerEntry, check_account
from statemachines.requests import ReadAccount
from statemachines.values import Account


def entries_of(store: MemoryStore, account: Account) -> list[LedgerEntry]:
    """The ledger's entries that touch the account."""
    found = []
    for fact in store.facts(PostingFact.TABLE):
        assert isinstance(fact, PostingFact)
        lines: dict[tuple[str, str], Decimal] = {}
        for line in fact.lines:
            if line.account == account:
                key = (line.ledger_account, line.coin)
                lines[key] = lines.get(key, Decimal(0)) + line.amount
        if lines:
            found.append(LedgerEntry(fact.posting_id, fact.kind, fact.posted_ms, lines))
    return found


def check(exchange: Exchange, entries: list[LedgerEntry], account: Account, as_of_ms: int = 0) -> AccountCheck:
    """The account compared as of an instant (default: now); a row of the log that cannot be read fails."""
    direct = DirectExchange(exchange)
    reader = AccountReader(Caller(DirectSessions(direct.handle), None), direct)
    aside: list[Any] = []
    rows = reader.transactions(account, 0, aside)
    snapshot = direct.gateway().perform(account, ReadAccount(executions_since_ms=direct.now_ms()))
    assert not aside
    return check_account(account, entries, rows, snapshot.balances, as_of_ms or direct.now_ms())  # type: ignore[union-attr]
