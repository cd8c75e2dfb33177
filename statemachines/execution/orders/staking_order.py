"""Staking orders under way, in reusable slots like the parent orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.execution.orders.staking_order_machine import ENDED, StakingMachine, StakingState
from statemachines.execution.orders.works import Works
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
        self.machine = StakingMachine(self.work_id)

    @property
    def work_id(self) -> str:
        return self.ordered.staking_id

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


class StakingWorks(Works[StakingWork]):
    """Staking orders by id."""

    def __init__(self, keep_ended: int) -> None:
        super().__init__(PREFIX, _restored, keep_ended)

    def due(self, now_ms: int) -> list[StakingWork]:
        """Those that are to be looked up again by now."""
        return [work for work in self.live() if work.check_ms is not None and work.check_ms <= now_ms]

    def earliest(self) -> int | None:
        """When the next one is to be looked up again."""
        return min((work.check_ms for work in self.live() if work.check_ms is not None), default=None)


def _restored(slot: int, row: StateRow) -> StakingWork:
    data = dict(row.data)
    work = StakingWork(slot=slot, ordered=StakingOrdered.model_validate(data.pop("ordered")), **data)
    work.machine = StakingMachine.restored(work.work_id, row.state)
    return work
