"""The operator's last door: while the interface is away, a command that forbids new risk is committed to the database
of this machine's data folder by the same service (RM-5).

It is in force from its commit on: the gate of every write to the exchange reads it. The orchestrator finds it there and
has the risk manager carry out the rest (cancels, closing). This command loads the database's libraries; it is the only
one that asks or commands which does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from actors.runtime.ports import StoreUnavailableError
from api.access.register import OWNER
from api.client.running_system import Place, find_database
from api.control import CommandIdTakenError, CommandService, ControlRequest, ControlUnavailableError
from api.views.arguments import BadValueError
from infra.database.queries import Queries
from infra.database.registers import HeldCommands
from infra.faults import OperatorError
from statemachines.limits.operator_actions import EFFECTS
from statemachines.limits.operator_scopes import RESTRICTS
from statemachines.messages.control import OperatorCommand
from statemachines.orchestration.held_commands import held_facts
from statemachines.values import ActorName


class DoorClosedError(Exception):
    """The command cannot be given so; the sentence says why. Nothing was done."""


def give_directly(place: Place, config_file: Path | None, body: Mapping[str, Any]) -> str:
    """Put the command in force and return the sentence for it. The record names the folder's owner, as a command
    with the folder's token does, so that a repeat with the same `command_id` is the same command at either door.

    Raises:
        DoorClosedError: the action permits more risk, or the database cannot be used.
        OperatorError: the command itself is refused.
    """
    action = str(body["action"])
    if action not in RESTRICTS:
        raise DoorClosedError(
            f"Only {', '.join(RESTRICTS)} can be given to the database directly; {action} ({EFFECTS[action]}) was not "
            "given and waits for the interface."
        )
    try:
        found = find_database(place, config_file)
        held, queries = HeldCommands(found.for_writing), Queries(found.for_reading)
    except (OperatorError, OSError) as error:
        raise DoorClosedError(
            f"The command was not given to the database directly either: this user has no credential of it ({error})"
        ) from error
    try:
        return _give(held, queries, ControlRequest.model_validate(body))
    except ValidationError as error:
        first = error.errors()[0]
        raise OperatorError(f"{first['loc'][-1]} is refused: {first['msg'].removeprefix('Value error, ')}.") from None
    except BadValueError as error:
        raise OperatorError(error.sentence) from error
    except CommandIdTakenError as error:
        raise OperatorError(error.sentence) from error
    except ControlUnavailableError as error:
        raise DoorClosedError(f"The command was not given to the database directly either: {error}") from error
    finally:
        held.close()
        queries.close()


def _give(held: HeldCommands, queries: Queries, request: ControlRequest) -> str:
    def send(actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
        """In the orchestrator's place, as it would while the risk manager is away (`held_commands`)."""
        if actor is not ActorName.ORCHESTRATOR or method != "command":
            raise ControlUnavailableError(f"The {actor} cannot be reached without the interface.")
        command = OperatorCommand.model_validate(arguments[1])
        try:
            held.put_in_force(held_facts(command, held.market_ms()))
        except StoreUnavailableError as error:
            raise ControlUnavailableError(f"The database cannot be used: {error}") from error

    CommandService(send, queries).carry_out(request, OWNER)
    return (
        f"{request.action} of {request.scope} is committed to the database directly: no new risk is taken from now on. "
        "The risk manager does the rest (cancels, closing) as soon as the orchestrator has handed it on; `eternal "
        "status` shows it."
    )
