"""The system that runs on a data folder: who holds it, how to end it, what it is doing (`status`, `stop`)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from infra.data_folder import claim_data_folder
from infra.faults import NothingThereError, OperatorError
from infra.processes.environment import folder_mark
from infra.processes.table import begun, is_alive, kill_marked, marked

if TYPE_CHECKING:
    from infra.config import EternalConfig

STOP_TIMEOUT_S = 14.0
"""The launch ends everything in less, whatever state Ray is in; one that does not is itself hung and is ended."""

FORCED_END_S = 4.0
PID_FILE = "pid"


class RunningError(OperatorError):
    """No system runs on this data folder, or another one already does."""


class NothingRunsError(RunningError, NothingThereError):
    """No system runs on this data folder, or none has run on it yet."""


@contextlib.contextmanager
def write_pid(data_folder: Path) -> Iterator[None]:
    """Hold the data folder and leave our process id where `stop` finds it. The hold is a lock, which ends with the
    process however it ends, so that a number left behind never points at a stranger.

    Raises RunningError when another system runs here, and ForeignFolderError for a folder that is not ours.
    """
    claim_data_folder(data_folder)
    with open(data_folder / PID_FILE, "a+", encoding="ascii") as file:
        if not _lock(file):
            raise RunningError(
                f"A system already runs on {data_folder} (process {_pid_in(file)}); `eternal stop` ends it."
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def running_pid(data_folder: Path) -> int | None:
    """The process id of the system on this data folder; None when none runs."""
    try:
        file = open(data_folder / PID_FILE, encoding="ascii")  # noqa: SIM115 - closed below
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


def stop_running(data_folder: Path) -> str:
    """Ask the running system to end and wait for it; one that does not obey is ended by force, with all its processes.

    Raises RunningError.
    """
    pid = running_pid(data_folder)
    if pid is None:
        from infra.deadman.left_over import end_left_over

        if end_left_over(data_folder):
            return (
                f"No system runs on {data_folder}, but the dead-man switch of a run that had ended without order was "
                "still at work; it has ended. Entry orders that it had not cancelled yet are still open."
            )
        raise NothingRunsError(f"No system runs on {data_folder}; nothing was stopped.")
    since = begun(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
    if _has_ended(data_folder, pid, since, STOP_TIMEOUT_S):
        return f"The system on {data_folder} has ended."
    if begun(pid) == since:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    mark = folder_mark(data_folder)
    roles = {process.role for process in marked(mark)}
    for role in sorted(roles, key="database".__eq__):  # the database last
        kill_marked(mark, (role,), FORCED_END_S)
    if not _has_ended(data_folder, pid, since, FORCED_END_S):
        raise RunningError(f"Process {pid} cannot be ended, not even by force; see its state with `ps`.")
    return (
        f"The system on {data_folder} did not obey and was ended by force. Nothing committed is lost: the next "
        "start recovers the database from its log."
    )


def _has_ended(data_folder: Path, pid: int, since: str, patience_s: float) -> bool:
    """Whether the folder is free and the process that held it is gone: it frees the folder shortly before it ends."""
    until, pause = time.monotonic() + patience_s, threading.Event()
    while running_pid(data_folder) is not None or (is_alive(pid) and begun(pid) == since):
        if time.monotonic() > until:
            return False
        pause.wait(0.1)
    return True


def overview_from_database(config: EternalConfig, why: str) -> dict[str, Any]:
    """The overview from what is durable, when the interface does not answer (`why`): the states of the actors
    themselves are not known then.

    Raises:
        RunningError: the embedded database has never been started.
    """
    import asyncio

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


def database_url(config: EternalConfig, role: str = "eternal_reader") -> str:
    """The URL of the running system's database for this role, with its password: never to be shown. A database of your
    own has the login of its URL.

    Raises:
        RunningError: the embedded database has never been started.
    """
    if config.database.url is not None:
        return config.database.url.get_secret_value()
    from api.client.running_system import embedded_url

    url = embedded_url(config.database_folder, role, config.database.port)
    if url is None:
        raise NothingRunsError(f"The database of {config.data_folder} was never started; `eternal run` starts it.")
    return url
