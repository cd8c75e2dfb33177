"""Alerts as conditions: a condition begins, changes and ends, and is raised once rather than once per attempt.

One register per durable actor. The actor chooses the key of a condition; while the condition is open, an alert with
the same text changes nothing and one with another text updates the open alert.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from statemachines.actor_logic import StateRow
from statemachines.commands import Alert, AlertEnded
from statemachines.facts import AlertFact
from statemachines.values import ActorName

KEY = "alerts"
"""The key of the row that holds an actor's open conditions, beside the rows of its logic."""
ONCE = ""
"""The key of an alert without duration: it begins and ends at one instant."""


class OpenCondition(NamedTuple):
    """A condition that has begun and not ended, with its alert as last raised."""

    alert_id: str
    severity: str
    title: str
    text: str
    raised_ms: int
    changes: int


class Conditions:
    """The open conditions of one actor, durable in one row."""

    def __init__(self, actor: ActorName) -> None:
        self._actor = actor
        self._open: dict[str, OpenCondition] = {}
        self.is_dirty = False

    def take(self, command: Alert | AlertEnded, alert_id: str, now_ms: int) -> AlertFact | None:
        """The row to write; None when nothing has changed. `alert_id` names an alert that begins now."""
        if isinstance(command, AlertEnded):
            return self._end(command, now_ms)
        begun = OpenCondition(alert_id, command.severity, command.title, command.text, now_ms, 0)
        if command.condition == ONCE:
            return self._fact(ONCE, begun, now_ms, now_ms)
        known = self._open.get(command.condition)
        if known is not None:
            if (known.severity, known.title, known.text) == (command.severity, command.title, command.text):
                return None
            begun = begun._replace(alert_id=known.alert_id, raised_ms=known.raised_ms, changes=known.changes + 1)
        self._open[command.condition] = begun
        self.is_dirty = True
        return self._fact(command.condition, begun, now_ms, None)

    def _end(self, command: AlertEnded, now_ms: int) -> AlertFact | None:
        known = self._open.pop(command.condition, None)
        if known is None:
            return None
        self.is_dirty = True
        if command.text:
            known = known._replace(text=f"{known.text} Ended: {command.text}")
        return self._fact(command.condition, known, now_ms, now_ms)

    def _fact(self, condition: str, one: OpenCondition, now_ms: int, ended_ms: int | None) -> AlertFact:
        return AlertFact(
            alert_id=one.alert_id,
            actor=self._actor,
            condition=condition,
            severity=one.severity,
            title=one.title,
            text=one.text,
            state="ended" if ended_ms is not None else "changed" if one.changes else "open",
            market_ms=one.raised_ms,
            changed_ms=now_ms,
            changes=one.changes,
            ended_ms=ended_ms,
        )

    # --- durable form ---

    def rows(self) -> list[StateRow]:
        """The row in its current form."""
        return [StateRow(KEY, "", 1, {condition: list(one) for condition, one in self._open.items()})]

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Restore the open conditions from the row of `KEY`, if there is one."""
        if KEY in rows:
            self._open = {condition: OpenCondition(*one) for condition, one in rows[KEY].data.items()}

    @property
    def open(self) -> Mapping[str, OpenCondition]:
        """The open conditions by key."""
        return MappingProxyType(self._open)
