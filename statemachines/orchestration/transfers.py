"""Movements between accounts that engines have asked for (OR-6): owed, ordered, ended; never lost, never twice.

A transfer's id is a UUIDv5 of what it is for and which attempt it is, so that a repeat after a crash is the same
transfer at the exchange. One that failed on the exchange's evidence goes back to the engine that asked: it keeps what
it owes and asks again, in time for the next cycle. There is one owner of every retry, so nothing moves twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from statemachines.commands import Alert, AlertEnded, Commands, JournalEntry, Remark, Send
from statemachines.fsm import Row, StateMachine, Table
from statemachines.messages.accounts import TransferEnded, TransferOrdered, TransferWanted
from statemachines.values import Account

NAMESPACE = uuid.UUID("6f1f6a36-5f0e-5e51-9a53-8a4a3c9f7d10")
FINISHED_KEPT = 500
"""Finished requests remembered, so that a repeated wish changes nothing."""


class MovementState(StrEnum):
    """Where a wish for money to move stands."""

    WANTED = "WANTED"
    REFUSED = "REFUSED"
    OWED = "OWED"
    ORDERED = "ORDERED"
    DONE = "DONE"
    FAILED = "FAILED"


_S = MovementState

MOVEMENT_TABLE: Table[MovementState] = Table(
    "movement",
    _S.WANTED,
    (
        Row("want", _S.WANTED, _S.OWED, "OR-6: moved in the capital stage of the next NORMAL cycle"),
        Row("refuse", _S.WANTED, _S.REFUSED, "OR-6: no amount, or from an account to itself"),
        Row("order", _S.OWED, _S.ORDERED, "OR-3, OR-6: one attempt is under way"),
        Row("done", _S.ORDERED, _S.DONE, "OR-6: the exchange has moved it"),
        Row("failed", _S.ORDERED, _S.FAILED, "OR-6: back to the engine, which still owes it and asks again"),
    ),
    {
        _S.WANTED: "Запрошен",
        _S.REFUSED: "Отклонён",
        _S.OWED: "К перечислению",
        _S.ORDERED: "Поручен",
        _S.DONE: "Выполнен",
        _S.FAILED: "Не выполнен",
    },
)

MACHINE = "transfer"
"""The journal's name of all movements; each line names its request."""


class MovementMachine(StateMachine[MovementState]):
    """One wish from its arrival to its end."""

    __slots__ = ()
    TABLE = MOVEMENT_TABLE


@dataclass(slots=True)
class Movement:
    """One wish for money to move; `transfer_id` is set while an attempt is under way."""

    request_id: str
    from_account: Account
    to_account: Account
    coin: str
    amount: Decimal
    purpose: str
    attempt: int = 1
    transfer_id: str | None = None
    machine: MovementMachine = field(default_factory=lambda: MovementMachine(MACHINE))

    def fire(self, trigger: str, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """Move along the table; the line names the request. Raises IllegalTransitionError: no such arrow."""
        return self.machine.fire(trigger, reason, {"request_id": self.request_id, **data})

    @property
    def is_under_way(self) -> bool:
        """Whether an attempt of it has been ordered and has not ended."""
        return self.machine.state is _S.ORDERED

    def to_data(self) -> dict[str, Any]:
        """JSON values. The state needs no word of its own: an open movement with a transfer is ORDERED, else OWED."""
        return {
            "request_id": self.request_id,
            "from_account": self.from_account,
            "to_account": self.to_account,
            "coin": self.coin,
            "amount": str(self.amount),
            "purpose": self.purpose,
            "attempt": self.attempt,
            "transfer_id": self.transfer_id,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Movement:
        """Take back `to_data`."""
        fields = dict(data)
        state = _S.OWED if data["transfer_id"] is None else _S.ORDERED
        fields["amount"] = Decimal(data["amount"])
        fields["from_account"], fields["to_account"] = Account(data["from_account"]), Account(data["to_account"])
        return cls(**fields, machine=MovementMachine.restored(MACHINE, state))


class TransferBook:
    """All movements that have not succeeded yet, in the order they were asked for."""

    def __init__(self, installation: str) -> None:
        self._installation = installation
        self._open: dict[str, Movement] = {}
        self._finished: list[str] = []
        self._failed: dict[str, int] = {}

    def take_wanted(self, body: TransferWanted) -> Commands:
        """Book a wish: it is moved in the capital stage of the next NORMAL cycle."""
        if body.request_id in self._open or body.request_id in self._finished:
            return [_remark(body.request_id, "repeat", f"request {body.request_id} is known already")]
        movement = Movement(body.request_id, body.from_account, body.to_account, body.coin, body.amount, body.purpose)
        if body.amount <= 0 or body.from_account == body.to_account:
            text = f"{body.engine} wants {body.amount} {body.coin} from {body.from_account} to {body.to_account}"
            reason = f"{text}: refused, the amount must be above 0 and the accounts must differ"
            return [movement.fire("refuse", reason, {}), Alert("warning", "A transfer was refused", reason)]
        self._open[body.request_id] = movement
        movement.attempt += self._failed.pop(body.request_id, 0)
        reason = f"{body.amount} {body.coin} from {body.from_account} to {body.to_account}: {body.purpose}"
        return [movement.fire("want", reason, {"amount": str(body.amount), "coin": body.coin})]

    def due(self) -> list[str]:
        """Requests that are owed and not under way, in the order they were asked for."""
        return [m.request_id for m in self._open.values() if not m.is_under_way]

    def order(self, requests: Sequence[str]) -> Commands:
        """Order the movements of these requests."""
        commands: Commands = []
        for movement in (self._open[request_id] for request_id in requests):
            movement.transfer_id = self._transfer_id(movement)
            reason = f"{movement.amount} {movement.coin} from {movement.from_account} to {movement.to_account}"
            data = {"transfer_id": movement.transfer_id, "attempt": movement.attempt}
            commands += [
                movement.fire("order", reason, data),
                Send(
                    TransferOrdered(
                        transfer_id=movement.transfer_id,
                        request_id=movement.request_id,
                        from_account=movement.from_account,
                        to_account=movement.to_account,
                        coin=movement.coin,
                        amount=movement.amount,
                        purpose=movement.purpose,
                    )
                ),
            ]
        return commands

    def take_ended(self, body: TransferEnded) -> Commands:
        """An attempt has ended: done, or back to the engine that asked."""
        movement = self._open.get(body.request_id)
        if movement is None or movement.transfer_id != body.transfer_id:
            text = f"transfer {body.transfer_id} is none that is under way"
            return [_remark(body.request_id, "ended", text)]
        condition = f"transfer:{body.coin}:{body.from_account}:{body.to_account}"
        if body.succeeded:
            del self._open[body.request_id]
            self._finished = [*self._finished, body.request_id][-FINISHED_KEPT:]
            reason = f"{body.amount} {body.coin} moved from {body.from_account} to {body.to_account}"
            return [movement.fire("done", reason, {}), AlertEnded(condition, reason)]
        del self._open[body.request_id]
        self._failed[body.request_id] = movement.attempt
        while len(self._failed) > FINISHED_KEPT:
            del self._failed[next(iter(self._failed))]
        reason = f"attempt {movement.attempt} failed: {body.reason}; the engine still owes it and asks again"
        text = f"{body.amount} {body.coin} from {body.from_account} to {body.to_account} ({body.purpose}): {reason}"
        note = movement.fire("failed", reason, {"attempt": movement.attempt})
        return [note, Alert("warning", "A transfer between accounts failed", text, condition)]

    def are_under_way(self, requests: Sequence[str]) -> bool:
        """Whether an attempt of any of these requests has not ended."""
        return any(r in self._open and self._open[r].is_under_way for r in requests)

    @property
    def under_way(self) -> int:
        """Ordered transfers that have not ended."""
        return sum(movement.is_under_way for movement in self._open.values())

    def owed(self) -> dict[str, str]:
        """What is owed and not under way, as text per request."""
        return {
            m.request_id: f"{m.amount} {m.coin} {m.from_account} → {m.to_account}"
            for m in self._open.values()
            if not m.is_under_way
        }

    def _transfer_id(self, movement: Movement) -> str:
        return str(uuid.uuid5(NAMESPACE, f"{self._installation}/{movement.request_id}/{movement.attempt}"))

    def to_data(self) -> dict[str, Any]:
        """The durable state."""
        return {
            "open": [m.to_data() for m in self._open.values()],
            "finished": self._finished,
            "failed": dict(self._failed),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take back `to_data`."""
        for row in data["open"]:
            self._open[row["request_id"]] = Movement.from_data(row)
        self._finished = list(data["finished"])
        self._failed = {request_id: int(attempts) for request_id, attempts in data["failed"].items()}


def _remark(request_id: str, trigger: str, reason: str) -> Remark:
    return Remark(MACHINE, trigger, reason, {"request_id": request_id})
