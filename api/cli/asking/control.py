"""`eternal control`: the operator's commands (RM-5, OR-8), and what was commanded."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import uuid
from typing import Annotated, NamedTuple, cast

import typer

from api.cli.asking.options import Json, asking, begins
from api.cli.asking.output import Column, instant, print_json, print_list
from api.cli.asking.way import Way
from api.client import models
from api.client.errors import RefusedError, UnansweredError, UnreachedError
from api.text import is_reason
from api.views.days import OptionError
from infra.faults import continued
from statemachines.limits.operator_actions import EFFECTS, FLATTEN, HISTORY, LEAST_REASON, listed

COLUMNS = (Column("Given"), Column("Action"), Column("Scope"), Column("Who"), Column("Why"))
UNAVAILABLE = 503


class Given(NamedTuple):
    """What came of a command. `door`: interface, or database when the interface was away."""

    text: str
    command_id: str
    door: str


def _scopes() -> tuple[str, ...]:
    from statemachines.limits.operator_scopes import SCOPES

    return SCOPES


@asking
def control(
    way: Way,
    *,
    action: Annotated[
        str,
        typer.Argument(
            help="pause, resume, reduce_only, halt, flatten, normal; reset for a FAULTED component; history shows what "
            "was commanded",
            autocompletion=begins(lambda: (*EFFECTS, HISTORY)),
        ),
    ],
    reason: Annotated[str | None, typer.Option(help="why; it is journalled; every action requires it")] = None,
    scope: Annotated[
        str,
        typer.Option(help="GLOBAL or an engine, e.g. trend-1; for reset a component", autocompletion=begins(_scopes)),
    ] = "GLOBAL",
    command_id: Annotated[
        str | None, typer.Option("--command-id", help="repeat a command whose answer was lost: it is carried out once")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="of the history: how many commands, newest first")] = 20,
    as_json: Json = False,
) -> None:
    """Give the running system a command: no new risk, only reduce, halt, flatten, or back to normal."""
    from statemachines.limits.operator_scopes import allowed_scopes, why_not

    action = action.replace("-", "_")
    if action == HISTORY:
        _show_history(way, limit, as_json=as_json)
        return
    if action not in EFFECTS:
        names = ", ".join((*EFFECTS, HISTORY))
        raise OptionError(f"action {action!r} does not exist; allowed: {names}. What each does:\n{listed()}")
    if reason is None:
        raise OptionError(f"{action} requires a reason, which is journalled: --reason TEXT. Nothing was done.")
    if not is_reason(reason):
        raise OptionError(
            f"reason {reason!r} is refused: at least {LEAST_REASON} characters are required. Nothing was done."
        )
    if why := why_not(action, scope):
        raise OptionError(f"{why}. Nothing was done; allowed: {', '.join(allowed_scopes(action))}.")
    if not yes:
        _confirm(action, scope)
    given = give(way, action, scope, reason, command_id)
    if as_json:
        print_json({**given._asdict(), "accepted": True})
    else:
        typer.echo(f"{given.text} (command_id {given.command_id})")


def give(way: Way, action: str, scope: str, reason: str, command_id: str | None = None) -> Given:
    """Have the running system carry out a command. Its id is made here when none is given: a command whose answer is
    lost can be given again and is carried out once. While the interface of this machine is away, or has no actor that
    takes the command, one that forbids new risk is committed to the database directly (`api.cli.door`).

    Raises RefusedError, UnansweredError, OperatorError.
    """
    name = uuid.uuid4().hex if command_id is None else command_id
    body = cast(
        models.ControlRequest,
        {"action": action, "scope": scope, "reason": reason, "who": user_name(), "command_id": name},
    )
    again = f"To give this very command again, which is safe, add: --command-id {shlex.quote(name)}"
    try:
        answer = way.operations.control(body)
    except RefusedError as error:
        if error.status != UNAVAILABLE:
            raise
        if way.is_owner:
            with contextlib.suppress(UnansweredError):
                return _directly(way, dict(body), UnansweredError(continued(error.sentence.rstrip("."))), again)
        raise RefusedError(error.status, f"{error.sentence} {again}", error.field) from error
    except UnansweredError as error:
        return _directly(way, dict(body), error, again)
    return Given(answer["text"], answer["command_id"], "interface")


def _directly(way: Way, body: dict[str, object], error: UnansweredError, again: str) -> Given:
    known = isinstance(error, UnreachedError)
    fate = "" if known else f" Whether the command is in force is not known: `eternal status` shows it. {again}"
    if way.place is None:
        raise UnansweredError(f"{error}. {'The command was not given.' if known else fate.strip()}") from error
    from api.cli.door import DoorClosedError, give_directly

    try:
        text = give_directly(way.place, way.asked.config_file, body)
    except DoorClosedError as closed:
        raise UnansweredError(f"{error}. {closed}{fate}") from closed
    return Given(f"The interface does not answer ({error}). {text}", str(body["command_id"]), "database")


def user_name() -> str:
    """Who gives the command, for the journal."""
    with contextlib.suppress(KeyError, OSError):  # an account without a name, as in some containers
        name = "".join(letter for letter in getpass.getuser() if letter.isprintable())
        return f"{name[:40]}, command line"
    return f"user {os.getuid()}, command line"


def _confirm(action: str, scope: str) -> None:
    typer.echo(f"{action}: {EFFECTS[action]}.", err=True)
    if action == FLATTEN:
        words = f"{action} {scope}"
        if typer.prompt(f"Type '{words}' to continue", err=True).strip() != words:
            raise OptionError("Nothing was done.")
    else:
        typer.confirm(f"{action} {scope}?", abort=True, err=True)


def _show_history(way: Way, limit: int, *, as_json: bool) -> None:
    page = way.operations.commands(limit=limit)
    if as_json:
        print_json(page)
        return
    rows = [[instant(one["given_ms"]), one["action"], one["scope"], one["who"], one["reason"]] for one in page["rows"]]
    if not rows:
        typer.echo("Nothing was commanded yet.")
        return
    print_list("Commands, newest first", COLUMNS, rows, page["next"])
