"""Ray as the launch sees it: a driver child with everything below it, started, watched, replaced and ended."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.connection import Pipe as pipe
from pathlib import Path
from typing import IO

from actors.runtime.granted_time import GrantedTime
from api.launch import ray_protocol as protocol
from api.launch.ray_folder import own_ray_folder
from api.launch.ray_token import RayError, cluster_token, own_token_file
from infra.processes.environment import Run, child_environment
from infra.processes.ports import free_port
from infra.processes.table import cpu_s, is_stopped, kill_marked, marked

_log = logging.getLogger(__name__)

NAMESPACE = "eternal"
ROLE = "ray"
STALL_S = 60.0
"""A start whose processes use no processor time for so long (granted seconds) has stalled."""

MIN_CPU_S = 0.05
MAX_STARTS = 3
"""So often a head is started that loses one of its processes while it comes up."""

LOOK_S = 0.1
CPU_LOOK_S = 1.0
DRIVER_SILENCE_S = 15.0
"""The driver reports twice a second; silent for so long (granted seconds) it hangs in Ray, which is started anew. A
frozen one does not even need that."""

END_ACTORS_S = 3.0
KILL_S = 2.0

RAY_SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A call to an actor that has just died fails soon instead of after two seconds (RAY.md 3).
    "RAY_timeout_ms_task_wait_for_death_info": "100",
    # A slow machine is not a failed one: the default is 5 s.
    "RAY_gcs_rpc_server_connect_timeout_s": "30",
    # Ray's workers are nice (15): on a busy machine every other program would be served thirty times as much as the
    # actors, which would then hardly get on at all.
    "RAY_worker_niceness": "0",
}
LOOPBACK_SETTINGS = {
    # Ray takes 127.0.0.1 for a node's address only where clusters are switched off; elsewhere it replaces it by the
    # machine's address in the network, where such a head does not listen.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
OWN_HEAD_SETTINGS = {
    **LOOPBACK_SETTINGS,
    # The dashboard is started and not waited for.
    "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "0",
    # A slow machine is not a failed one: how long Ray's own parts wait for each other while they start.
    "RAY_raylet_start_wait_time_s": "600",
    # The control store keeps the last calls for the dashboard: 100,000 by default, each some 1.5 kB; live, where every
    # actor is asked for its health three times a second, it grew by 4 MB a minute.
    "RAY_task_events_max_num_task_in_gcs": "5000",
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_agent_register_timeout_ms": "600000",
    "RAY_gcs_server_request_timeout_seconds": "120",
    "RAY_health_check_initial_delay_ms": "30000",
    "RAY_health_check_period_ms": "3000",
    "RAY_health_check_timeout_ms": "10000",
    "RAY_health_check_failure_threshold": "5",
}


class RayProcess:
    """`address` None: a head of our own on loopback that ends with us; otherwise a running cluster is joined."""

    def __init__(
        self,
        run: Run,
        data_folder: Path,
        address: str | None,
        dashboard_port: int,
        granted: GrantedTime,
        is_stopping: Callable[[], bool],
    ) -> None:
        self.address = ""
        self.dashboard = ""
        self.restarts = 0
        self._run = run
        self._data_folder = data_folder
        self._address = address
        self._dashboard_port = dashboard_port
        self._granted = granted
        self._is_stopping = is_stopping
        self._child: subprocess.Popen[bytes] | None = None
        self._connection: Connection[protocol.ToDriver, protocol.FromDriver] | None = None
        self._heard: deque[protocol.FromDriver] = deque()
        self._heard_at = 0.0
        self._ready = False
        self._lost = ""
        self._sending = threading.Lock()

    @property
    def is_ours(self) -> bool:
        return self._address is None

    @property
    def token_file(self) -> Path | None:
        """Where the dashboard's token lies; None when the cluster's token is not in a file."""
        if self.is_ours:
            return own_token_file(self._data_folder)
        named = self._environment().get("RAY_AUTH_TOKEN_PATH")
        return Path(named) if named else None

    @property
    def pid(self) -> int | None:
        """The driver's process id."""
        return self._child.pid if self._child is not None else None

    # --- life ---

    def start(self) -> None:
        """Start the driver and wait, as long as there is progress, until Ray runs.

        Raises:
            RayError: Ray does not start, the cluster is not there or refuses our token.
        """
        for number in range(1, MAX_STARTS + 1):
            try:
                self._start_once()
                return
            except _HeadLostError as error:
                if number == MAX_STARTS:
                    raise RayError(self._sentence(str(error))) from None
                _log.warning("%s while it was starting; it is started again", error)

    def _start_once(self) -> None:
        ours, theirs = pipe()
        if self.is_ours:
            self._dashboard_port = free_port(self._dashboard_port)
        self._ready, self._lost = False, ""
        self._heard.clear()
        self._child = self._spawn(theirs)
        self._connection = ours
        threading.Thread(target=self._listen, args=(ours,), name="ray-driver", daemon=True).start()
        folder = str(own_ray_folder(self._data_folder)) if self.is_ours else ""
        self.send(protocol.Begin(self._address, folder, self._dashboard_port, tuple(sys.path), NAMESPACE))
        self._await_ready(self._child)

    def restart(self) -> None:
        """A cold start: on a head of our own all actors go with it; everything durable is in the database."""
        self.kill()
        self.start()
        self.restarts += 1

    def loss(self) -> str:
        """Why Ray must be started anew, as a phrase; empty while it is well."""
        child = self._child
        if child is None:
            return "the Ray driver is not there"
        if child.poll() is not None:
            return f"the Ray driver has ended (exit code {child.returncode})"
        if self._lost:
            return self._lost
        if is_stopped(child.pid):
            return "the Ray driver is frozen"
        silent_s = self._granted.now_s() - self._heard_at
        if silent_s > DRIVER_SILENCE_S:
            return f"Ray has not answered for {silent_s:.0f} s"
        return ""

    def send(self, said: protocol.ToDriver) -> bool:
        """Whether it could be said; a driver that is gone is noticed by `loss`."""
        connection = self._connection
        if connection is None:
            return False
        try:
            with self._sending:
                connection.send(said)
        except OSError:
            return False
        return True

    def heard(self) -> list[protocol.FromDriver]:
        """What the driver has said since the last call, oldest first."""
        said = []
        while self._heard:
            said.append(self._heard.popleft())
        return said

    def stop(self) -> None:
        """End the actors in order, as far as Ray still obeys, then every process, whether it obeys or not."""
        child = self._child
        if child is not None and self._ready and not self.loss() and self.send(protocol.EndActors()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(END_ACTORS_S)
        self.kill()

    def kill(self) -> None:
        """End the driver and everything below it at once."""
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)  # where there is no /proc, its group is what can be ended
            child.kill()
            child.wait()
        left = kill_marked(self._run.prefix, (ROLE,), KILL_S)
        if left:
            _log.error("processes of Ray do not end: %s", [process.pid for process in left])
        connection, self._connection = self._connection, None
        if connection is not None:
            with self._sending:
                connection.close()

    # --- inside ---

    def _environment(self) -> dict[str, str]:
        if self.is_ours:
            own = {"RAY_AUTH_TOKEN_PATH": str(own_token_file(self._data_folder).resolve()), **OWN_HEAD_SETTINGS}
        else:
            own = cluster_token(os.environ, Path.home())
            if is_on_loopback(self._address or ""):
                own |= LOOPBACK_SETTINGS
        return child_environment(self._run, ROLE, {**own, **RAY_SETTINGS})

    def _spawn(self, theirs: Connection[protocol.FromDriver, protocol.ToDriver]) -> subprocess.Popen[bytes]:
        log: IO[bytes]
        with open(self._data_folder / "ray.log", "ab") as log, theirs:
            return subprocess.Popen(
                [sys.executable, "-m", "api.launch.ray_driver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    def _listen(self, connection: Connection[protocol.ToDriver, protocol.FromDriver]) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                said = connection.recv()
                if connection is not self._connection:
                    return
                self._heard_at = self._granted.now_s()
                match said:
                    case protocol.HeadLost(names):
                        self._lost = f"Ray's {', '.join(names)} had died"
                    case _:
                        self._heard.append(said)

    def _await_ready(self, child: subprocess.Popen[bytes]) -> None:
        pause, progress = threading.Event(), _Progress(self._run.prefix, self._granted)
        while True:
            for said in self.heard():
                match said:
                    case protocol.Ready(address, dashboard):
                        self.address, self.dashboard, self._ready = address, dashboard, True
                        return
                    case protocol.Failed(text):
                        self.kill()
                        raise RayError(self._sentence(text))
                    case _:
                        pass
            if self._is_stopping():
                self.kill()
                raise RayError("Ray's start was broken off")
            if self._lost:
                self.kill()
                raise _HeadLostError(self._lost)
            code, stalled_s = child.poll(), progress.stalled_s()
            if code is not None and not self._heard:
                self.kill()
                raise RayError(self._sentence(f"its driver ended with code {code}; {self._last_words()}"))
            if stalled_s > STALL_S:
                self.kill()
                raise RayError(self._sentence(f"its processes have done nothing for {stalled_s:.0f} s"))
            pause.wait(LOOK_S)

    def _sentence(self, text: str) -> str:
        if self.is_ours:
            return f"Ray does not start: {text}. Its log is {self._data_folder / 'ray.log'}."
        hint = "is it running (`ray start --head`), and is its token ours (RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH)?"
        return f"the Ray cluster at ray.address={self._address!r} cannot be joined: {text}; {hint}"

    def _last_words(self) -> str:
        lines = (self._data_folder / "ray.log").read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"


def is_on_loopback(address: str) -> bool:
    """Whether the cluster's head listens on loopback: by its address, for "auto" by the one that `ray start` wrote
    down."""
    if address == "auto":
        folder = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()) / "ray"
        try:
            address = (folder / "ray_current_cluster").read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return False
    host = address.rpartition(":")[0].strip("[]")
    return host in ("localhost", "::1") or host.startswith("127.")


class _HeadLostError(Exception):
    """A process without which nothing runs has ended during the start; a phrase."""


class _Progress:
    """How long the processes of a start have used no processor time, in granted seconds."""

    def __init__(self, prefix: str, granted: GrantedTime) -> None:
        self._prefix = prefix
        self._granted = granted
        self._used_s = 0.0
        self._moved_at = granted.now_s()
        self._looked_at = 0.0

    def stalled_s(self) -> float:
        now = self._granted.now_s()
        if time.monotonic() - self._looked_at >= CPU_LOOK_S:
            self._looked_at = time.monotonic()
            used_s = cpu_s(process.pid for process in marked(self._prefix) if process.role == ROLE)
            if used_s != self._used_s:
                if abs(used_s - self._used_s) >= MIN_CPU_S:
                    self._moved_at = now
                self._used_s = used_s
        return now - self._moved_at
