"""``python -m api.launching.ray_driver FD``: the one process of the launch that joins Ray; it can be replaced any time.

It keeps nothing that is not in the launch too. Ray may end it (a lost control store), a frozen control store may hang
it: the launch hears that and starts another one.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from api.launching.ray_protocol import (
    AlertTaken,
    Begin,
    EndActors,
    Failed,
    FromDriver,
    HeadLost,
    Heard,
    RaiseAlert,
    Ready,
    Silent,
    SpawnOrchestrator,
    ToDriver,
)
from infra.processes.ports import free_port
from infra.processes.table import is_alive, is_stopped

_log = logging.getLogger(__name__)

PERIOD_S = 0.5
STATUS_TIMEOUT_S = 2.0
COMMAND_TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 1.5
CLUSTER_ANSWER_S = 30.0
STRANGER = """
import sys
from ray._raylet import GcsClient
GcsClient(address=sys.argv[1]).internal_kv_keys(b"", None, timeout=10)
"""
OBJECT_STORE_BYTES = 200 * 1024 * 1024
NEEDED = ("gcs_server", "raylet")
"""Head processes without which nothing runs; Ray restarts neither."""

AGENTS = ("DashboardAgent", "RuntimeEnvAgent")
"""Children of the raylet. It ends itself when one of them dies, some seconds later."""

_PR_SET_PDEATHSIG = 1


class RayDriver:
    """Carries out what the launch says and reports twice a second."""

    def __init__(self, connection: Connection[FromDriver, ToDriver]) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def run(self) -> None:
        """Until the launch ends it, or is gone."""
        begin = self._connection.recv()
        assert isinstance(begin, Begin)
        sys.path[:] = list(begin.import_paths)
        try:
            self._say(_start(begin, self._say))
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the launch gets a sentence
            _log.exception("Ray does not start")
            text = " ".join(str(error).split())[:400]
            self._say(Failed(text if isinstance(error, _RefusedError) else f"{type(error).__name__}: {text}"))
            return
        if begin.address is None:
            threading.Thread(target=self._watch_head, name="head", daemon=True).start()
        reported = 0.0
        while True:
            if self._connection.poll(max(0.0, PERIOD_S - (time.monotonic() - reported))):
                said = self._connection.recv()
                if isinstance(said, EndActors):
                    _end_actors(is_own_head=begin.address is None)
                    return
                self._carry_out(said)
            if time.monotonic() - reported >= PERIOD_S:
                reported = time.monotonic()
                self._say(_ask_status())

    def _carry_out(self, said: ToDriver) -> None:
        try:
            match said:
                case SpawnOrchestrator(assembly, replace):
                    _spawn(assembly, replace=replace)
                case RaiseAlert():
                    if _raise_alert(said):
                        self._say(AlertTaken(said.number))
        except Exception:  # noqa: BLE001 - the launch sees in the next report that nothing came of it
            _log.exception("the driver could not carry out %s", type(said).__name__)

    def _watch_head(self) -> None:
        pause = threading.Event()
        while not pause.wait(PERIOD_S):
            if names := _lost_head_processes():
                self._say(HeadLost(tuple(names)))
                return

    def _say(self, said: FromDriver) -> None:
        with self._sending:
            self._connection.send(said)


def _preload() -> None:
    import orchestrator.actor  # noqa: F401


def _start(begin: Begin, tell: Callable[[FromDriver], None]) -> Ready:
    import ray

    # What the first assembly would load: now it costs nothing, the database is still starting.
    threading.Thread(target=_preload, name="imports", daemon=True).start()
    # What it cannot do without raises; the rest are lines about the dashboard, which nobody waits for.
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    if begin.address is not None:
        _require_our_token(begin.address)
    options: dict[str, Any] = {"namespace": begin.namespace, "log_to_driver": False, "logging_level": logging.CRITICAL}
    if begin.address is None:
        options |= {
            "address": "local",
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": begin.temp_folder,
            # None starts the dashboard without insisting on it; its time-out is 0 (see ray_process): optional things
            # do not decide a start.
            "include_dashboard": None,
            "dashboard_host": "127.0.0.1",
            "dashboard_port": begin.dashboard_port,
            "_metrics_export_port": free_port(0),
            "num_cpus": max(os.cpu_count() or 1, 2),
            "object_store_memory": OBJECT_STORE_BYTES,
        }
        _name_the_agents_ports()
        threading.Thread(target=_tell_of_an_early_end, args=(tell,), name="early-end", daemon=True).start()
    else:
        options["address"] = begin.address
    context = ray.init(**options)
    address = str(context.address_info["gcs_address"])
    if begin.address is None:
        return Ready(address, f"http://127.0.0.1:{begin.dashboard_port}")
    return Ready(address, f"http://{context.dashboard_url}" if context.dashboard_url else "")


def _name_the_agents_ports() -> None:
    """Ray's raylet gives its agents a fixed quarter of a minute to write down the ports they have chosen, and ends
    itself when they are late, as on a starving machine. Ports that are named at the start are not waited for;
    `ray.init` takes no such option, so its parameters are completed here. (It also keeps two systems apart that run on
    one machine: the agent's usual port is the same for all.)"""
    import ray._private.parameter as parameter

    parameter.RayParams = functools.partial(
        parameter.RayParams,
        metrics_agent_port=free_port(0),
        runtime_env_agent_port=free_port(0),
        dashboard_agent_listen_port=free_port(0),
    )


def _tell_of_an_early_end(tell: Callable[[FromDriver], None]) -> None:
    """`ray.init` waits for minutes for a raylet that has ended meanwhile."""
    pause = threading.Event()
    while not pause.wait(PERIOD_S):
        for child in _children(os.getpid()):
            name = _comm(child)
            if name in NEEDED and not is_alive(child):
                tell(HeadLost((name,)))
                return


def _children(pid: int) -> list[int]:
    """Children of all threads of the process; none where there is no /proc."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(text) for text in file.read_text(encoding="ascii").split()]
    return found


def _comm(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(encoding="ascii", errors="replace").strip()
    return ""


class _RefusedError(Exception):
    """The cluster and we do not go together; a sentence without Ray's own words."""


def _require_our_token(address: str) -> None:
    """Ray itself repeats a refusal for a minute and then raises it from its depths."""
    import ray
    from ray._private.services import canonicalize_bootstrap_address_or_die
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    try:
        found = canonicalize_bootstrap_address_or_die(address)
        host, _, port = found.rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), timeout=CLUSTER_ANSWER_S).close()
        GcsClient(address=found).internal_kv_keys(b"", None, timeout=CLUSTER_ANSWER_S)
    except ray.exceptions.AuthenticationError:
        raise _RefusedError("it refuses our token") from None
    except (OSError, ValueError, ray.exceptions.RayError) as error:
        raise _RefusedError(f"it does not answer ({type(error).__name__})") from None
    if not _wants_a_token(found):
        raise _RefusedError(
            "it runs without a token, so that whoever reaches it executes code as its user; run `ray get-auth-token "
            "--generate`, then `ray start` again"
        )


def _wants_a_token(address: str) -> bool:
    """Whether the cluster turns away who shows none; asked by a process that has none."""
    hidden = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    stranger = hidden | {"RAY_AUTH_MODE": "disabled", "HOME": "/nonexistent"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", STRANGER, address], env=stranger, capture_output=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def _ask_status() -> Heard | Silent:
    import ray

    from actors.ray_runtime import find
    from statemachines.values import ActorName

    try:
        handle = find(ActorName.ORCHESTRATOR)
        if handle is None:
            return Silent("there is no orchestrator", is_gone=True)
        return Heard(ray.get(handle.status.remote(), timeout=STATUS_TIMEOUT_S))
    except Exception as error:  # noqa: BLE001 - whatever keeps it silent, the launch decides
        is_gone = isinstance(error, ray.exceptions.ActorDiedError)
        return Silent(" ".join(str(error).split())[:200] or type(error).__name__, is_gone)


def _spawn(assembly: Any, *, replace: bool) -> None:
    import ray

    from actors.ray_runtime import find, spawn
    from statemachines.values import ActorName

    handle = find(ActorName.ORCHESTRATOR) if replace else None
    if handle is not None:
        # Ray waits for a frozen process before it restarts it; ended for good, the name is free at once (RAY.md 3).
        ray.kill(handle, no_restart=True)
    spawn(assembly, ActorName.ORCHESTRATOR, max_restarts=-1)


def _raise_alert(alert: RaiseAlert) -> bool:
    import ray

    from actors.ray_runtime import find
    from statemachines.values import ActorName

    handle = find(ActorName.ORCHESTRATOR)
    if handle is None:
        return False
    call = handle.raise_alert.remote(alert.component, alert.severity, alert.text, alert.natural_id)
    return bool(ray.get(call, timeout=COMMAND_TIMEOUT_S))


def _end_actors(*, is_own_head: bool) -> None:
    """The actors of our own head end with it; those of a cluster are ended one by one."""
    import ray

    from actors.inprocess import START_ORDER
    from actors.ray_runtime import find
    from statemachines.values import ActorName

    handle = find(ActorName.ORCHESTRATOR)
    if handle is not None:
        with contextlib.suppress(Exception):
            ray.get(handle.stop.remote(), timeout=STOP_TIMEOUT_S)
        ray.kill(handle, no_restart=True)
    if not is_own_head:
        for name in (*START_ORDER, ActorName.API):
            other = find(name)
            if other is not None:
                ray.kill(other, no_restart=True)
        ray.shutdown()


def _lost_head_processes() -> list[str]:
    """Names of processes of our own head that have died or are frozen."""
    import ray._private.worker as ray_worker

    node = ray_worker._global_node
    if node is None:
        return ["head"]
    lost = [str(kind) for kind, _process in node.dead_processes() if kind in NEEDED]
    for kind in NEEDED:
        lost += [f"{kind} (frozen)" for one in node.all_processes.get(kind, ()) if is_stopped(one.process.pid)]
    return lost or _dead_agents(node)


_seen_agents: dict[str, int] = {}


def _dead_agents(node: Any) -> list[str]:
    raylets = node.all_processes.get("raylet", ())
    if not raylets:
        return []
    found = _agents_of(raylets[0].process.pid)
    lost = [name for name in _seen_agents if name not in found]
    _seen_agents.update(found)
    return lost


def _agents_of(raylet: int) -> dict[str, int]:
    """The raylet's agents by their titles; empty where there is no /proc."""
    found: dict[str, int] = {}
    for child in _children(raylet):
        with contextlib.suppress(OSError):
            title = Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace")
            found |= {name: child for name in AGENTS if name in title and is_alive(child)}
    return found


def main() -> None:
    """Entry point of the process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the launch alone
    os.umask(0o077)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True
    )
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the launch is gone
        RayDriver(Connection(int(sys.argv[1]))).run()
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
