"""All intents in work, in reusable slots: one durable row each, and never more rows than were needed at once.

An ended intent keeps its slot for a while so that late events still find their order; then the slot is reused, so
memory and table stay bounded over decades.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from actors.order_manager.work import Work
from statemachines.brain import StateRow

PREFIX = "work:"


class Works:
    """Intents by id, their slots, and the earliest instant at which one of them is due."""

    def __init__(self, keep_ended: int) -> None:
        self._keep = keep_ended
        self._by_intent: dict[str, Work] = {}
        self._live: dict[int, Work] = {}
        self._ended: deque[Work] = deque()
        self._slots = 0
        self._dirty: dict[int, Work] = {}
        self._due: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def get(self, intent_id: str) -> Work | None:
        """The intent, live or recently ended."""
        return self._by_intent.get(intent_id)

    def known(self) -> Iterator[Work]:
        """Live and recently ended intents."""
        return iter(self._by_intent.values())

    def live_makers(self) -> Iterator[Work]:
        """Maker intents not ended, in no particular order."""
        return (work for work in self._live.values() if work.intent.style == "maker")

    def live(self) -> Iterator[Work]:
        """Intents not ended, in the order in which they came."""
        return iter(sorted(self._live.values(), key=lambda work: work.number))

    def free_slot(self) -> tuple[int, Work | None]:
        """A slot for a new intent, and the longest ended one if it had to be forgotten for it."""
        if len(self._ended) > self._keep:
            oldest = self._ended.popleft()
            del self._by_intent[oldest.intent.intent_id]
            return oldest.slot, oldest
        self._slots += 1
        return self._slots - 1, None

    def add(self, work: Work) -> None:
        self._by_intent[work.intent.intent_id] = work
        self._live[work.slot] = work
        self.mark(work)

    def end(self, work: Work) -> None:
        """The intent has ended: it stays known until its slot is needed."""
        self._live.pop(work.slot, None)
        self._ended.append(work)
        self.schedule(work, None)
        self.mark(work)

    def mark(self, work: Work) -> None:
        """The work's row must be written."""
        self._dirty[work.slot] = work

    def schedule(self, work: Work, due_ms: int | None) -> None:
        """Set when the work is due next; None for never."""
        if due_ms is None:
            self._due.pop(work.slot, None)
        elif self._due.get(work.slot) != due_ms:
            self._due[work.slot] = due_ms
            heapq.heappush(self._heap, (due_ms, work.slot))

    def earliest(self) -> int | None:
        """The earliest instant at which a work is due."""
        while self._heap:
            due_ms, slot = self._heap[0]
            if self._due.get(slot) == due_ms:
                return due_ms
            heapq.heappop(self._heap)
        return None

    def due(self, now_ms: int) -> list[Work]:
        """Works due at or before `now_ms`, in the order in which they came."""
        slots = [slot for slot, due_ms in self._due.items() if due_ms <= now_ms]
        return sorted((self._live[slot] for slot in slots), key=lambda work: work.number)

    def rows(self) -> Iterable[StateRow]:
        """Rows changed since the last call."""
        for slot, work in sorted(self._dirty.items()):
            yield StateRow(f"{PREFIX}{slot}", work.state, 1, work.as_data())
        self._dirty.clear()

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Take back all works."""
        for key, row in rows.items():
            if key.startswith(PREFIX):
                work = Work.from_data(int(key.removeprefix(PREFIX)), row.data)
                self._by_intent[work.intent.intent_id] = work
                self._slots = max(self._slots, work.slot + 1)
                if not work.is_ended:
                    self._live[work.slot] = work
        ended = [work for work in self._by_intent.values() if work.is_ended]
        self._ended = deque(sorted(ended, key=lambda work: work.ended_number))
