"""What one step of a durable actor takes from its inbox, gathers before its commit, and leaves to be done after it; and
whether the next one waits for company."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from actors.runtime.ports import Commit, EnvelopeDict, ExchangeCallRow, JournalRow
from statemachines.commands import ExchangeCall
from statemachines.facts import Fact
from statemachines.messages.envelope import Body, Envelope
from statemachines.messages.market import QuotesSeen
from statemachines.values import ActorName

GROUP_LIMIT = 100
"""Most messages decided in one transaction, and most per delivery (DESIGN 1)."""


class Source(StrEnum):
    """What an inbox item is."""

    PEER = "peer"
    FACT = "fact"
    ANSWER = "answer"
    TICK = "tick"


class Item(NamedTuple):
    source: Source
    message: Envelope | None
    market_ms: int
    sequence: int = 0
    natural_id: str = ""


@dataclass(slots=True)
class Delivery:
    """Messages of a peer that wait for the commit that contains them; `done` gets the cursors."""

    batch: Sequence[EnvelopeDict]
    done: Future[dict[str, int]]


@dataclass(slots=True)
class CommandTaken:
    """An operator's command that waits for its commit."""

    natural_id: str
    done: Future[None]


@dataclass(slots=True)
class Effects:
    """What the runtime must do after a step: deliver, notify (ephemeral), perform."""

    calls: list[ExchangeCall] = field(default_factory=list)
    ephemeral: list[tuple[tuple[ActorName, ...], EnvelopeDict]] = field(default_factory=list)


@dataclass(slots=True)
class Batch:
    """What one step gathers before it is committed."""

    next_seq: int
    states: list[Any] = field(default_factory=list)
    cursors: dict[str, int] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)
    outbox: list[EnvelopeDict] = field(default_factory=list)
    last_sent: dict[str, int] = field(default_factory=dict)
    ephemeral: list[tuple[tuple[ActorName, ...], EnvelopeDict]] = field(default_factory=list)
    calls: list[ExchangeCallRow] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    journal: list[JournalRow] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    alerts: int = 0
    quotes: QuotesSeen | None = None
    quotes_cause: str = ""


def is_needed(commit: Commit) -> bool:
    """Whether a step has anything durable; a step of ephemeral frames has not."""
    return bool(
        commit.states
        or commit.cursors
        or commit.known
        or commit.outbox
        or commit.calls
        or commit.answered
        or commit.journal
        or commit.facts
    )


def replace_older(outbox: list[EnvelopeDict], newest: EnvelopeDict) -> None:
    """Take an older message of the same kind out of a step's outbox; the newest goes to its recipients too."""
    for place, older in enumerate(outbox):
        if older["kind"] == newest["kind"]:
            newest["to"] = list(dict.fromkeys([*older["to"], *newest["to"]]))
            del outbox[place]
            return


def number_messages(
    batch: Batch, sender: ActorName, last_sent: Mapping[str, int], encode: Callable[[Body], Any]
) -> None:
    """Draw the sequence of every message that the step leaves: gapless, inside the sender's commit."""
    for envelope in batch.outbox:
        sequence = batch.next_seq
        batch.next_seq += 1
        envelope["id"], envelope["seq"] = f"{sender}:{sequence}", sequence
        envelope["prev"] = {name: batch.last_sent.get(name, last_sent.get(name, 0)) for name in envelope["to"]}
        batch.last_sent.update(dict.fromkeys(envelope["to"], sequence))
        envelope["body"] = encode(envelope["body"])


LOAD_STEPS = 8
LOAD_WITHIN_S = 0.4
"""An actor that has decided so often within so long is under load."""

LOAD_LINGER_S = 0.02
"""How long its next decision waits for company. A commit costs as much for one message as for ten; an actor that is not
under load never waits."""


class Load:
    """The instants of the newest decisions, in monotonic wall time."""

    def __init__(self) -> None:
        self._decided: deque[float] = deque(maxlen=LOAD_STEPS)

    def decided(self) -> None:
        """A decision was committed."""
        self._decided.append(time.monotonic())

    @property
    def is_heavy(self) -> bool:
        return len(self._decided) == LOAD_STEPS and time.monotonic() - self._decided[0] < LOAD_WITHIN_S

    @property
    def linger_s(self) -> float:
        """How long the next decision waits; 0 without load."""
        return max(0.0, self._decided[-1] + LOAD_LINGER_S - time.monotonic()) if self.is_heavy else 0.0
