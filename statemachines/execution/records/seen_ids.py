"""Ids of executions and of rows of the transaction log: each is taken once, over restarts (EX-2, OR-6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.values import Account


class SeenIds:
    """EX-2: ids of facts of one account with their times, in buckets named by `prefix`. Rows are small, so that one
    fact never rewrites the whole ring.

    An id that `must_stay` names is not discarded but carried over into the newest bucket, which may grow by it. The
    ring may have another size than the incarnation before (RM-6): it grows by new buckets; of a smaller one the
    oldest are emptied when the newest is full.
    """

    def __init__(
        self,
        prefix: str,
        account: Account,
        buckets: int,
        per_bucket: int,
        must_stay: Callable[[str, int], bool] = lambda _fact_id, _time_ms: False,
    ) -> None:
        self.account = account
        self.horizon_ms = 0
        """Facts at or before this instant that are not in the ring count as taken."""
        self._prefix = prefix
        self._size = buckets
        self._per_bucket = per_bucket
        self._must_stay = must_stay
        self._buckets: dict[int, dict[str, int]] = {}
        self._rounds: dict[int, int] = {}
        """When each bucket was begun, as a count."""
        self._newest = 0
        self._ids: set[str] = set()
        self._dirty: set[int] = set()

    def __contains__(self, fact_id: str) -> bool:
        return fact_id in self._ids

    def add(self, fact_id: str, time_ms: int) -> None:
        """Store an id; when the ring is full, the oldest bucket is discarded."""
        if fact_id in self._ids:
            return
        if not self._buckets:
            self._begin(0, 0)
        elif len(self._buckets[self._newest]) >= self._per_bucket:
            self._turn_over()
        self._buckets[self._newest][fact_id] = time_ms
        self._ids.add(fact_id)
        self._dirty.add(self._newest)

    def _turn_over(self) -> None:
        round_number = self._rounds[self._newest] + 1
        filled = sorted((index for index, ids in self._buckets.items() if ids), key=self._rounds.__getitem__)
        carried: dict[str, int] = {}
        for index in filled[: max(0, len(filled) + 1 - self._size)]:
            carried |= self._discard(index)
        empty = [index for index, ids in self._buckets.items() if not ids]
        self._begin(min(empty, key=self._rounds.__getitem__, default=len(self._buckets)), round_number)
        self._buckets[self._newest] |= carried

    def _discard(self, index: int) -> dict[str, int]:
        """Empty a bucket; returns what of it must stay."""
        old = self._buckets[index]
        carried = {fact_id: time_ms for fact_id, time_ms in old.items() if self._must_stay(fact_id, time_ms)}
        gone = {fact_id: time_ms for fact_id, time_ms in old.items() if fact_id not in carried}
        self._ids.difference_update(gone)
        self.horizon_ms = max([self.horizon_ms, *gone.values()])
        self._buckets[index] = {}
        self._dirty.add(index)
        return carried

    def _begin(self, index: int, round_number: int) -> None:
        self._buckets[index], self._rounds[index], self._newest = {}, round_number, index

    def rows(self) -> Iterable[StateRow]:
        """Every bucket in its current form."""
        return [self._row(index) for index in sorted(self._buckets)]

    def dirty(self) -> Iterable[StateRow]:
        """Buckets changed since the last call."""
        rows = [self._row(index) for index in sorted(self._dirty)]
        self._dirty.clear()
        return rows

    def _row(self, index: int) -> StateRow:
        data = {"round": self._rounds[index], "forgotten_ms": self.horizon_ms, "ids": dict(self._buckets[index])}
        return StateRow(f"{self._prefix}:{self.account}:{index}", "", 1, data)

    def restore(self, index: int, data: Mapping[str, Any]) -> None:
        """Restore one bucket."""
        self._buckets[index], self._rounds[index] = dict(data["ids"]), data["round"]
        self._ids.update(data["ids"])
        self._newest = max(self._rounds, key=self._rounds.__getitem__)
        self.horizon_ms = max(self.horizon_ms, data["forgotten_ms"])
