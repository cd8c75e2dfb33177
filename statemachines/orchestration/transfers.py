"""Movements between accounts that engines have asked for (OR-6): owed, ordered, ended; never lost, never twice.

A transfer's id is a UUIDv5 of what it is for and which attempt it is, so that a repeat after a crash is the same
transfer at the exchange. One that failed on the exchange's evidence goes back to the engine that asked: it keeps what
it owes and asks again, in time for the next cycle. There is one owner of every retry, so nothing moves twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from statemachines.commands import Alert, AlertEnded, Commands, JournalEntry, Send
from statemachines.messages import TransferEnded, TransferOrdered, TransferWanted
from statemachines.values import Account

NAMESPACE = uuid.UUID("6f1f6a36-5f0e-5e51-9a53-8a4a3c9f7d10")
FINISHED_KEPT = 500
"""Finished requests remembered, so that a repeated wish changes nothing."""


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
            return [_note(body.request_id, "repeat", "KNOWN", "KNOWN", f"request {body.request_id} is known already")]
        if body.amount <= 0 or body.from_account == body.to_account:
            text = f"{body.engine} wants {body.amount} {body.coin} from {body.from_account} to {body.to_account}"
            reason = f"{text}: refused, the amount must be above 0 and the accounts must differ"
            note = _note(body.request_id, "refuse", "WANTED", "REFUSED", reason)
            return [note, Alert("warning", "A transfer was refused", reason)]
        self._open[body.request_id] = Movement(
            body.request_id, body.from_account, body.to_account, body.coin, body.amount, body.purpose
        )
        self._open[body.request_id].attempt += self._failed.pop(body.request_id, 0)
        reason = f"{body.amount} {body.coin} from {body.from_account} to {body.to_account}: {body.purpose}"
        return [_note(body.request_id, "want", "WANTED", "OWED", reason)]

    def due(self) -> list[str]:
        """Requests that are owed and not under way, in the order they were asked for."""
        return [m.request_id for m in self._open.values() if m.transfer_id is None]

    def order(self, requests: Sequence[str]) -> Commands:
        """Order the movements of these requests."""
        commands: Commands = []
        for movement in (self._open[request_id] for request_id in requests):
            movement.transfer_id = self._transfer_id(movement)
            reason = f"{movement.amount} {movement.coin} from {movement.from_account} to {movement.to_account}"
            data = {"transfer_id": movement.transfer_id, "attempt": movement.attempt}
            commands += [
                _note(movement.request_id, "order", "OWED", "ORDERED", reason, data),
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
            return [_note(body.request_id, "ended", "UNKNOWN", "UNKNOWN", text)]
        condition = f"transfer:{body.coin}:{body.from_account}:{body.to_account}"
        if body.succeeded:
            del self._open[body.request_id]
            self._finished = [*self._finished, body.request_id][-FINISHED_KEPT:]
            reason = f"{body.amount} {body.coin} moved from {body.from_account} to {body.to_account}"
            return [_note(body.request_id, "done", "ORDERED", "DONE", reason), AlertEnded(condition, reason)]
        del self._open[body.request_id]
        self._failed[body.request_id] = movement.attempt
        while len(self._failed) > FINISHED_KEPT:
            del self._failed[next(iter(self._failed))]
        reason = f"attempt {movement.attempt} failed: {body.reason}; the engine still owes it and asks again"
        text = f"{body.amount} {body.coin} from {body.from_account} to {body.to_account} ({body.purpose}): {reason}"
        note = _note(body.request_id, "failed", "ORDERED", "FAILED", reason)
        return [note, Alert("warning", "A transfer between accounts failed", text, condition)]

    def are_under_way(self, requests: Sequence[str]) -> bool:
        """Whether an attempt of any of these requests has not ended."""
        return any(r in self._open and self._open[r].transfer_id is not None for r in requests)

    @property
    def under_way(self) -> int:
        """Ordered transfers that have not ended."""
        return sum(movement.transfer_id is not None for movement in self._open.values())

    def owed(self) -> dict[str, str]:
        """What is owed and not under way, as text per request."""
        return {
            m.request_id: f"{m.amount} {m.coin} {m.from_account} → {m.to_account}"
            for m in self._open.values()
            if m.transfer_id is None
        }

    def _transfer_id(self, movement: Movement) -> str:
        return str(uuid.uuid5(NAMESPACE, f"{self._installation}/{movement.request_id}/{movement.attempt}"))

    def to_data(self) -> dict[str, Any]:
        """The durable state."""
        return {
            "open": [asdict(m) | {"amount": str(m.amount)} for m in self._open.values()],
            "finished": self._finished,
            "failed": dict(self._failed),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take back `to_data`."""
        for row in data["open"]:
            fields = dict(row)
            fields["amount"] = Decimal(fields["amount"])
            fields["from_account"], fields["to_account"] = Account(row["from_account"]), Account(row["to_account"])
            self._open[row["request_id"]] = Movement(**fields)
        self._finished = list(data["finished"])
        self._failed = {request_id: int(attempts) for request_id, attempts in data["failed"].items()}


def _note(
    request_id: str, trigger: str, source: str, dest: str, reason: str, data: Mapping[str, Any] | None = None
) -> JournalEntry:
    return JournalEntry("transfer", trigger, source, dest, reason, {"request_id": request_id, **(data or {})})
