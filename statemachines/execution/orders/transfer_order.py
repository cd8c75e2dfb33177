"""Transfers under way, in reusable slots like the parent orders."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.execution.orders.transfer_order_machine import ENDED, TransferMachine, TransferState
from statemachines.facts import TransferFact
from statemachines.messages.accounts import TransferOrdered

PREFIX = "transfer:"


@dataclass(slots=True)
class TransferWork:
    """One transfer from its order to its end. `pending` is the key whose response is awaited, `attempts` the number of
    times it was sent, `looks` the number of look-ups without a result."""

    slot: int
    number: int
    ordered: TransferOrdered
    requested_ms: int
    reason: str = ""
    pending: str = ""
    requests: int = 0
    attempts: int = 0
    looks: int = 0
    ended_number: int = 0
    machine: TransferMachine = field(init=False)

    def __post_init__(self) -> None:
        self.machine = TransferMachine(self.ordered.transfer_id)

    @property
    def state(self) -> TransferState:
        """The current state."""
        return self.machine.state

    @property
    def is_ended(self) -> bool:
        return self.machine.state in ENDED

    def fact(self, now_ms: int) -> TransferFact:
        """The transfer as a row of the fact table."""
        ordered = self.ordered
        return TransferFact(
            transfer_id=ordered.transfer_id,
            from_account=ordered.from_account,
            to_account=ordered.to_account,
            coin=ordered.coin,
            amount=ordered.amount,
            purpose=ordered.purpose,
            state=self.state.value,
            reason=self.reason,
            requested_ms=self.requested_ms,
            updated_ms=now_ms,
        )

    def as_data(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "ordered": self.ordered.model_dump(mode="json"),
            "requested_ms": self.requested_ms,
            "reason": self.reason,
            "pending": self.pending,
            "requests": self.requests,
            "attempts": self.attempts,
            "looks": self.looks,
            "ended_number": self.ended_number,
        }


class TransferWorks:
    """Transfers by id; ended ones are kept for a while so that a repeated order is recognised."""

    def __init__(self, keep_ended: int) -> None:
        self._keep = keep_ended
        self._by_id: dict[str, TransferWork] = {}
        self._ended: deque[TransferWork] = deque()
        self._slots = 0
        self._dirty: dict[int, TransferWork] = {}

    def get(self, transfer_id: str) -> TransferWork | None:
        return self._by_id.get(transfer_id)

    def known(self) -> Iterator[TransferWork]:
        """Transfers live or ended that are still held, in order of arrival."""
        return iter(sorted(self._by_id.values(), key=lambda work: work.number))

    def live(self) -> Iterator[TransferWork]:
        """Transfers not ended, in order of arrival."""
        return iter(sorted((w for w in self._by_id.values() if not w.is_ended), key=lambda work: work.number))

    def free_slot(self) -> int:
        if len(self._ended) > self._keep:
            oldest = self._ended.popleft()
            del self._by_id[oldest.ordered.transfer_id]
            return oldest.slot
        self._slots += 1
        return self._slots - 1

    def add(self, work: TransferWork) -> None:
        self._by_id[work.ordered.transfer_id] = work
        self.mark(work)

    def end(self, work: TransferWork) -> None:
        self._ended.append(work)
        self.mark(work)

    def mark(self, work: TransferWork) -> None:
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
                ordered = TransferOrdered.model_validate(data.pop("ordered"))
                work = TransferWork(slot=int(key.removeprefix(PREFIX)), ordered=ordered, **data)
                work.machine = TransferMachine.restored(ordered.transfer_id, row.state)
                self._by_id[ordered.transfer_id] = work
                self._slots = max(self._slots, work.slot + 1)
        ended = (work for work in self._by_id.values() if work.is_ended)
        self._ended = deque(sorted(ended, key=lambda work: work.ended_number))


def _stored(work: TransferWork) -> StateRow:
    return StateRow(f"{PREFIX}{work.slot}", work.state.value, 1, work.as_data())
