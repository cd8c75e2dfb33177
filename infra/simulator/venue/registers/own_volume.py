"""What the accounts of this exchange traded in the last 60 minutes, by market: a running sum, since each order asks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from infra.simulator.market.path import HOUR_MS
from infra.simulator.venue.model import Account
from infra.simulator.venue.money import ZERO

Key = tuple[str, str]


class OwnVolume:
    """A memo over the executions of all accounts; not part of the saved state."""

    def __init__(self) -> None:
        self._trades: dict[Key, deque[tuple[int, Decimal]]] = {}
        self._sums: dict[Key, Decimal] = {}

    def count(self, data: dict[str, Any]) -> None:
        """Count an execution row, if it is a trade; rows come in the order of time."""
        if data["execType"] != "Trade":
            return
        key, quantity = (data["category"], data["symbol"]), Decimal(data["execQty"])
        self._trades.setdefault(key, deque()).append((int(data["execTime"]), quantity))
        self._sums[key] = self._sums.get(key, ZERO) + quantity

    def recount(self, accounts: Iterable[Account], now_ms: int) -> None:
        """Count what the accounts' records have of the last 60 minutes."""
        rows = [row for account in accounts for row in account.executions if row.time_ms > now_ms - HOUR_MS]
        for row in sorted(rows, key=lambda one: one.seq):
            self.count(row.data)

    def of(self, category: str, symbol: str, now_ms: int) -> Decimal:
        """Base coin traded in the 60 minutes before this instant, which never goes back."""
        key = (category, symbol)
        trades = self._trades.get(key)
        if not trades:
            return ZERO
        while trades and trades[0][0] <= now_ms - HOUR_MS:
            self._sums[key] -= trades.popleft()[1]
        return self._sums[key]
