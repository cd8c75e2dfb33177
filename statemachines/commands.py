"""What a logic returns: commands. They are values; the durable actor commits them, then acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from statemachines.facts import Fact
from statemachines.messages.envelope import Body
from statemachines.requests import ExchangeRequest
from statemachines.values import ActorName


@dataclass(frozen=True, slots=True)
class Send:
    """A message to other actors. Without `to` the routing table chooses the recipients by kind and body."""

    body: Body
    to: tuple[ActorName, ...] = ()


@dataclass(frozen=True, slots=True)
class ExchangeCall:
    """A request to the exchange (write or look-up), performed after the commit in the account's request queue.

    `key` is deterministic and permanently unique within the actor; the response arrives as `ResponseReceived` with
    the same key. A request without a response after a crash gets the outcome `Unknown`: the durable actor never
    performs it again (DESIGN 1). `delay_s` is wall time (EX-4); a delayed request is dropped when the logic's method
    `still_needed` returns False. `gate` names the engine whose switches may block it; None for those that reduce
    risk and are never refused.
    """

    key: str
    account: str
    request: ExchangeRequest
    gate: ActorName | None = None
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A transition: `trigger` moved the machine `machine` (its key, e.g. "BTC") from `source` to `dest`.

    `reason` is a sentence with the numbers that led to it; `data` carries the same numbers by name. `table` is the
    name of the machine's table, of which trigger, source and dest are one row: only `StateMachine.fire` makes entries.
    `is_bookkeeping` marks movements of the component itself rather than decisions; they are left out when two runs
    are compared.
    """

    KIND: ClassVar[Literal["transition"]] = "transition"

    machine: str
    trigger: str
    source: str
    dest: str
    reason: str
    data: Mapping[str, Any] = field(default_factory=dict)
    table: str = ""
    is_bookkeeping: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """A decision without a transition, for the journal. `state` is its machine's state, "" when it has no machine."""

    KIND: ClassVar[Literal["remark"]] = "remark"

    machine: str
    trigger: str
    reason: str
    data: Mapping[str, Any] = field(default_factory=dict)
    state: str = ""
    is_bookkeeping: bool = False

    @property
    def source(self) -> str:
        """For the journal's columns: a remark begins and ends in its machine's state."""
        return self.state

    @property
    def dest(self) -> str:
        return self.state

    @property
    def table(self) -> str:
        """Empty: a remark corresponds to no row of a table."""
        return ""


JournalLine = JournalEntry | Remark


@dataclass(frozen=True, slots=True)
class Record:
    """A row for one of the fact tables, written in the same transaction as the decision."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Alert:
    """A text for the operator: what happened, what the system did, what action is required.

    `condition` is the key of what is wrong, unique within the actor: the alert stays open until an `AlertEnded` with
    the same key, and further alerts with that key update it (statemachines/conditions.py). Without a key the alert
    reports an event that has no duration.
    """

    severity: Literal["info", "warning", "critical"]
    title: str
    text: str
    condition: str = ""


@dataclass(frozen=True, slots=True)
class AlertEnded:
    """The condition of an alert has ended; one that is not open changes nothing."""

    condition: str
    text: str = ""


Command = Send | ExchangeCall | JournalEntry | Remark | Record | Alert | AlertEnded
Commands = list[Command]
