"""Ids of executions and of rows of the transaction log: each is taken once, over restarts (EX-2, OR-6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.values import Account


class SeenIds:
    """EX-2: ids of facts of one account with their times, in buckets named by `prefix`. Rows are small, so that one
    fact never rewrites the whole ring."""

    def __init__(self, prefix: str, account: Account, buckets: int, per_bucket: int) -> None:
        self.account = account
        self.horizon_ms = 0
        """Facts at or before this instant that are not in the ring count as taken."""
        self._prefix = prefix
        self._size = buckets
        self._per_bucket = per_bucket
        self._buckets: dict[int, dict[str, int]] = {}
        self._round = 0
        self._ids: set[str] = set()
        self._dirty: set[int] = set()

    def __contains__(self, fact_id: str) -> bool:
        return fact_id in self._ids

    def add(self, fact_id: str, time_ms: int) -> None:
        """Store an id; when the ring is full, the oldest bucket is discarded."""
        if fact_id in self._ids:
            return
        bucket = self._buckets.setdefault(self._round % self._size, {})
        if len(bucket) >= self._per_bucket:
            self._round += 1
            bucket = self._turn_over(self._round % self._size)
        bucket[fact_id] = time_ms
        self._ids.add(fact_id)
        self._dirty.add(self._round % self._size)

    def _turn_over(self, index: int) -> dict[str, int]:
        old = self._buckets.get(index, {})
        self._ids.difference_update(old)
        self.horizon_ms = max(self.horizon_ms, *old.values(), 0)
        self._buckets[index] = {}
        return self._buckets[index]

    def rows(self) -> Iterable[StateRow]:
        """Every bucket in its current form."""
        return [self._row(index) for index in sorted(self._buckets)]

    def dirty(self) -> Iterable[StateRow]:
        """Buckets changed since the last call."""
        rows = [self._row(index) for index in sorted(self._dirty)]
        self._dirty.clear()
        return rows

    def _row(self, index: int) -> StateRow:
        newest = self._round - (self._round - index) % self._size
        data = {"round": newest, "forgotten_ms": self.horizon_ms, "ids": dict(self._buckets[index])}
        return StateRow(f"{self._prefix}:{self.account}:{index}", "", 1, data)

    def restore(self, index: int, data: Mapping[str, Any]) -> None:
        """Restore one bucket."""
        self._buckets[index] = dict(data["ids"])
        self._ids.update(data["ids"])
        self._round = max(self._round, data["round"])
        self.horizon_ms = max(self.horizon_ms, data["forgotten_ms"])
