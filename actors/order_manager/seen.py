"""EX-2: execution ids already booked, per account: a bounded ring of durable buckets.

When the ring is full the oldest bucket is reused; executions as old as its newest then count as booked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from statemachines.brain import StateRow
from statemachines.values import Account


class Seen:
    """Ids with their execution times. Rows are small, so that one execution never rewrites the whole ring."""

    def __init__(self, account: Account, buckets: int, per_bucket: int) -> None:
        self.account = account
        self.forgotten_ms = 0
        """Executions at or before this instant that are not in the ring count as booked."""
        self._size = buckets
        self._per_bucket = per_bucket
        self._buckets: dict[int, dict[str, int]] = {}
        self._round = 0
        self._ids: set[str] = set()
        self._dirty: set[int] = set()

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._ids

    def add(self, execution_id: str, executed_ms: int) -> None:
        """Remember an id; the oldest bucket makes room when the ring is full."""
        if execution_id in self._ids:
            return
        bucket = self._buckets.setdefault(self._round % self._size, {})
        if len(bucket) >= self._per_bucket:
            self._round += 1
            bucket = self._turn_over(self._round % self._size)
        bucket[execution_id] = executed_ms
        self._ids.add(execution_id)
        self._dirty.add(self._round % self._size)

    def _turn_over(self, index: int) -> dict[str, int]:
        old = self._buckets.get(index, {})
        self._ids.difference_update(old)
        self.forgotten_ms = max(self.forgotten_ms, *old.values(), 0)
        self._buckets[index] = {}
        return self._buckets[index]

    def rows(self) -> Iterable[StateRow]:
        """Buckets changed since the last call."""
        for index in sorted(self._dirty):
            newest = self._round - (self._round - index) % self._size
            data = {"round": newest, "forgotten_ms": self.forgotten_ms, "ids": dict(self._buckets[index])}
            yield StateRow(f"seen:{self.account}:{index}", "KEPT", 1, data)
        self._dirty.clear()

    def restore(self, index: int, data: Mapping[str, Any]) -> None:
        """Take back one bucket."""
        self._buckets[index] = dict(data["ids"])
        self._ids.update(data["ids"])
        self._round = max(self._round, data["round"])
        self.forgotten_ms = max(self.forgotten_ms, data["forgotten_ms"])
