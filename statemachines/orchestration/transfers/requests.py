"""Transfers between accounts requested by engines (OR-6): owed, ordered, ended; never lost, never made twice.

A transfer's id is a UUIDv5 of its request and its attempt number, so that a repeat after a crash is the same transfer
at the exchange. A transfer that failed on the exchange's evidence is returned to the engine that requested it: the
engine still owes the amount and requests it again, in time for the next cycle. Every retry has a single owner, so
nothing is transferred twice.
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
"""Number of finished requests kept, so that a repeated request changes nothing."""


class MovementState(StrEnum):
    """The states of a transfer request."""

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
        Row("want", _S.WANTED, _S.OWED, "OR-6: to be transferred in the capital stage of the next NORMAL cycle"),
        Row("refuse", _S.WANTED, _S.REFUSED, "OR-6: no amount, or from an account to itself"),
        Row("order", _S.OWED, _S.ORDERED, "OR-3, OR-6: one attempt is under way"),
        Row("done", _S.ORDERED, _S.DONE, "OR-6: the exchange has made the transfer"),
        Row("failed", _S.ORDERED, _S.FAILED, "OR-6: back to the engine, which still owes it and requests it again"),
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
"""The machine name of all transfer requests in the journal; each line names its request."""


class MovementMachine(StateMachine[MovementState]):
    """One transfer request from its arrival to its end."""

    __slots__ = ()
    TABLE = MOVEMENT_TABLE


@dataclass(slots=True)
class Movement:
    """One transfer request; `transfer_id` is set while an attempt is under way."""

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
        """Move along the table; the line names the request. Raises IllegalTransitionError when there is no such row."""
        return self.machine.fire(trigger, reason, {"request_id": self.request_id, **data})

    @property
    def is_under_way(self) -> bool:
        """Whether an attempt has been ordered and has not ended."""
        return self.machine.state is _S.ORDERED

    def to_data(self) -> dict[str, Any]:
        """JSON values. The state is implied: an open request with a transfer is ORDERED, otherwise OWED."""
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
        """Restore from the result of `to_data`."""
        fields = dict(data)
        state = _S.OWED if data["transfer_id"] is None else _S.ORDERED
        fields["amount"] = Decimal(data["amount"])
        fields["from_account"], fields["to_account"] = Account(data["from_account"]), Account(data["to_account"])
        return cls(**fields, machine=MovementMachine.restored(MACHINE, state))


class TransferRequests:
    """All open transfer requests, in the order in which they were made."""

    def __init__(self, installation: str) -> None:
        self._installation = installation
        self._open: dict[str, Movement] = {}
        self._finished: list[str] = []
        self._failed: dict[str, int] = {}

    def take_wanted(self, body: TransferWanted) -> Commands:
        """Take a request: the transfer is made in the capital stage of the next NORMAL cycle."""
        if body.request_id in self._open or body.request_id in self._finished:
            return [_remark(body.request_id, "repeat", f"request {body.request_id} is already known")]
        movement = Movement(body.request_id, body.from_account, body.to_account, body.coin, body.amount, body.purpose)
        if body.amount <= 0 or body.from_account == body.to_account:
            text = f"{body.engine} requests {body.amount} {body.coin} from {body.from_account} to {body.to_account}"
            reason = f"{text}: refused, the amount must be above 0 and the accounts must differ"
            return [movement.fire("refuse", reason, {}), Alert("warning", "A transfer was refused", reason)]
        self._open[body.request_id] = movement
        movement.attempt += self._failed.pop(body.request_id, 0)
        reason = f"{body.amount} {body.coin} from {body.from_account} to {body.to_account}: {body.purpose}"
        return [movement.fire("want", reason, {"amount": str(body.amount), "coin": body.coin})]

    def due(self) -> list[str]:
        """Requests that are owed and not under way, in the order in which they were made."""
        return [m.request_id for m in self._open.values() if not m.is_under_way]

    def order(self, requests: Sequence[str]) -> Commands:
        """Order the transfers of these requests."""
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
        """An attempt has ended: done, or back to the engine that requested it."""
        movement = self._open.get(body.request_id)
        if movement is None or movement.transfer_id != body.transfer_id:
            text = f"transfer {body.transfer_id} is not under way"
            return [_remark(body.request_id, "ended", text)]
        condition = f"transfer:{body.coin}:{body.from_account}:{body.to_account}"
        if body.succeeded:
            del self._open[body.request_id]
            self._finished = [*self._finished, body.request_id][-FINISHED_KEPT:]
            reason = f"{body.amount} {body.coin} transferred from {body.from_account} to {body.to_account}"
            return [movement.fire("done", reason, {}), AlertEnded(condition, reason)]
        del self._open[body.request_id]
        self._failed[body.request_id] = movement.attempt
        while len(self._failed) > FINISHED_KEPT:
            del self._failed[next(iter(self._failed))]
        reason = f"attempt {movement.attempt} failed: {body.reason}; the engine still owes it and requests it again"
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
        """Amounts owed and not under way, as text per request."""
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
        """Restore from the result of `to_data`."""
        for row in data["open"]:
            self._open[row["request_id"]] = Movement.from_data(row)
        self._finished = list(data["finished"])
        self._failed = {request_id: int(attempts) for request_id, attempts in data["failed"].items()}


def _remark(request_id: str, trigger: str, reason: str) -> Remark:
    return Remark(MACHINE, trigger, reason, {"request_id": request_id})
