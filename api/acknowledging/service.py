"""Acknowledging alerts (RM-5): checked, handed to the notifier, which commits and journals it; done once per alert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from api.control import ControlUnavailableError, Printable, Send
from api.views.arguments import UnknownNameError, identifier
from infra.database.reading.reader import QueryUnavailableError
from statemachines.notifications.acknowledging import Acknowledgement, command_id
from statemachines.values import ActorName

MOST_TEXT = 500


class AcknowledgeRequest(BaseModel):
    """What a person adds to an acknowledgement, such as what is being done; it may be left out."""

    model_config = ConfigDict(extra="forbid")

    text: Printable = Field(default="", max_length=MOST_TEXT, examples=["looking at it, back in ten minutes"])


class AcknowledgeAnswer(BaseModel):
    """That the acknowledgement is committed. `acknowledged_ms` is wall time; who and when are those of the first
    acknowledgement of this alert."""

    alert_id: str
    acknowledged_by: str
    acknowledged_ms: int = Field(description="milliseconds UTC, wall time")
    text: str


class AlertRegister(Protocol):
    """The alerts with their acknowledgements."""

    def alert(self, alert_id: str) -> Mapping[str, Any] | None:
        """The alert of this number; None when there is none. Raises QueryUnavailableError."""
        ...


class AcknowledgeService:
    """Takes acknowledgements, from every way in. Blocks; safe to use from several threads."""

    def __init__(self, send: Send, register: AlertRegister) -> None:
        self._send = send
        self._register = register

    def acknowledge(self, alert_id: str, request: AcknowledgeRequest, holder: str) -> AcknowledgeAnswer:
        """Acknowledge the alert in the name of `holder`, who presented the credential. An alert that is acknowledged
        already stays so: the answer has who did it first. One that has ended may be acknowledged too.

        Raises BadValueError for what is no number of an alert, UnknownNameError when there is no such alert,
        ControlUnavailableError when it was not taken, or it is not known whether it was: a repeat is harmless.
        """
        identifier("alert_id", alert_id)
        try:
            row = self._alert(alert_id)
            if row["acknowledged_by"] is not None:
                return _answer(row)
            given = Acknowledgement(alert_id=alert_id, who=holder, text=request.text)
            natural_id = f"operator:{command_id(alert_id)}"
            self._send(ActorName.NOTIFIER, "acknowledge", (given.model_dump(mode="json"), natural_id))
            row = self._alert(alert_id)
        except (ControlUnavailableError, QueryUnavailableError) as error:
            raise _unavailable(str(error)) from error
        if row["acknowledged_by"] is None:
            raise _unavailable("The notifier has answered, and the acknowledgement is not in the database")
        return _answer(row)

    def _alert(self, alert_id: str) -> Mapping[str, Any]:
        row = self._register.alert(alert_id)
        if row is None:
            raise UnknownNameError("alert", alert_id, hint="`eternal alerts` lists the alert_id of every alert")
        return row


def _answer(row: Mapping[str, Any]) -> AcknowledgeAnswer:
    return AcknowledgeAnswer(
        alert_id=row["alert_id"],
        acknowledged_by=row["acknowledged_by"],
        acknowledged_ms=row["acknowledged_ms"],
        text=f"Alert {row['alert_id']} ({row['title']}) is acknowledged by {row['acknowledged_by']}; it is not "
        "repeated any more.",
    )


def _unavailable(why: str) -> ControlUnavailableError:
    return ControlUnavailableError(
        f"{why.rstrip('.')}. The alert may not be acknowledged. The notifier takes acknowledgements, and restarts by "
        "itself, as a rule within ten seconds (`eternal status` shows it): try again then; however often that is, it "
        "counts once. Until then the alert may be repeated."
    )
