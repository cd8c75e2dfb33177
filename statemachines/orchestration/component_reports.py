"""What the supervision reports about components and database, as the orchestrator's journal lines and alerts (OR-8)."""

from __future__ import annotations

from typing import Literal

from statemachines.commands import Alert, AlertEnded, Commands, JournalLine, Record, Remark
from statemachines.conditions import ONCE
from statemachines.facts import OperatorCommandFact
from statemachines.messages.control import (
    AccessFailures,
    ComponentAlert,
    ComponentChanged,
    ComponentReset,
    DatabaseOutage,
)
from statemachines.supervision.life import ComponentLife

DATABASE_CONDITION = "database"
ACCESS_CONDITION = "access"


def entry_of(body: ComponentChanged) -> JournalLine:
    """The supervision's transition for the journal, checked against the component's table again."""
    component = str(body.component)
    if not body.trigger:  # a message of an older version
        return Remark(component, "component_changed", body.reason, {}, body.state, is_bookkeeping=True)
    return ComponentLife.restored(component, body.source).fire(body.trigger, body.reason, {})


def down(component: object) -> str:
    """The key of the condition that a component does not run (OR-8)."""
    return f"component:{component}"


def outage_alert(body: DatabaseOutage) -> Alert | AlertEnded:
    """A condition with its beginning and its end in wall time: market time did not advance meanwhile."""
    if body.until:
        return AlertEnded(DATABASE_CONDITION, f"the database can be used again since {body.until}.")
    text = (
        f"The database {body.what} since {body.since}: {body.why}. Nothing was decided or sent meanwhile; stops "
        "remained at the exchange, and everything resumes automatically. Find out why the database could not be used."
    )
    return Alert("critical", "The database could not be used", text, DATABASE_CONDITION)


def alert_of(body: DatabaseOutage | ComponentAlert | AccessFailures) -> Alert | AlertEnded:
    """What is reported from outside the actors, as an alert."""
    if isinstance(body, DatabaseOutage):
        return outage_alert(body)
    return access_alert(body) if isinstance(body, AccessFailures) else component_alert(body)


def access_alert(body: AccessFailures) -> Alert | AlertEnded:
    """A condition while attempts to get in fail (DE-3)."""
    if not body.is_open:
        return AlertEnded(ACCESS_CONDITION, body.text)
    severity: Literal["warning", "critical"] = "critical" if body.is_critical else "warning"
    return Alert(severity, "Attempts to get in at the interface failed", body.text, ACCESS_CONDITION)


def component_alert(body: ComponentAlert) -> Alert:
    """An alert about a component, open until it runs again when it is down (OR-8)."""
    condition = down(body.component) if body.is_open else ONCE
    return Alert(body.severity, f"{body.component}: supervision", body.text, condition)


def reset_commands(body: ComponentReset, before: str, after: str, given_ms: int) -> Commands:
    """The operator's reset of a component, journalled and recorded (OR-8)."""
    component = str(body.component)
    fact = OperatorCommandFact(
        command_id=body.command_id,
        action="reset",
        scope=component,
        reason=body.reason,
        who=body.who,
        given_ms=given_ms,
    )
    note = Remark(component, "reset", f"{body.who}: {body.reason}", {"from": before, "to": after}, before, True)
    return [note, Record(fact)]
