"""The operator's commands (RM-5, OR-8): checked, sent to whom they are for, carried out once per id, journalled.

A `command_id` belongs to one command for good. The register in the database, which the actor that carries a command out
writes in the same commit, decides: the same command again is answered again and done once, another one under the same
id is refused with what differs.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from api.text import is_blank, is_reason, printable, shown
from api.views.arguments import BadValueError
from infra.database.reading.reader import QueryUnavailableError
from statemachines.limits.entry_gate import GLOBAL_SCOPE
from statemachines.limits.operator_actions import ACTIONS, FLATTEN, LEAST_REASON, RESET
from statemachines.limits.operator_scopes import LOOSENS, RESTRICTS, SCOPES, allowed_scopes, not_ended, why_not
from statemachines.messages.control import ComponentReset, OperatorCommand, operator_id
from statemachines.notifications.acknowledging import ACKNOWLEDGE
from statemachines.values import ActorName

COMPONENTS = tuple(str(name) for name in ActorName if name is not ActorName.ORCHESTRATOR)
CONTENT = ("action", "scope", "reason", "who")
"""What a command is, beside its id."""

LOCKS = 64
DEFAULT_WHO = "operator"


def _printable(value: object) -> object:
    """Judged before pydantic's own look, which says of half a character pair only that it is no string."""
    return _not_blank(printable(value)) if isinstance(value, str) else value


def _not_blank(text: str) -> str:
    if text and is_blank(text):
        raise ValueError("it is blank; at least one visible character is required")
    return text


Printable = Annotated[str, BeforeValidator(_printable)]
"""Text for people: printable, and not blank."""


def _reason(value: object) -> object:
    if isinstance(value, str) and len(value) >= LEAST_REASON and not is_reason(value):  # a shorter one: `min_length`
        raise ValueError(f"at least {LEAST_REASON} characters are required, without the spaces around them")
    return value


Reason = Annotated[Printable, BeforeValidator(_reason)]
"""Why it was done; of `LEAST_REASON` characters at least, at every way in."""


class ControlUnavailableError(Exception):
    """The actor that a command is for does not answer or has not committed it in time (HTTP 503)."""


class CommandIdTakenError(Exception):
    """The command's id belongs to another command (HTTP 409); nothing was done. The sentence says what differs."""

    def __init__(self, command_id: str, why: str) -> None:
        self.command_id = shown(command_id)
        self.sentence = (
            f"command_id '{self.command_id}' was given to another command before: {why}. Nothing was done; give this "
            "command another command_id, or none."
        )
        super().__init__(self.sentence)


TELEGRAM = "telegram-"
"""What the ids of commands by Telegram begin with."""

RESERVED = (TELEGRAM, f"{ACKNOWLEDGE}:")
"""Beginnings of ids that the system itself gives to commands: no person's command may take the place of one."""


def _free(value: object) -> object:
    if isinstance(value, str) and (taken := next((one for one in RESERVED if value.startswith(one)), "")):
        raise ValueError(f"ids that begin with '{taken}' are given by the system itself; any other is allowed")
    return value


class ControlRequest(BaseModel):
    """A command of the operator: action, scope and reason.

    `action`: pause (no new risk), resume (ends a pause), reduce_only, halt, flatten (a halt that also closes the
    derivatives of one engine, or all with GLOBAL), normal (ends everything, and drawdowns are measured anew), or reset
    (a FAULTED component is tried again). `scope`: GLOBAL or an engine; for reset a component.
    `command_id` makes a repeated request harmless; one is made when it is missing.
    """

    model_config = ConfigDict(extra="forbid")

    action: Printable = Field(max_length=40, json_schema_extra={"enum": [*ACTIONS, RESET]})
    scope: Printable = Field(
        default="GLOBAL", max_length=40, json_schema_extra={"enum": list(dict.fromkeys((*SCOPES, *COMPONENTS)))}
    )
    reason: Reason = Field(
        min_length=LEAST_REASON, max_length=500, examples=["exchange maintenance announced for tonight"]
    )
    who: Printable = Field(
        default=DEFAULT_WHO,
        min_length=1,
        max_length=60,
        description="noted behind the name of the token's holder, who is the one that gave the command",
    )
    command_id: Annotated[Printable | None, BeforeValidator(_free)] = Field(default=None, min_length=1, max_length=64)


class NumberedRequest(ControlRequest):
    """A command whose id the way in has made, of a beginning that is reserved for it."""

    command_id: Printable | None = Field(default=None, min_length=1, max_length=64)


class ControlAnswer(BaseModel):
    """That the command is committed; the journal and /api/v1/switches show the effect."""

    command_id: str
    accepted: bool
    text: str


Send = Callable[[ActorName, str, tuple[Any, ...]], None]
"""`send(actor, method, arguments)` calls a living actor and waits until it has committed; raises
ControlUnavailableError."""


class Register(Protocol):
    """The commands that were carried out."""

    def operator_command(self, command_id: str) -> Mapping[str, Any] | None:
        """The command of an id, None when the id is free. Raises QueryUnavailableError."""
        ...

    def switches(self) -> Sequence[Mapping[str, Any]]:
        """The state in force of every scope that has one. Raises QueryUnavailableError."""
        ...


class CommandService:
    """Takes the operator's commands. Safe to use from several threads."""

    def __init__(self, send: Send, register: Register) -> None:
        self._send = send
        self._register = register
        # Two requests with one id are taken one after the other; others do not wait for each other.
        self._locks = [threading.Lock() for _ in range(LOCKS)]

    def carry_out(self, request: ControlRequest, holder: str) -> ControlAnswer:
        """Check and hand over; a command that was carried out before is answered as it was then. `holder` is who
        presented the credential: the record names that person, and behind it what the request says of itself.

        Raises BadValueError for an action or a scope that does not exist, CommandIdTakenError for an id that belongs to
        another command, ControlUnavailableError when it was not taken, or it is not known whether it was.
        """
        _check(request)
        request = request.model_copy(update={"who": _attributed(holder, request.who)})
        command_id = request.command_id or uuid.uuid4().hex
        with self._locks[hash(command_id) % LOCKS]:
            try:
                if request.command_id is not None and _is_registered(request, command_id, self._earlier(command_id)):
                    return self._answer(request, command_id)
                self._hand_over(request, command_id)
                if not _is_registered(request, command_id, self._earlier(command_id)):
                    raise CommandIdTakenError(command_id, "it is not recorded any more what that was")
            except (ControlUnavailableError, QueryUnavailableError) as error:
                again = (
                    f"; give it again with command_id '{shown(command_id)}': however often it is given, it is carried "
                    "out once."
                )
                raise ControlUnavailableError(
                    f"{str(error).rstrip('.')}. The command may not be in force"
                    f"{'.' if isinstance(request, NumberedRequest) else again}"
                ) from error
        return self._answer(request, command_id)

    def _answer(self, request: ControlRequest, command_id: str) -> ControlAnswer:
        return ControlAnswer(command_id=command_id, accepted=True, text=_told(request, self._left(request)))

    def _left(self, request: ControlRequest) -> str | None:
        """What another scope still forbids after a command that ends states; None when that cannot be read."""
        if request.action not in LOOSENS:
            return ""
        try:
            return not_ended(
                request.action, request.scope, {row["scope"]: row["state"] for row in self._register.switches()}
            )
        except QueryUnavailableError:
            return None

    def _earlier(self, command_id: str) -> Mapping[str, Any] | None:
        return self._register.operator_command(command_id)

    def _hand_over(self, request: ControlRequest, command_id: str) -> None:
        natural_id = operator_id(command_id)
        if request.action == RESET:
            reset = ComponentReset(
                command_id=command_id, who=request.who, component=ActorName(request.scope), reason=request.reason
            )
            self._send(ActorName.ORCHESTRATOR, "reset", (reset.model_dump(mode="json"), natural_id))
            return
        body = OperatorCommand(
            command_id=command_id,
            who=request.who,
            action=request.action,  # type: ignore[arg-type]  # one of ACTIONS, as looked at in _check
            scope=request.scope,
            reason=request.reason,
        )
        call = ("command", (body.KIND, body.model_dump(mode="json"), natural_id))
        try:
            self._send(ActorName.RISK_MANAGER, *call)
        except ControlUnavailableError:
            if request.action not in RESTRICTS or self._earlier(command_id) is not None:
                raise
            # What forbids new risk must not wait for one actor: the orchestrator puts it in force (held_commands).
            self._send(ActorName.ORCHESTRATOR, *call)


def _attributed(holder: str, claimed: str) -> str:
    return holder if claimed in ("", holder, DEFAULT_WHO) else f"{holder} ({claimed})"


def _check(request: ControlRequest) -> None:
    if request.action not in (*ACTIONS, RESET):
        raise BadValueError("action", request.action, (*ACTIONS, RESET))
    allowed = COMPONENTS if request.action == RESET else allowed_scopes(request.action)
    if request.scope not in allowed:
        why = "" if request.action == RESET else why_not(request.action, request.scope)
        raise BadValueError("scope", request.scope, allowed, why)


def _told(request: ControlRequest, left: str | None) -> str:
    if request.action == RESET:
        return f"{request.scope} is tried again if it is FAULTED; `eternal status` shows the effect."
    if request.action == FLATTEN:
        which = "all derivatives" if request.scope == GLOBAL_SCOPE else request.scope
        return (
            f"flatten of {which} is committed; `eternal status` shows how far it is, and FLAT once the exchange proves "
            "it."
        )
    only = " It ends a pause and nothing else." if request.action == "resume" else ""
    if left is None:
        return (
            f"{request.action} of {request.scope} is committed; `eternal status` shows what is in force. Whether another "
            f"scope still forbids new risk could not be read.{only}"
        )
    if left:
        return (
            f"{request.action} of {request.scope} is committed; `eternal status` shows what is in force. Not ended by "
            f"it: {left} (each ends by a command for its own scope).{only}"
        )
    return f"{request.action} of {request.scope} is committed; `eternal status` shows what is in force.{only}"


def _is_registered(request: ControlRequest, command_id: str, earlier: Mapping[str, Any] | None) -> bool:
    """Whether this very command is registered. Raises CommandIdTakenError when another one is."""
    if earlier is None:
        return False
    differences = [
        f"{name} was '{shown(earlier[name])}' and is '{shown(getattr(request, name))}'"
        for name in CONTENT
        if earlier[name] != getattr(request, name)
    ]
    if differences:
        raise CommandIdTakenError(command_id, "; ".join(differences))
    return True
