"""The keeper of the runs: begins the one whose turn it is as a process of its own, watches it, and writes down its end.

It works on one thread, which lives as long as the interface's process: Linux ends a run's process with the thread that
has started it, so that no run outlives the interface. Of several processes on one data folder the one that holds the
lock keeps the runs. What is asked of it stands in the folder: a new run, a request to end one.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from api.backtests.folder import ERRORS, OUTPUT, REPORT, Runs, StoredRun
from infra.processes.environment import MARK, child_environment
from infra.processes.table import begun, end_child, is_alive
from statemachines.backtests.run import RunState, end_of, next_to_begin

_log = logging.getLogger(__name__)

LOCK = "lock"
LOOK_S = 0.5
FAILED_LOOK_S = 5.0
GRACE_S = 60.0
"""A run that is cancelled ends after the day under way and writes the report of what it has run."""

STOP_S = 2.0
"""When the system ends nothing waits for a report."""

JOIN_S = 3.0
OWN = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""One processor at most is a run's."""

INTERRUPTED = (
    "The interface's process ended while it ran, and the run ended with it. Start it again; nothing of it is kept."
)
STOPPED = "The system was stopped while it ran. Start it again; nothing of it is kept."


def program_of(arguments: Sequence[str]) -> list[str]:
    """The command that runs `eternal` with these arguments as a child of this process."""
    return [sys.executable, "-m", "api.cli.as_child", str(os.getpid()), *arguments]


class RunKeeper:
    """`start`, and `stop` at the end. `program` makes the command of a run's arguments; tests hand in others."""

    def __init__(
        self,
        runs: Runs,
        program: Callable[[Sequence[str]], list[str]] = program_of,
        look_s: float = LOOK_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._runs, self._program, self._look_s, self._grace_s = runs, program, look_s, grace_s
        self._stopping, self._wanted = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name="backtests", daemon=True)
        self._child: subprocess.Popen[bytes] | None = None
        self._running: StoredRun | None = None
        self._asked_at_s: float | None = None
        self.trouble = ""
        """Why no run is kept now, as a sentence; "" when all is well."""

    def start(self) -> None:
        """Begin to keep the runs."""
        self._thread.start()

    def wake(self) -> None:
        """There is something new in the folder."""
        self._wanted.set()

    def stop(self) -> None:
        """End the run under way and the keeping."""
        self._stopping.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_S)

    def _keep(self) -> None:
        lock: IO[bytes] | None = None
        try:
            while not self._stopping.is_set():
                pause_s = self._look_s
                try:
                    if lock is None:
                        lock = self._locked()
                    if lock is not None:
                        self.look()
                        self.trouble = ""
                except Exception as error:  # noqa: BLE001 - the keeper must outlive a full disk and a broken file
                    self.trouble = f"Backtests wait: {_words(error)}. It is tried again."
                    _log.warning("%s", self.trouble, exc_info=True)
                    pause_s = FAILED_LOOK_S
                self._wanted.wait(pause_s)
                self._wanted.clear()
            self._end_now()
        finally:
            if lock is not None:
                lock.close()

    def _locked(self) -> IO[bytes] | None:
        """The lock, and what an earlier process has left is put in order; None while another process has it."""
        self._runs.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (self._runs.folder / LOCK).open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            self.trouble = "Another process of the interface still keeps the backtests; they wait until it has ended."
            return None
        try:
            self._adopt()
        except BaseException:
            file.close()
            raise
        return file

    def _adopt(self) -> None:
        """No run outlives its keeper: what is RUNNING now has lost its process."""
        self._runs.sweep()
        for run in self._runs.all():
            if run.state is RunState.RUNNING:
                standing = run.standing
                if standing.pid and is_alive(standing.pid) and begun(standing.pid) == standing.begun:
                    with suppress(ProcessLookupError):
                        os.kill(standing.pid, signal.SIGKILL)
                self._runs.move(run, "fail", INTERRUPTED)

    def look(self) -> None:
        """One look: end what has ended or is to end, begin what may begin. Raises OSError; the next look resumes."""
        if self._running is not None:
            self._look_after(self._running)
        runs = {run.run_id: run for run in self._runs.all()}
        for run in runs.values():
            if run.state is RunState.QUEUED and (who := run.canceller):
                runs[run.run_id] = self._runs.move(run, "cancel", f"Cancelled by {who} before it began.")
        if self._running is None:
            turn = next_to_begin({run_id: run.state for run_id, run in runs.items()})
            if turn is not None and not self._stopping.is_set():
                self._begin(runs[turn])

    def _begin(self, run: StoredRun) -> None:
        assert run.request is not None  # one that cannot be read is FAILED
        try:
            with (run.folder / OUTPUT).open("ab") as output, (run.folder / ERRORS).open("ab") as errors:
                child = subprocess.Popen(
                    self._program(run.request.arguments),
                    cwd=run.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    env=child_environment(None, "", {**OWN, **_own_mark()}),
                    start_new_session=True,
                )
        except OSError as error:
            self._runs.move(run, "fail", f"Its process could not be started: {_words(error)}.")
            return
        try:
            self._running = self._runs.move(run, "begin", "Its turn has come.", child.pid, begun(child.pid))
        except BaseException:
            child.kill()
            child.wait()
            raise
        self._child, self._asked_at_s = child, None

    def _look_after(self, run: StoredRun) -> None:
        child = self._child
        assert child is not None
        code = child.poll()
        if code is not None:
            self._write_end(run, code)
        elif not run.folder.is_dir():  # it was deleted by hand
            end_child(child, STOP_S)
            self._child = self._running = None
        elif run.canceller:
            if self._asked_at_s is None:
                self._asked_at_s = time.monotonic()
                child.terminate()
            elif time.monotonic() - self._asked_at_s > self._grace_s:
                child.kill()

    def _write_end(self, run: StoredRun, code: int) -> None:
        ended = end_of(
            code,
            run.last_words,
            has_report=(run.folder / REPORT / "report.html").is_file(),
            canceller=run.canceller,
        )
        if run.folder.is_dir():
            self._runs.move(run, ended.trigger, ended.reason)
        self._child = self._running = None

    def _end_now(self) -> None:
        """The interface ends: what runs ends with it."""
        child, run = self._child, self._running
        if child is None or run is None:
            return
        end_child(child, STOP_S)
        try:
            self._runs.move(run, "fail", STOPPED)
        except OSError as error:  # the next keeper finds it RUNNING without a process
            _log.warning("the end of backtest %s could not be written down: %s", run.run_id, error)
        self._child = self._running = None


def _own_mark() -> dict[str, str]:
    """The mark of the run of the system that this process belongs to, so that its launch finds the child too."""
    mark = os.environ.get(MARK)
    return {} if mark is None else {MARK: mark}


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f" ({Path(error.filename).name})" if isinstance(error.filename, str) else ""
        return f"{error.strerror}{place}"
    return f"{type(error).__name__}: {error}"


__all__ = ["RunKeeper", "program_of"]
