"""Drives a deciding core as its durable actor does: a step's rows are committed, then its commands are carried out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from statemachines.actor_logic import ActorLogic, HistoryNeed, StateRow
from statemachines.commands import (
    Alert,
    AlertEnded,
    Command,
    Commands,
    ExchangeCall,
    JournalEntry,
    JournalLine,
    Record,
    Remark,
    Send,
)
from statemachines.conditions import Conditions
from statemachines.facts import BarFact, Fact
from statemachines.messages.envelope import Body, Envelope
from tests.kit.restoring import restore_logic

B = TypeVar("B", bound=Body)
F = TypeVar("F", bound=Fact)
L = TypeVar("L", bound=ActorLogic)

MAX_TICKS = 1_000
"""More ticks at one instant than any core needs: its deadline does not move on, and the clock would spin."""


def recorded(bars: Sequence[BarFact], needs: Iterable[HistoryNeed]) -> dict[HistoryNeed, list[BarFact]]:
    """What a new incarnation's runtime gives it of these recorded bars: the newest, oldest first."""
    found: dict[HistoryNeed, list[BarFact]] = {}
    for need in needs:
        fitting = (bar for bar in reversed(bars) if (bar.category, bar.symbol, bar.interval) == need[:3])
        found[need] = list(islice(fitting, need.bars))[::-1]
    return found


class Core(Generic[L]):
    """One core, one incarnation after the other. Market time is `now_ms`; whoever drives it moves it.

    `rows` are what is committed, as JSON; with `restarts` each step is followed by a new incarnation made from them,
    which must change nothing. A subclass carries out what is sent and asked in `act`.
    """

    def __init__(self, make: Callable[[], L], now_ms: int = 0, *, restarts: bool = False) -> None:
        self.make = make
        self.now_ms = now_ms
        self.restarts = restarts
        self.rows: dict[str, StateRow] = {}
        self.log: list[Command] = []
        self.sent: list[tuple[int, Body]] = []
        """With the instant at which it was sent."""
        self.notes: list[JournalLine] = []
        self.noted: list[tuple[int, JournalLine]] = []
        """The same with the instant at which it was written."""
        self.alerts: list[Alert] = []
        self.alerted: list[tuple[int, Alert]] = []
        self.ended: list[str] = []
        """Conditions that were told to be over."""
        self.asked: list[ExchangeCall] = []
        """Every request to the exchange so far."""
        self.facts: dict[tuple[Any, ...], Fact] = {}
        """By table and key, as the database would hold them."""
        self.repeated: list[Fact] = []
        """Facts that were recorded before and cannot change."""
        self.messages = 0
        self.logic = make()
        self.conditions = Conditions(self.logic.name)

    # --- steps ---

    def begin(self) -> Commands:
        """The incarnation may work."""
        return self.step(lambda: self.logic.begin(self.now_ms))

    def deliver(self, body: Body, *, sender: str = "kit", cause: str = "", trace: str = "") -> Commands:
        """One message at this instant."""
        self.messages += 1
        message = Envelope(f"{sender}:{self.messages}", sender, self.now_ms, cause, trace, body)
        return self.step(lambda: self.logic.handle(message))

    def tick(self) -> Commands:
        """The clock calls at this instant."""
        return self.step(lambda: self.logic.tick(self.now_ms))

    def is_due(self) -> bool:
        """Whether the clock would call at this instant."""
        due_ms = self.logic.deadline()
        return due_ms is not None and due_ms <= self.now_ms

    def run_due(self, between: Callable[[], object] = lambda: None) -> Commands:
        """Tick as long as something is due; `between` follows each tick."""
        commands: Commands = []
        for _ in range(MAX_TICKS):
            if not self.is_due():
                return commands
            commands += self.tick()
            between()
        raise AssertionError(f"the deadline {self.logic.deadline()} does not move on at {self.now_ms}")

    def step(self, decide: Callable[[], Commands]) -> Commands:
        """Commit, gather, carry out, and perhaps begin a new life."""
        commands = decide()
        self.commit()
        if self.restarts:
            self.restart()
        for command in commands:
            self._gather(command)
            self.act(command)
        return commands

    def commit(self) -> None:
        """Write the rows that the core has changed."""
        for row in self.logic.dirty():
            self.rows[row.key] = row._replace(data=json.loads(json.dumps(dict(row.data))))

    def restart(self) -> None:
        """A new incarnation from what is committed; nothing of the old one is left."""
        self.logic = self.make()
        restore_logic(self.logic, self.rows)
        self.warm()

    def warm(self) -> None:
        """Give a new incarnation the bars that it needs; there are none here."""

    def act(self, command: Command) -> None:
        """What follows from a command; nothing here."""

    def _gather(self, command: Command) -> None:
        self.log.append(command)
        match command:
            case Send():
                self.sent.append((self.now_ms, command.body))
            case JournalEntry() | Remark():
                self.notes.append(command)
                self.noted.append((self.now_ms, command))
            case Alert():
                self.alerts.append(command)
                self.alerted.append((self.now_ms, command))
                self.conditions.take(command, "", self.now_ms)
            case AlertEnded():
                self.ended.append(command.condition)
                self.conditions.take(command, "", self.now_ms)
            case ExchangeCall():
                self.asked.append(command)
            case Record(fact):
                key = (fact.TABLE, *(getattr(fact, name) for name in fact.KEY))
                if fact.ONCE and key in self.facts:
                    self.repeated.append(fact)
                else:
                    self.facts[key] = fact

    # --- what came of it ---

    def bodies(self, kind: type[B]) -> list[B]:
        """The messages of a kind that were sent."""
        return [body for _, body in self.sent if isinstance(body, kind)]

    def recorded(self, kind: type[F]) -> list[F]:
        """The facts of a kind, each as it was recorded last."""
        return [fact for fact in self.facts.values() if isinstance(fact, kind)]

    def titles(self) -> list[str]:
        """The titles of all alerts."""
        return [alert.title for alert in self.alerts]
