"""What a logic returns: commands. They are values; the durable actor commits them, then acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from statemachines.facts import Fact
from statemachines.messages import Body
from statemachines.requests import ExchangeRequest
from statemachines.values import ActorName


@dataclass(frozen=True, slots=True)
class Send:
    """A message to other actors. Without `to` the routing table decides from the kind and the body."""

    body: Body
    to: tuple[ActorName, ...] = ()


@dataclass(frozen=True, slots=True)
class ExchangeCall:
    """A request to the exchange (write or look-up), performed in one lane per account after the commit.

    `key` is unique for ever within the actor and deterministic; the answer comes back as
    `messages.Answer` with the same key. A request found unanswered after a crash is answered with
    `Unknown`: the durable actor never performs it again (DESIGN 1). `delay_s` is wall time (EX-4); a delayed
    request is dropped when the logic no longer `wants` it. `gate` names the engine whose switches may
    block it; None for requests that reduce risk and are never refused.
    """

    key: str
    account: str
    request: ExchangeRequest
    gate: ActorName | None = None
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line of the decision journal: a transition (`source` != `dest`) or a decision without one.

    `reason` is a sentence with the numbers that led to it; `data` carries the same numbers by name.
    `machine` is the key of the machine, e.g. "BTC". `kind` tells decisions from bookkeeping of the
    component itself, which is left out when two runs are compared.
    """

    machine: str
    trigger: str
    source: str
    dest: str
    reason: str
    data: Mapping[str, Any] = field(default_factory=dict)
    kind: Literal["decision", "component"] = "decision"


@dataclass(frozen=True, slots=True)
class Record:
    """A row for one of the fact tables, written in the same transaction as the decision."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Alert:
    """A text for the operator: what happened, what the system did, what action is required.

    `condition` is the key of what is wrong, unique within the actor: the alert stays open until `AlertEnded` of the
    same key, and further alerts of it are changes of the same one (statemachines/conditions.py). Without a key the
    alert tells of an event that has no duration.
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


Command = Send | ExchangeCall | JournalEntry | Record | Alert | AlertEnded
Commands = list[Command]
