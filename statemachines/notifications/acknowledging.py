"""Acknowledging (RM-5): a person has seen an alert and acts on it. The first acknowledgement of an alert stands."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from statemachines.commands import Remark
from statemachines.facts import AcknowledgementFact, Fact, OperatorCommandFact
from statemachines.values import Frozen

ACKNOWLEDGE = "acknowledge"
"""The action in the register of commands, and the trigger in the journal."""


class Acknowledgement(Frozen):
    """What a person says about an alert. `who` is the holder of the credential."""

    alert_id: str = Field(min_length=1, max_length=200)
    who: str = Field(min_length=1, max_length=200)
    text: str = Field(default="", max_length=500)


def acknowledged(given: Acknowledgement, title: str, now: datetime, market_ms: int) -> tuple[list[Fact], Remark]:
    """The rows of an acknowledgement and its line in the journal; `title` is the alert's."""
    added = f": {given.text}" if given.text else ""
    facts: list[Fact] = [
        AcknowledgementFact(alert_id=given.alert_id, who=given.who, acknowledged_at=now, text=given.text),
        OperatorCommandFact(
            command_id=command_id(given.alert_id),
            action=ACKNOWLEDGE,
            scope=given.alert_id,
            reason=given.text or f"seen: {title}",
            who=given.who,
            given_ms=market_ms,
        ),
    ]
    reason = f"alert {given.alert_id} ({title}) was acknowledged by {given.who}{added}"
    return facts, Remark(given.alert_id, ACKNOWLEDGE, reason, {"who": given.who, "text": given.text})


def command_id(alert_id: str) -> str:
    """The id in the register of commands: one for each alert."""
    return f"{ACKNOWLEDGE}:{alert_id}"
