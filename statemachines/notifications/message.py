"""What is sent to people, and what came of it: the terms of every channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from statemachines.notifications.plain import one_line, shortened

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
"""From the mildest to the gravest."""

Action = Literal["raise", "change", "repeat", "acknowledge", "resolve", "report"]
Kind = Literal["alert", "report"]


class ChannelName(StrEnum):
    """The channels that a message can take."""

    TELEGRAM = "telegram"
    EMAIL = "email"
    PAGERDUTY = "pagerduty"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Part:
    """One alert in a message: what has become of it. `alert_id` is its number, the same in every repeat.

    `dedup_key` is the number by which a receiver recognises a repeat; `market_ms` is market time.
    """

    alert_id: str
    dedup_key: str
    action: Action
    severity: Severity
    title: str
    text: str
    actor: str = ""
    market_ms: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One message over one channel. `message_id` names this message, and is the same when it is sent again after a
    crash. `html`: the body of a report, with `parts` as its plain text."""

    message_id: str
    kind: Kind
    parts: tuple[Part, ...]
    html: str | None = None
    omitted: int = 0
    """Alerts of the same moment that have no part of their own here, since the message would be too long."""

    @property
    def severity(self) -> Severity:
        """The gravest of its parts."""
        return max((part.severity for part in self.parts), key=SEVERITIES.index)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The channel has taken it. `remote_id` is the receiver's number of it, "" when it gives none."""

    remote_id: str = ""


@dataclass(frozen=True, slots=True)
class RefusedForGood:
    """The channel refuses this message and would refuse it again: `reason` continues a sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Not delivered, or not known to be: to be sent again, not before `after_s` when the channel has named a time.

    `reason` continues a sentence. `is_pace`: the channel works, and asks for a slower pace.
    """

    reason: str
    after_s: float | None = None
    is_pace: bool = False


Outcome = Delivered | RefusedForGood | TryAgain

MOST_OF_REASON, MOST_OF_REMOTE_ID = 300, 200


def judged(outcome: Outcome) -> Outcome:
    """The outcome with the receiver's words on one line, bounded, and such as a row can hold."""
    if isinstance(outcome, Delivered):
        return Delivered(shortened(one_line(outcome.remote_id), MOST_OF_REMOTE_ID))
    return replace(outcome, reason=shortened(one_line(outcome.reason), MOST_OF_REASON))


GROUPS: Mapping[ChannelName, int] = {
    ChannelName.TELEGRAM: 20,
    ChannelName.EMAIL: 50,
    ChannelName.PAGERDUTY: 1,
    ChannelName.WEBHOOK: 20,
}
"""Alerts of one moment that travel as one message; PagerDuty has one event per incident."""
