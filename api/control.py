"""The operator's commands (RM-5, OR-8): checked, sent to whom they are for, carried out once per id, journalled."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from actors.risk_manager.states import SCOPES
from api.asking import BadValueError
from api.text import printable
from statemachines.messages import OperatorCommand
from statemachines.values import ActorName

ACTIONS = ("pause", "resume", "reduce_only", "halt", "normal")
RESET = "reset"


def _printable(value: object) -> object:
    return printable(value) if isinstance(value, str) else value


COMPONENTS = tuple(str(name) for name in ActorName if name is not ActorName.ORCHESTRATOR)


Printable = Annotated[str, BeforeValidator(_printable)]
"""Judged before pydantic's own look, which says of half a character pair only that it is no string."""


class ControlUnavailableError(Exception):
    """The actor that a command is for does not answer or has not committed it in time (HTTP 503)."""


class ControlRequest(BaseModel):
    """What the operator wants, of whom, and why.

    `action`: pause (no new risk), resume (ends a pause), reduce_only, halt, normal (ends everything, and drawdowns are
    measured anew), or reset (a FAULTED component is tried again). `scope`: GLOBAL or an engine; for reset a component.
    `command_id` makes a repeated request harmless; one is made when it is missing.
    """

    model_config = ConfigDict(extra="forbid")

    action: Printable = Field(max_length=40, json_schema_extra={"enum": [*ACTIONS, RESET]})
    scope: Printable = Field(
        default="GLOBAL", max_length=40, json_schema_extra={"enum": list(dict.fromkeys((*SCOPES, *COMPONENTS)))}
    )
    reason: Printable = Field(min_length=3, max_length=500, examples=["exchange maintenance announced for tonight"])
    who: Printable = Field(default="operator", min_length=1, max_length=60)
    command_id: Printable = Field(default="", max_length=64)


class ControlAnswer(BaseModel):
    """That the command is committed; the journal and /switches tell what came of it."""

    command_id: str
    accepted: bool
    text: str


Send = Callable[[ActorName, str, tuple[Any, ...]], None]
"""`send(actor, method, arguments)` calls a living actor and waits until it has committed; raises
ControlUnavailableError."""


def carry_out(request: ControlRequest, send: Send) -> ControlAnswer:
    """Check and hand over.

    Raises BadValueError for an action or a scope that does not exist, ControlUnavailableError when nobody took it.
    """
    command_id = request.command_id or uuid.uuid4().hex
    if request.action == RESET:
        if request.scope not in COMPONENTS:
            raise BadValueError("scope", request.scope, COMPONENTS)
        send(ActorName.ORCHESTRATOR, "reset", (request.scope, f"{request.who}: {request.reason}"))
        text = f"{request.scope} is tried again if it is FAULTED; /actors/{request.scope} tells what came of it."
        return ControlAnswer(command_id=command_id, accepted=True, text=text)
    if request.action not in ACTIONS:
        raise BadValueError("action", request.action, (*ACTIONS, RESET))
    if request.scope not in SCOPES:
        raise BadValueError("scope", request.scope, SCOPES)
    body = OperatorCommand(
        command_id=command_id,
        who=request.who,
        action=request.action,  # type: ignore[arg-type]  # one of ACTIONS, as looked at above
        scope=request.scope,
        reason=request.reason,
    )
    send(ActorName.RISK_MANAGER, "command", (body.KIND, body.model_dump(mode="json"), f"operator:{command_id}"))
    text = f"{request.action} of {request.scope} is committed; /switches tells what is in force."
    return ControlAnswer(command_id=command_id, accepted=True, text=text)
