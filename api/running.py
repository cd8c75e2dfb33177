"""The system that runs on a data folder: who holds it, how to end it, what it is doing (`status`, `stop`)."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import getpass
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

import httpx

from api.tokens import read_token
from infra.config import EternalConfig
from infra.files import read_port
from infra.processes.environment import folder_mark
from infra.processes.table import kill_marked, marked

STOP_TIMEOUT_S = 14.0
"""The launch ends everything in less, whatever state Ray is in; one that does not is itself hung and is ended."""

FORCED_END_S = 4.0
ANSWER_TIMEOUT_S = 10.0
PID_FILE = "pid"


class RunningError(Exception):
    """No system runs on this data folder, or another one already does."""


@contextlib.contextmanager
def write_pid(config: EternalConfig) -> Iterator[None]:
    """Hold the data folder and leave our process id where `stop` finds it. The hold is a lock, which ends with the
    process however it ends, so that a number left behind never points at a stranger.

    Raises RunningError when another system runs here.
    """
    config.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(config.data_folder / PID_FILE, "a+", encoding="ascii") as file:
        if not _lock(file):
            raise RunningError(
                f"a system already runs on {config.data_folder} (process {_pid_in(file)}); `eternal stop` ends it."
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def running_pid(config: EternalConfig) -> int | None:
    """The process id of the system on this data folder; None when none runs."""
    try:
        file = open(config.data_folder / PID_FILE, encoding="ascii")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return None
    with file:
        return None if _lock(file) else _pid_in(file)


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid_in(file: IO[str]) -> int | None:
    file.seek(0)
    text = file.read().strip()
    return int(text) if text.isdigit() else None


def stop_running(config: EternalConfig) -> str:
    """Ask the running system to end and wait for it; one that does not obey is ended by force, with all its processes.

    Raises RunningError.
    """
    pid = running_pid(config)
    if pid is None:
        raise RunningError(f"no system runs on {config.data_folder}; nothing was stopped.")
    os.kill(pid, signal.SIGINT)
    if _has_ended(config, STOP_TIMEOUT_S):
        return f"The system on {config.data_folder} has ended."
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    mark = folder_mark(config.data_folder)
    roles = {process.role for process in marked(mark)}
    for role in sorted(roles, key="database".__eq__):  # the database last
        kill_marked(mark, (role,), FORCED_END_S)
    if not _has_ended(config, FORCED_END_S):
        raise RunningError(f"process {pid} cannot be ended, not even by force; see its state with `ps`.")
    return (
        f"The system on {config.data_folder} did not obey and was ended by force. Nothing committed is lost: the next "
        "start recovers the database from its log."
    )


def _has_ended(config: EternalConfig, patience_s: float) -> bool:
    until, pause = time.monotonic() + patience_s, threading.Event()
    while running_pid(config) is not None:
        if time.monotonic() > until:
            return False
        pause.wait(0.1)
    return True


def read_overview(config: EternalConfig) -> dict[str, Any]:
    """The overview of the running system: from its API, or from the database alone when the API does not answer.

    Raises:
        RunningError: no system runs, or neither API nor database can be read.
    """
    if running_pid(config) is None:
        raise RunningError(f"no system runs on {config.data_folder}; `eternal run` starts one.")
    try:
        return _from_api(config)
    except (httpx.HTTPError, OSError, ValueError) as error:
        return _from_database(config, f"the API does not answer ({type(error).__name__})")


def _ask(config: EternalConfig, method: str, path: str, body: Mapping[str, str] | None = None) -> httpx.Response:
    """The running API's answer. Raises httpx.HTTPError, OSError (no port or token) and ValueError (a damaged port)."""
    port = int((config.data_folder / "api-port").read_text())
    return httpx.request(
        method,
        f"http://{config.api.host}:{port}{path}",
        json=body,
        headers=read_token(config.token_file).header(),
        timeout=ANSWER_TIMEOUT_S,
        trust_env=False,
    )


def _from_api(config: EternalConfig) -> dict[str, Any]:
    answer = _ask(config, "GET", "/overview")
    answer.raise_for_status()
    overview: dict[str, Any] = answer.json()
    return overview


def send_command(config: EternalConfig, action: str, scope: str, reason: str) -> str:
    """Have the running system's API carry out a command of the operator; answers its sentence.

    Raises RunningError when no system runs, its API does not answer, or it refuses.
    """
    if running_pid(config) is None:
        raise RunningError(f"no system runs on {config.data_folder}; `eternal run` starts one.")
    try:
        body = {"action": action, "scope": scope, "reason": reason, "who": _who()}
        answer = _ask(config, "POST", "/control", body)
        told = answer.json()
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise RunningError(f"the API does not answer ({type(error).__name__}); nothing was sent.") from error
    if answer.status_code != 200:
        raise RunningError(str(told.get("error", told)))
    return str(told["text"])


def _who() -> str:
    """Who gives the command, for the journal."""
    try:
        return f"{getpass.getuser()[:40]}, command line"
    except (KeyError, OSError):
        return "command line"  # an account without a name, as in some containers


def _from_database(config: EternalConfig, why: str) -> dict[str, Any]:
    """What is durable; the states of the actors themselves are not known then."""
    from api.service import OperatorService
    from api.snapshot import SnapshotCache
    from infra.database.queries import Queries

    def nobody() -> Mapping[str, Any]:
        raise LookupError(why)

    service = OperatorService(
        Queries(database_url(config)), SnapshotCache(nobody), lambda: "market not known", config.is_simulated
    )
    try:
        return asyncio.run(service.overview())
    finally:
        service.close()


def database_url(config: EternalConfig) -> str:
    """The URL of the running system's database for reading, with its password: never to be shown.

    Raises:
        RunningError: the embedded database has never been started.
    """
    if config.database.url is not None:
        return config.database.url.get_secret_value()
    from infra.database.cluster import HOST, PASSWORD_FILE
    from infra.database.embedded import DATABASE
    from infra.database.roles import READER
    from infra.database.server_files import reachable_home, server_user

    home = reachable_home(config.database_folder, server_user())
    port = config.database.port or read_port(home / "port")
    try:
        password = (home / f"{PASSWORD_FILE}-{READER}").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        password = ""
    if port is None or not password:
        raise RunningError(f"the database of {config.data_folder} was never started; `eternal run` starts it.")
    return f"postgresql://{READER}:{password}@{HOST}:{port}/{DATABASE}"
