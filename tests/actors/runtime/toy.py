"""Toy logics for every promise of the durable actor: a pump that counts facts in, a buyer that asks the exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from actors.runtime.in_process import StreamEvent
from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Commands, ExchangeCall, JournalEntry, Send
from statemachines.facts import BarFact
from statemachines.messages.control import CycleDone, RunCycle
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import FundingSettled
from statemachines.messages.orders import ResponseReceived
from statemachines.requests import (
    Accepted,
    ExchangeRequest,
    ExchangeResponse,
    LookUpTransfer,
    TransferFunds,
    TransferState,
    Unknown,
)
from statemachines.state_store import PLAIN
from statemachines.values import Account, ActorName
from tests.kit.peers import OneByOne


def fact(number: int) -> StreamEvent:
    """Something that happened outside, for the pump."""
    body = FundingSettled(settle_ms=number, rates={}, predicted={}, interval_min={})
    return StreamEvent(ActorName.ORCHESTRATOR, body, f"fact-{number}", number)


class Toy:
    """Wants nothing, is never due."""

    name: ActorName
    dialect = PLAIN

    def history_needed(self) -> Sequence[HistoryNeed]:
        return ()

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        return None

    def begin(self, now_ms: int) -> Commands:
        return []

    def deadline(self) -> int | None:
        return None

    def tick(self, now_ms: int) -> Commands:
        return []

    def still_needed(self, call: ExchangeCall) -> bool:
        return True


class Pump(Toy):
    """Turns each outside fact into one message for the buyer."""

    name = ActorName.ORCHESTRATOR

    def __init__(self) -> None:
        self.seen = 0
        self._dirty = False

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        if "pump" in rows:
            self.seen = int(rows["pump"].data["seen"])

    def handle(self, message: Envelope) -> Commands:
        if isinstance(message.body, FundingSettled):
            self.seen += 1
            self._dirty = True
            day = message.body.settle_ms
            body = RunCycle(
                day_ms=day,
                close_ms=day,
                engine=ActorName.TACTICAL,
                target_usdt=Decimal(0),
                portfolio_usdt=Decimal(0),
            )
            return [Send(body), JournalEntry("pump", "fact", "ON", "ON", f"fact {day}")]
        return []

    def dirty(self) -> Sequence[StateRow]:
        if not self._dirty:
            return ()
        self._dirty = False
        return self.rows()

    def rows(self) -> Sequence[StateRow]:
        return (StateRow("pump", "ON", 1, {"seen": self.seen}),)


class Buyer(Toy):
    """For each message moves 1 unit at the exchange, exactly once, whatever crashes."""

    name = ActorName.TACTICAL

    def __init__(self) -> None:
        self.state: dict[str, str] = {}
        self._attempt: dict[str, int] = {}
        self._dirty: set[str] = set()

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        for key, row in rows.items():
            self.state[key] = row.state
            self._attempt[key] = int(row.data["attempt"])

    def handle(self, message: Envelope) -> Commands:
        body = message.body
        if isinstance(body, RunCycle):
            return self._send(str(body.day_ms))
        if isinstance(body, ResponseReceived):
            return self._answered(body.key.split(":")[0], body.outcome)
        return []

    def _answered(self, key: str, outcome: ExchangeResponse) -> Commands:
        if isinstance(outcome, Unknown):
            return self._look_up(key)
        if isinstance(outcome, TransferState) and outcome.status == "ABSENT":
            return self._send(key)
        assert isinstance(outcome, Accepted | TransferState)
        self._set(key, "DONE")
        return [
            JournalEntry(key, "done", "SENT", "DONE", f"transfer {key} is done"),
            Send(CycleDone(day_ms=int(key), engine=self.name, summary="done")),
        ]

    def _send(self, key: str) -> Commands:
        request = TransferFunds(
            transfer_id=key, coin="USDT", amount=Decimal(1), from_account=Account.MASTER, to_account=Account.TACTICAL
        )
        return self._ask(key, "SENT", request)

    def _look_up(self, key: str) -> Commands:
        return self._ask(key, "UNKNOWN", LookUpTransfer(transfer_id=key))

    def _ask(self, key: str, state: str, request: ExchangeRequest) -> Commands:
        self._attempt[key] = self._attempt.get(key, 0) + 1
        self._set(key, state)
        return [ExchangeCall(key=f"{key}:{self._attempt[key]}", account="MASTER", request=request)]

    def _set(self, key: str, state: str) -> None:
        self.state[key] = state
        self._dirty.add(key)

    def dirty(self) -> Sequence[StateRow]:
        rows = [row for row in self.rows() if row.key in self._dirty]
        self._dirty.clear()
        return rows

    def rows(self) -> Sequence[StateRow]:
        return [StateRow(key, self.state[key], 1, {"attempt": self._attempt[key]}) for key in sorted(self.state)]


class ToyExchange(OneByOne):
    """Counts how often each transfer was performed: the truth that must show 1 everywhere."""

    def __init__(self) -> None:
        self.performed: dict[str, int] = {}

    def perform(self, account: Account, request: ExchangeRequest) -> ExchangeResponse:
        if isinstance(request, TransferFunds):
            self.performed[request.transfer_id] = self.performed.get(request.transfer_id, 0) + 1
            return Accepted()
        assert isinstance(request, LookUpTransfer)
        return TransferState(status="SUCCESS" if request.transfer_id in self.performed else "ABSENT")
