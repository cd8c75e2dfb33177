"""A small client of the running system for the command line. It needs the standard library only: a command that only
asks something must not cost seconds of loading."""

from __future__ import annotations

import contextlib
import getpass
import http.client
import json
import os
import shlex
import ssl
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from api.cli.status import RunningError, running_pid
from api.running_system import OVERVIEW, Place
from api.tokens import read_or_make_token
from infra.files import read_port
from infra.secrets.server import SOCKET, SecretsUnavailableError, fetch

ANSWER_TIMEOUT_S = 10.0
PORT_FILE = "api-port"


class Unanswered(Exception):
    """The interface does not answer; the text says why."""


class Answer(NamedTuple):
    """Status and decoded JSON of an answer."""

    status: int
    body: Any


def ask(place: Place, method: str, path: str, body: Mapping[str, str] | None = None) -> Answer:
    """The running interface's answer.

    Raises:
        Unanswered: there is no port or token to use, no server listens, or the answer is no JSON.
    """
    port = read_port(place.data_folder / PORT_FILE)
    if port is None:
        raise Unanswered(f"the system is still starting: its port is not in {place.data_folder / PORT_FILE} yet")
    try:
        connection = _connection(place, port)
    except (OSError, ValueError) as error:
        raise Unanswered(f"the certificate {place.certificate} cannot be read ({error})") from error
    try:
        # A removed token is made here as well as there: both read the same file, and a halt must not wait for the API.
        headers = read_or_make_token(place.token_file).header() | {
            "Content-Type": "application/json",
            "Connection": "close",
        }
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return Answer(response.status, json.loads(response.read()))
    except ConnectionRefusedError as error:
        raise Unanswered("nothing listens there now: the system is still starting, or the API is restarted") from error
    except TimeoutError as error:
        raise Unanswered(f"there was no answer within {ANSWER_TIMEOUT_S:.0f} s") from error
    except http.client.HTTPException as error:
        raise Unanswered("the connection ended in the middle of the answer") from error
    except OSError as error:
        raise Unanswered(error.strerror or " ".join(str(error).split()) or "the connection failed") from error
    except ValueError as error:
        raise Unanswered(" ".join(str(error).split())) from error
    finally:
        connection.close()


def _connection(place: Place, port: int) -> http.client.HTTPConnection:
    """To our own interface on this machine: of its certificates exactly the configured one is taken, whatever name it
    was made for."""
    if place.certificate is None:
        return http.client.HTTPConnection(place.reachable_host, port, timeout=ANSWER_TIMEOUT_S)
    return http.client.HTTPSConnection(
        place.reachable_host, port, timeout=ANSWER_TIMEOUT_S, context=trusting(place.certificate)
    )


def trusting(certificate: Path) -> ssl.SSLContext:
    """A client's context that takes this certificate. Raises OSError and ssl.SSLError: it cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    return context


def read_overview(place: Place) -> dict[str, Any]:
    """What the page shows at its top.

    Raises:
        RunningError: no system runs on the folder.
        Unanswered: its interface does not answer; the database may still be asked (`api.cli.status`).
    """
    _demand_running(place)
    status, body = ask(place, "GET", "/api/v1/overview")
    if status != http.client.OK or not isinstance(body, dict):
        raise Unanswered(sentence_of(status, body))
    return body


def read_launch_overview(place: Place, why: str) -> dict[str, Any] | None:
    """The same from `eternal run` itself, for when the interface does not answer (`why`); None when it does not either.
    It costs no more than asking the interface, whereas the database takes seconds of loading."""
    try:
        answer = fetch(place.data_folder / SOCKET, OVERVIEW, patience_s=0.0)
    except SecretsUnavailableError:
        return None
    reasons = [f"The API does not answer ({why}).", *answer["health"]["reasons"]]
    return {**answer, "health": {"ok": False, "reasons": reasons}}


def send_command(place: Place, action: str, scope: str, reason: str, command_id: str | None = None) -> str:
    """Have the running system carry out a command of the operator; answers its sentence and the command's id, which is
    made here when none is given: a command whose answer is lost can be given again and is carried out once.

    Raises:
        RunningError: no system runs, its interface does not answer, or it refuses.
    """
    _demand_running(place)
    name = uuid.uuid4().hex if command_id is None else command_id
    body = {"action": action, "scope": scope, "reason": reason, "who": user_name(), "command_id": name}
    again = f"To give this very command again, which is safe, add: --command-id {shlex.quote(name)}"
    try:
        status, answer = ask(place, "POST", "/api/v1/control", body)
    except Unanswered as error:
        raise RunningError(
            f"The interface does not answer ({error}): whether the command is in force is not known. "
            f"`eternal status` shows it. {again}"
        ) from error
    if status == http.client.SERVICE_UNAVAILABLE:
        raise RunningError(f"{sentence_of(status, answer)} {again}")
    if status != http.client.OK:
        raise RunningError(sentence_of(status, answer))
    return f"{answer['text']} (command_id {answer['command_id']})"


def _demand_running(place: Place) -> None:
    if running_pid(place.data_folder) is None:
        raise RunningError(f"No system runs on {place.data_folder}; `eternal run` starts one.")


def sentence_of(status: int, body: Any) -> str:
    """Why a request was refused."""
    answer = body.get("error") if isinstance(body, dict) else None
    return str(answer or f"the interface answered with status {status}")


def user_name() -> str:
    """Who gives the command, for the journal."""
    with contextlib.suppress(KeyError, OSError):  # an account without a name, as in some containers
        name = "".join(letter for letter in getpass.getuser() if letter.isprintable())
        return f"{name[:40]}, command line"
    return f"user {os.getuid()}, command line"
