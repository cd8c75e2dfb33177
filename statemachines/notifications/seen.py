"""An alert as the notifier reads it: the row, its acknowledgement, and how far it was taken before."""

from __future__ import annotations

from dataclasses import dataclass

from statemachines.facts import NoticeFact
from statemachines.notifications.message import SEVERITIES, Severity

EVENT = ""
"""The condition of an alert without duration."""


@dataclass(frozen=True, slots=True)
class SeenAlert:
    """`actor` of the row may be a foundation, which raises alerts of its own. `notice` None: not taken yet."""

    alert_id: str
    actor: str
    condition: str
    severity: Severity
    title: str
    text: str
    state: str
    changes: int
    market_ms: int
    changed_ms: int
    acknowledged_by: str | None = None
    notice: NoticeFact | None = None

    @property
    def is_standing(self) -> bool:
        """Whether its condition has not ended."""
        return self.state != "ended"

    @property
    def is_event(self) -> bool:
        """Whether it has no duration."""
        return self.condition == EVENT


def graver(one: Severity, other: Severity) -> bool:
    """Whether the first severity is graver than the second."""
    return SEVERITIES.index(one) > SEVERITIES.index(other)
