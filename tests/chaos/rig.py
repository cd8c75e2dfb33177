"""A real system for fault drills: Ray, PostgreSQL, the exchange process, all on free ports in a folder of its own."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from api.launch import System
from infra.config import EternalConfig
from infra.config.sections import ExchangeConfig, RayConfig
from infra.database.installation import read_installation
from statemachines.component.policy import SupervisionPolicy
from statemachines.values import HOUR_MS, ActorName

PATIENCE_S = 300.0
LONG_PATIENCE_S = 900.0
START = date(2025, 1, 1)


def make_config(
    folder: Path,
    end: date,
    start: date = START,
    history: Path | None = None,
    supervision: SupervisionPolicy | None = None,
) -> EternalConfig:
    return EternalConfig(
        data_folder=folder,
        exchange=ExchangeConfig(pace_s=0, from_day=start, to_day=end, history=history),
        ray=RayConfig(dashboard_port=0),
        supervision=supervision or SupervisionPolicy(max_restarts=50, stuck_ms=4_000),
    )


class Drill:
    """A running system and what can be done to it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.recoveries: dict[str, float] = {}

    def wait(self, what: str, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Poll; a failure tells what the system said last."""
        until, pause = time.monotonic() + patience_s, threading.Event()
        while not condition():
            assert time.monotonic() < until, f"{what} did not happen; newest status: {self.system.status}"
            pause.wait(0.05)

    def component(self, name: ActorName) -> dict[str, Any]:
        rows = self.system.status.get("components", [])
        return next((row for row in rows if row["name"] == str(name)), {})

    def pid(self, name: ActorName) -> int:
        if name is ActorName.ORCHESTRATOR:
            return int((self.system.status.get("orchestrator") or {}).get("pid", 0))
        return int(self.component(name).get("health", {}).get("pid", 0))

    def market_ms(self) -> int:
        return int((self.system.status.get("lockstep") or {}).get("market_ms", 0))

    def is_running(self, name: ActorName) -> bool:
        if name is ActorName.ORCHESTRATOR:
            status = self.system.status
            return bool(status.get("booted")) and (status.get("orchestrator") or {}).get("state") == "RUNNING"
        return bool(self.component(name).get("state") == "RUNNING")

    def advance(self, hours: int) -> None:
        """Let the market go on by some hours."""
        goal = self.market_ms() + hours * HOUR_MS
        self.wait(f"{hours} market hours", lambda: self.market_ms() >= goal or self.system.has_ended)

    def strike(self, name: ActorName, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the process of an actor and wait until another one has taken its place."""
        self.wait(f"{name} running", lambda: self.is_running(name) and self.pid(name) > 0)
        pid, begun = self.pid(name), time.monotonic()
        os.kill(pid, number)
        self.wait(f"{name} back", lambda: self.is_running(name) and self.pid(name) not in (0, pid))
        self.recoveries[f"{name} {number.name}"] = time.monotonic() - begun

    def database(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.system.database_url)

    def installation(self) -> str:
        return read_installation(self.system.database_url).installation_id

    def to_the_end(self) -> None:
        self.wait("the market's end", lambda: self.system.has_ended, patience_s=LONG_PATIENCE_S)


@contextmanager
def running(config: EternalConfig) -> Iterator[Drill]:
    """Start, hand over, end; afterwards no process of it is left."""
    system = System(config)
    pids: list[int] = []
    try:
        system.start()
        system.guard_in_background()
        drill = Drill(system)
        drill.wait("the start of all components", lambda: bool(system.status.get("all_up")))
        yield drill
        pids = [pid for row in system.status["components"] if (pid := row["health"].get("pid"))]
    finally:
        exchange = system.exchange
        pids += [pid for pid in (exchange.pid if exchange else None,) if pid]
        system.stop()
    left = [pid for pid in pids if _is_alive(pid)]
    assert not left, f"processes {left} are still there"


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False
