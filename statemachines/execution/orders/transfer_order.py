"""Transfers under way, in reusable slots like the parent orders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.execution.orders.transfer_order_machine import ENDED, TransferMachine, TransferState
from statemachines.execution.orders.works import Works
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
        self.machine = TransferMachine(self.work_id)

    @property
    def work_id(self) -> str:
        return self.ordered.transfer_id

    @property
    def state(self) -> TransferState:
        """The current state."""
        return self.machine.state

    @property
    def is_ended(self) -> bool:
        return self.machine.state in ENDED

    @property
    def may_have_moved(self) -> bool:
        """Whether the exchange may have made the transfer without our record of it: it is under way, or it was sent
        before and is held for the end of a start. A look-up that does not show it yet is no proof."""
        return not self.is_ended and (self.state is not TransferState.REQUESTED or self.attempts > 0)

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


class TransferWorks(Works[TransferWork]):
    """Transfers by id."""

    def __init__(self, keep_ended: int) -> None:
        super().__init__(PREFIX, _restored, keep_ended)


def _restored(slot: int, row: StateRow) -> TransferWork:
    data = dict(row.data)
    work = TransferWork(slot=slot, ordered=TransferOrdered.model_validate(data.pop("ordered")), **data)
    work.machine = TransferMachine.restored(work.work_id, row.state)
    return work
