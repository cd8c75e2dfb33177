"""What the exchange is asked to do once, under an id of ours (transfers, staking orders), in reusable slots like the
parent orders."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from statemachines.actor_logic import StateRow
from statemachines.execution.orders.request_keys import Topic, other_key

SCHEMA = 1


class Work(Protocol):
    """One of them from its order to its end. `number` is its place in the order of arrival, `ended_number` in that of
    the ends; `pending` is the key whose response is awaited, `requests` how many were made."""

    slot: int
    number: int
    pending: str
    requests: int
    ended_number: int

    @property
    def work_id(self) -> str:
        """The id under which it was ordered."""
        ...

    @property
    def state(self) -> StrEnum:
        """The current state."""
        ...

    @property
    def is_ended(self) -> bool: ...

    def as_data(self) -> dict[str, Any]:
        """Everything but slot and state, as its row holds it."""
        ...


W = TypeVar("W", bound=Work)


class Works(Generic[W]):
    """Works by id; ended ones are kept for a while so that a repeated order is recognised. `prefix` begins the keys of
    their rows, `restored` makes one from its slot and row."""

    def __init__(self, prefix: str, restored: Callable[[int, StateRow], W], keep_ended: int) -> None:
        self._prefix = prefix
        self._restored = restored
        self._keep = keep_ended
        self._by_id: dict[str, W] = {}
        self._ended: deque[W] = deque()
        self._slots = 0
        self._dirty: dict[int, W] = {}

    def get(self, work_id: str) -> W | None:
        return self._by_id.get(work_id)

    def known(self) -> Iterator[W]:
        """Those live or ended that are still held, in order of arrival."""
        return iter(sorted(self._by_id.values(), key=lambda work: work.number))

    def live(self) -> Iterator[W]:
        """Those not ended, in order of arrival."""
        return iter([work for work in self.known() if not work.is_ended])

    def awaits(self, work_id: str, key: str) -> bool:
        """Whether a delayed request is still needed."""
        work = self.get(work_id)
        return work is not None and work.pending == key

    def next_key(self, work: W, topic: Topic) -> str:
        """The key of its next request, whose response is awaited from now on."""
        work.requests += 1
        work.pending = other_key(topic, work.work_id, work.requests)
        return work.pending

    def free_slot(self) -> int:
        if len(self._ended) > self._keep:
            oldest = self._ended.popleft()
            del self._by_id[oldest.work_id]
            return oldest.slot
        self._slots += 1
        return self._slots - 1

    def add(self, work: W) -> None:
        self._by_id[work.work_id] = work
        self.mark(work)

    def end(self, work: W) -> None:
        self._ended.append(work)
        self.mark(work)

    def mark(self, work: W) -> None:
        self._dirty[work.slot] = work

    def rows(self) -> Iterable[StateRow]:
        """Every row in its current form."""
        return [self._stored(work) for work in self._by_id.values()]

    def dirty(self) -> Iterable[StateRow]:
        """Rows changed since the last call."""
        rows = [self._stored(work) for _, work in sorted(self._dirty.items())]
        self._dirty.clear()
        return rows

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        for key, row in rows.items():
            if key.startswith(self._prefix):
                work = self._restored(int(key.removeprefix(self._prefix)), row)
                self._by_id[work.work_id] = work
                self._slots = max(self._slots, work.slot + 1)
        ended = (work for work in self._by_id.values() if work.is_ended)
        self._ended = deque(sorted(ended, key=lambda work: work.ended_number))

    def _stored(self, work: W) -> StateRow:
        return StateRow(f"{self._prefix}{work.slot}", work.state.value, SCHEMA, work.as_data())
