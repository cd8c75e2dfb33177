"""The dead-man switch as a child process that outlives the launch: started, watched, replaced, and ended in order."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

from actors.runtime.granted_time import GrantedTime
from infra.config import EternalConfig
from infra.deadman.left_over import NAME
from infra.deadman.memory import LOCK_FILE
from infra.processes.environment import Run, child_environment
from infra.processes.table import end_child, is_stopped
from statemachines.backoff import Backoff

LOG_FILE = "dead-man.log"
STOP_TIMEOUT_S = 2.0
HUNG_S = 180.0
"""It marks its lock file at every look; a look at all accounts of an exchange that does not answer takes less."""

SETTLED_S = 10.0
"""One that has lived so long (granted seconds) has begun."""

RETRY = Backoff((1.0, 2.0, 5.0, 15.0, 30.0), 60.0)


class DeadManProcess:
    """`python -m infra.deadman` on the data folder. A session of its own: neither Ctrl-C nor the end of the terminal
    reaches it, and nothing ties its life to the launch's."""

    def __init__(self, config: EternalConfig, run: Run, secrets_socket: Path, granted: GrantedTime) -> None:
        self.restarts = 0
        self._config = config
        self._run = run
        self._secrets_socket = secrets_socket
        self._granted = granted
        self._child: subprocess.Popen[bytes] | None = None
        self._log_file: IO[bytes] | None = None
        self._begun_s = 0.0
        self._failures = 0
        self._frozen_looks = 0
        self._trouble = ""
        self._marked: float | None = None
        self._marked_s = 0.0

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    def start(self) -> None:
        """Start it."""
        config = self._config
        self._log_file = open(config.data_folder / LOG_FILE, "ab")  # noqa: SIM115 - held while the child lives
        unlimited = ("--unlimited",) if config.is_simulated else ()
        self._child = subprocess.Popen(
            [
                *(sys.executable, "-m", "infra.deadman", "--data", str(config.data_folder)),
                *("--silence-s", str(config.dead_man.silence_s), "--secrets", str(self._secrets_socket)),
                *unlimited,
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log_file,
            stderr=self._log_file,
            env=child_environment(self._run, NAME),
            start_new_session=True,
        )
        self._begun_s = self._marked_s = self._granted.now_s()
        self._frozen_looks, self._marked = 0, None

    def ensure_running(self) -> str:
        """Start it again when it has died or stands still, with growing delay while it dies at once; what was wrong, or
        nothing when it is well."""
        child, now_s = self._child, self._granted.now_s()
        if child is None:
            return ""
        lived_s = now_s - self._begun_s
        code = child.poll()
        trouble = f"had died (exit code {code})" if code is not None else self._standing(child.pid, now_s)
        if not trouble:
            if lived_s > SETTLED_S:
                self._failures = 0
            return ""
        if code is None:
            child.kill()
            child.wait()
        self._trouble = self._trouble or trouble  # of one that waits for its turn, what was found first
        if self._failures and lived_s < RETRY.pause_s(self._failures):
            return ""
        found, self._trouble = self._trouble, ""
        self._failures += 1
        self._close()
        self.start()
        self.restarts += 1
        return found

    def _standing(self, pid: int, now_s: float) -> str:
        self._frozen_looks = self._frozen_looks + 1 if is_stopped(pid) else 0
        if self._frozen_looks >= 2:
            return "was frozen"
        with contextlib.suppress(OSError):
            marked = os.stat(self._config.data_folder / LOCK_FILE).st_mtime
            if marked != self._marked:
                self._marked, self._marked_s = marked, now_s
        silent_s = now_s - self._marked_s
        return f"had not looked for {silent_s:.0f} s" if silent_s > HUNG_S else ""

    def stop(self) -> None:
        """End it; what it keeps stays in the data folder."""
        child, self._child = self._child, None
        if child is None:
            return
        end_child(child, STOP_TIMEOUT_S)
        self._close()

    def _close(self) -> None:
        if self._log_file is not None:
            self._log_file.close()
            self._log_file = None
