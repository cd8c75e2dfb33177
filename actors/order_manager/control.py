"""Counters and flags of the order manager as a whole, in one durable row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from statemachines.brain import StateRow

KEY = "control"


class Control:
    """`next(name)` numbers things for ever; `leverage` holds "account:symbol" pairs that the exchange has set."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.leverage: set[str] = set()
        self.is_dirty = False

    def next(self, name: str) -> int:
        """The next number of a series, from 1; never given twice, also across restarts."""
        self._numbers[name] = self._numbers.get(name, 0) + 1
        self.is_dirty = True
        return self._numbers[name]

    def leverage_set(self, pair: str) -> None:
        self.leverage.add(pair)
        self.is_dirty = True

    def rows(self) -> Iterable[StateRow]:
        """The row, if it changed since the last call."""
        if self.is_dirty:
            self.is_dirty = False
            yield StateRow(KEY, "KEPT", 1, {"numbers": dict(self._numbers), "leverage": sorted(self.leverage)})

    def restore(self, data: Mapping[str, Any]) -> None:
        self._numbers = dict(data["numbers"])
        self.leverage = set(data["leverage"])
