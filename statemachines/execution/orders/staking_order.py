"""Staking orders under way, in reusable slots like the parent orders."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.execution.orders.staking_order_machine import ENDED, StakingMachine, StakingState
from statemachines.messages.accounts import StakingOrdered

PREFIX = "staking:"


@dataclass(slots=True)
class StakingWork:
    """One staking order from its request to its end. `pending` is the key whose response is awaited, `attempts` the
    number of times it was sent, `looks` the look-ups that failed, `absences` those that did not find it, `waits` those
    that found the exchange working on it; `check_ms` is when it is then looked up again (market time)."""

    slot: int
    number: int
    ordered: StakingOrdered
    client_order_id: str
    requested_ms: int
    reason: str = ""
    pending: str = ""
    requests: int = 0
    attempts: int = 0
    looks: int = 0
    absences: int = 0
    waits: int = 0
    check_ms: int | None = None
    ended_number: int = 0
    machine: StakingMachine = field(init=False)

    def __post_init__(self) -> None:
        self.machine = StakingMachine(self.ordered.staking_id)

    @property
    def state(self) -> StakingState:
        """The current state."""
        return self.machine.state

    @property
    def is_ended(self) -> bool:
        return self.machine.state in ENDED

    @property
    def into_earn(self) -> Decimal:
        """The amount by which the coins in Earn grow; negative for a redemption."""
        return self.ordered.amount if self.ordered.action == "stake" else self.ordered.amount.copy_negate()

    def as_data(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "ordered": self.ordered.model_dump(mode="json"),
            "client_order_id": self.client_order_id,
            "requested_ms": self.requested_ms,
            "reason": self.reason,
            "pending": self.pending,
            "requests": self.requests,
            "attempts": self.attempts,
            "looks": self.looks,
            "absences": self.absences,
            "waits": self.waits,
            "check_ms": self.check_ms,
            "ended_number": self.ended_number,
        }


class StakingWorks:
    """Staking orders by id; ended ones are kept for a while so that a repeated order is recognised."""

    def __init__(self, keep_ended: int) -> None:
        self._keep = keep_ended
        self._by_id: dict[str, StakingWork] = {}
        self._ended: deque[StakingWork] = deque()
        self._slots = 0
        self._dirty: dict[int, StakingWork] = {}

    def get(self, staking_id: str) -> StakingWork | None:
        return self._by_id.get(staking_id)

    def live(self) -> Iterator[StakingWork]:
        """Staking orders not ended, in order of arrival."""
        return iter(sorted((w for w in self._by_id.values() if not w.is_ended), key=lambda work: work.number))

    def due(self, now_ms: int) -> list[StakingWork]:
        """Those that are to be looked up again by now."""
        return [work for work in self.live() if work.check_ms is not None and work.check_ms <= now_ms]

    def earliest(self) -> int | None:
        """When the next one is to be looked up again."""
        return min((work.check_ms for work in self.live() if work.check_ms is not None), default=None)

    def free_slot(self) -> int:
        if len(self._ended) > self._keep:
            oldest = self._ended.popleft()
            del self._by_id[oldest.ordered.staking_id]
            return oldest.slot
        self._slots += 1
        return self._slots - 1

    def add(self, work: StakingWork) -> None:
        self._by_id[work.ordered.staking_id] = work
        self.mark(work)

    def end(self, work: StakingWork) -> None:
        self._ended.append(work)
        self.mark(work)

    def mark(self, work: StakingWork) -> None:
        self._dirty[work.slot] = work

    def rows(self) -> Iterable[StateRow]:
        """Every row in its current form."""
        return [_stored(work) for work in self._by_id.values()]

    def dirty(self) -> Iterable[StateRow]:
        """Rows changed since the last call."""
        rows = [_stored(work) for _, work in sorted(self._dirty.items())]
        self._dirty.clear()
        return rows

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        for key, row in rows.items():
            if key.startswith(PREFIX):
                data = dict(row.data)
                ordered = StakingOrdered.model_validate(data.pop("ordered"))
                work = StakingWork(slot=int(key.removeprefix(PREFIX)), ordered=ordered, **data)
                work.machine = StakingMachine.restored(ordered.staking_id, row.state)
                self._by_id[ordered.staking_id] = work
                self._slots = max(self._slots, work.slot + 1)
        ended = (work for work in self._by_id.values() if work.is_ended)
        self._ended = deque(sorted(ended, key=lambda work: work.ended_number))


def _stored(work: StakingWork) -> StateRow:
    return StateRow(f"{PREFIX}{work.slot}", work.state.value, 1, work.as_data())
