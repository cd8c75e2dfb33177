"""One movement of capital as a machine (OR-6), keyed by the id under which the exchange gets it.

An engine that requests a transfer of its own (FU-5, TA-6) has the amount free; one that is asked to give (OR-2, OR-4)
frees it first. Each movement is one attempt: what failed is requested again as a new one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from statemachines.commands import JournalEntry
from statemachines.fsm import Row, StateMachine, Table
from statemachines.values import Account

NAMESPACE = uuid.UUID("6f1f6a36-5f0e-5e51-9a53-8a4a3c9f7d10")


class MovementState(StrEnum):
    """The states of a movement."""

    REQUESTED = "REQUESTED"
    REFUSED = "REFUSED"
    FREEING = "FREEING"
    FREE = "FREE"
    SENT = "SENT"
    CONFIRMED = "CONFIRMED"
    BOOKED = "BOOKED"
    FAILED = "FAILED"


_S = MovementState

MOVEMENT_TABLE: Table[MovementState] = Table(
    "movement",
    _S.REQUESTED,
    (
        Row("ask", _S.REQUESTED, _S.FREEING, "OR-2, OR-4: the engine is asked to free it by its own rules"),
        Row("want", _S.REQUESTED, _S.FREE, "FU-5, TA-6, OR-5: it is free already"),
        Row("refuse", _S.REQUESTED, _S.REFUSED, "OR-6: no amount, or from an account to itself"),
        Row("freed", _S.FREEING, _S.FREE, "OR-2, OR-4: the engine has freed all of it"),
        Row("freed_in_part", _S.FREEING, _S.FREE, "C10, O4, A8: less can be given; each receiver's part shrinks"),
        Row("nothing_free", _S.FREEING, _S.REFUSED, "C10, A8, O7: the engine can give nothing, or too little"),
        Row("order", _S.FREE, _S.SENT, "OR-3, OR-6: under way, in a NORMAL state of risk"),
        Row("done", _S.SENT, _S.CONFIRMED, "OR-6: the exchange has made the transfer"),
        Row("book", _S.CONFIRMED, _S.BOOKED, "OR-6: the ledger has it, in the commit that confirmed it"),
        Row("failed", _S.SENT, _S.FAILED, "OR-6: nothing was moved; the origin of the request decides anew"),
    ),
    {
        _S.REQUESTED: "Запрошено",
        _S.REFUSED: "Отклонено",
        _S.FREEING: "Высвобождение",
        _S.FREE: "К перечислению",
        _S.SENT: "Отправлено",
        _S.CONFIRMED: "Подтверждено",
        _S.BOOKED: "Проведено",
        _S.FAILED: "Не выполнено",
    },
)


class MovementMachine(StateMachine[MovementState]):
    """One movement from its request to its end."""

    __slots__ = ()
    TABLE = MOVEMENT_TABLE


def transfer_id(installation: str, request_id: str, attempt: int) -> str:
    """The id at the exchange: the same for the same attempt, so that a repeat after a crash is the same transfer."""
    return str(uuid.uuid5(NAMESPACE, f"{installation}/{request_id}/{attempt}"))


@dataclass(slots=True)
class Movement:
    """One movement; `release_id` names the release of capital that it belongs to, "" for an engine's own request."""

    request_id: str
    from_account: Account
    to_account: Account
    coin: str
    amount: Decimal
    purpose: str
    attempt: int
    transfer_id: str
    release_id: str
    machine: MovementMachine

    @classmethod
    def requested(
        cls,
        installation: str,
        request_id: str,
        accounts: tuple[Account, Account],
        coin: str,
        amount: Decimal,
        purpose: str,
        attempt: int = 1,
        release_id: str = "",
    ) -> Movement:
        """A new one; `accounts` are where it comes from and where it goes."""
        key = transfer_id(installation, request_id, attempt)
        return cls(request_id, *accounts, coin, amount, purpose, attempt, key, release_id, MovementMachine(key))

    @property
    def state(self) -> MovementState:
        """Where it stands."""
        return self.machine.state

    @property
    def is_of_the_treasury(self) -> bool:
        """Whether the orchestrator decided on it (OR-2, OR-4, OR-5), and not an engine (FU-5, TA-6)."""
        return bool(self.release_id) or self.from_account is Account.MASTER

    @property
    def way(self) -> str:
        """What moves, as a clause."""
        return f"{self.amount:f} {self.coin} from {self.from_account} to {self.to_account}"

    def fire(self, trigger: str, reason: str) -> JournalEntry:
        """Move along the table; the line names the request. Raises IllegalTransitionError when there is no such row."""
        data = {"request_id": self.request_id, "amount": f"{self.amount:f}", "coin": self.coin, "attempt": self.attempt}
        return self.machine.fire(trigger, reason, data)

    def to_data(self) -> dict[str, Any]:
        """JSON values; the transfer's id follows from installation, request and attempt."""
        return {
            "request_id": self.request_id,
            "from_account": self.from_account,
            "to_account": self.to_account,
            "coin": self.coin,
            "amount": str(self.amount),
            "purpose": self.purpose,
            "attempt": self.attempt,
            "release_id": self.release_id,
            "state": self.state.value,
        }

    @classmethod
    def from_data(cls, installation: str, data: Mapping[str, Any]) -> Movement:
        """Restore from the result of `to_data`."""
        key = transfer_id(installation, data["request_id"], data["attempt"])
        return cls(
            request_id=data["request_id"],
            from_account=Account(data["from_account"]),
            to_account=Account(data["to_account"]),
            coin=data["coin"],
            amount=Decimal(data["amount"]),
            purpose=data["purpose"],
            attempt=int(data["attempt"]),
            transfer_id=key,
            release_id=data["release_id"],
            machine=MovementMachine.restored(key, data["state"]),
        )
