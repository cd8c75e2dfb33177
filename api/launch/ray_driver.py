"""``python -m api.launch.ray_driver FD``: the one process of the launch that joins Ray; it can be replaced any time.

It keeps nothing that is not in the launch too. Ray may end it (a lost control store), a frozen control store may hang
it: the launch notices that and starts another one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from api.launch import own_head
from api.launch.ray_protocol import (
    AlertTaken,
    Begin,
    EndActors,
    Failed,
    FromDriver,
    HeadLost,
    Heard,
    Occupied,
    RaiseAlert,
    Ready,
    Silent,
    SpawnOrchestrator,
    ToDriver,
)
from api.launch.ray_token import RefusedError, require_our_token
from infra.processes.parent import end_with_parent

_log = logging.getLogger(__name__)

PERIOD_S = 0.5
STATUS_TIMEOUT_S = 2.0
COMMAND_TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 1.5
DASHBOARD_WAIT_S = 120.0
"""So long the dashboard waits for all actors to be up; then it is needed to see why they are not."""


class RayDriver:
    """Carries out what the launch says and reports twice a second."""

    def __init__(self, connection: Connection[FromDriver, ToDriver]) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._dashboard: own_head.LateDashboard | None = None
        self._ready_at = 0.0
        self._installation = ""
        """Whose orchestrator this driver has created or found; "" before that: no actor is ours yet."""

    def run(self) -> None:
        """Until the launch ends it, or is gone."""
        begin = self._connection.recv()
        assert isinstance(begin, Begin)
        sys.path[:] = list(begin.import_paths)
        started = threading.Event()
        if begin.address is None:
            threading.Thread(target=self._watch_head, args=(started,), name="head", daemon=True).start()
        try:
            if begin.address is None:
                self._dashboard = own_head.LateDashboard()
            self._say(_start(begin))
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, the launch gets a sentence
            _log.exception("Ray does not start")
            text = " ".join(str(error).split())[:400]
            self._say(Failed(text if isinstance(error, RefusedError) else f"{type(error).__name__}: {text}"))
            return
        started.set()
        self._ready_at, reported = time.monotonic(), 0.0
        while True:
            if self._connection.poll(max(0.0, PERIOD_S - (time.monotonic() - reported))):
                said = self._connection.recv()
                if isinstance(said, EndActors):
                    if self._installation:
                        _end_actors(is_own_head=begin.address is None)
                    return
                self._carry_out(said)
            if time.monotonic() - reported >= PERIOD_S:
                reported = time.monotonic()
                status = _ask_status(self._installation)
                self._say(status)
                self._start_dashboard(status)

    def _start_dashboard(self, status: Heard | Silent) -> None:
        are_up = isinstance(status, Heard) and status.status.get("all_up")
        if self._dashboard is not None and (are_up or time.monotonic() - self._ready_at > DASHBOARD_WAIT_S):
            dashboard, self._dashboard = self._dashboard, None
            try:
                dashboard.start()
            except Exception:  # noqa: BLE001 - optional: everything else runs without it
                _log.exception("the dashboard does not start")

    def _carry_out(self, said: ToDriver) -> None:
        try:
            match said:
                case SpawnOrchestrator(assembly, replace):
                    if other := occupant(assembly.installation_id):
                        self._say(Occupied(other))
                        return
                    self._installation = assembly.installation_id
                    _spawn(assembly, replace=replace)
                case RaiseAlert():
                    if _raise_alert(said):
                        self._say(AlertTaken(said.number))
        except Exception:  # noqa: BLE001 - the launch sees in the next report that nothing came of it
            _log.exception("the driver could not carry out %s", type(said).__name__)

    def _watch_head(self, started: threading.Event) -> None:
        pause = threading.Event()
        while not pause.wait(PERIOD_S):
            if names := own_head.lost_processes() if started.is_set() else own_head.ended_early():
                self._say(HeadLost(tuple(names)))
                return

    def _say(self, said: FromDriver) -> None:
        with self._sending:
            self._connection.send(said)


def _preload() -> None:
    import orchestrator.actor  # noqa: F401


def _start(begin: Begin) -> Ready:
    import ray

    # What the first assembly would load: now it costs nothing, the database is still starting.
    threading.Thread(target=_preload, name="imports", daemon=True).start()
    # What it cannot do without raises; the rest are lines about the dashboard, which the start does not wait for.
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    where: dict[str, Any] = {"address": begin.address}
    if begin.address is not None:
        require_our_token(begin.address)
    else:
        own_head.name_the_agents_ports()
        where = own_head.options(begin.temp_folder, begin.dashboard_port)
    context = ray.init(namespace=begin.namespace, log_to_driver=False, logging_level=logging.CRITICAL, **where)
    address = str(context.address_info["gcs_address"])
    if begin.address is None:
        return Ready(address, f"http://127.0.0.1:{begin.dashboard_port}")
    return Ready(address, f"http://{context.dashboard_url}" if context.dashboard_url else "")


def occupant(installation: str) -> str:
    """The sentence about another system whose orchestrator works in this cluster; "" when there is none. Actors have
    the same names in every system: they would be adopted, replaced and ended by the wrong one."""
    import ray

    from actors.runtime.ray_runtime import find
    from statemachines.values import ActorName

    handle = find(ActorName.ORCHESTRATOR)
    if handle is None:
        return ""
    try:
        other = ray.get(handle.status.remote(), timeout=STATUS_TIMEOUT_S).get("installation", installation)
    except Exception:  # noqa: BLE001 - one that does not answer works for no system
        return ""
    if other == installation:
        return ""
    return (
        f"This Ray cluster is in use by another system (installation {other}; this one is {installation}). Nothing is "
        "started here: end that system, or give this one a cluster of its own (ray.address)."
    )


def _ask_status(installation: str) -> Heard | Silent:
    import ray

    from actors.runtime.ray_runtime import find
    from statemachines.values import ActorName

    try:
        handle = find(ActorName.ORCHESTRATOR)
        if handle is None:
            return Silent("there is no orchestrator", is_gone=True)
        status = ray.get(handle.status.remote(), timeout=STATUS_TIMEOUT_S)
        if status.get("installation") != installation:
            return Silent("the orchestrator of this cluster is another system's", is_gone=False)
        return Heard(status)
    except Exception as error:  # noqa: BLE001 - whatever keeps it silent, the launch decides
        is_gone = isinstance(error, ray.exceptions.ActorDiedError)
        return Silent(" ".join(str(error).split())[:200] or type(error).__name__, is_gone)


def _spawn(assembly: Any, *, replace: bool) -> None:
    import ray

    from actors.runtime.ray_runtime import find, spawn
    from statemachines.values import ActorName

    handle = find(ActorName.ORCHESTRATOR) if replace else None
    if handle is not None:
        # Ray waits for a frozen process before it restarts it; ended for good, the name is free at once (RAY.md 3).
        ray.kill(handle, no_restart=True)
    spawn(assembly, ActorName.ORCHESTRATOR, max_restarts=-1)


def _raise_alert(alert: RaiseAlert) -> bool:
    import ray

    from actors.runtime.ray_runtime import find
    from statemachines.values import ActorName

    handle = find(ActorName.ORCHESTRATOR)
    if handle is None:
        return False
    call = handle.raise_alert.remote(alert.component, alert.severity, alert.text, alert.natural_id)
    return bool(ray.get(call, timeout=COMMAND_TIMEOUT_S))


def _end_actors(*, is_own_head: bool) -> None:
    """The actors of our own head end with it; those of a cluster are ended one by one."""
    import ray

    from actors.runtime.ray_runtime import find
    from actors.runtime.registry import FURTHER, START_ORDER
    from statemachines.values import ActorName

    handle = find(ActorName.ORCHESTRATOR)
    if handle is not None:
        with contextlib.suppress(Exception):
            ray.get(handle.stop.remote(), timeout=STOP_TIMEOUT_S)
        ray.kill(handle, no_restart=True)
    if not is_own_head:
        for name in (*START_ORDER, *FURTHER):
            other = find(name)
            if other is not None:
                ray.kill(other, no_restart=True)
        ray.shutdown()


def main() -> None:
    """Entry point of the process."""
    end_with_parent(signal.SIGKILL)
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
