"""A real system for fault drills: Ray, PostgreSQL, the exchange process, all on free ports in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg

from api.assembly import SystemAssembly
from api.launch import System
from api.tokens import read_token
from infra.config import EternalConfig
from infra.config.sections import ExchangeConfig, RayConfig
from infra.database.embedded import EmbeddedPostgres
from infra.database.installation import read_installation
from infra.simulator.market.synthetic import DEFAULT_SEED
from statemachines.component.policy import SupervisionPolicy
from statemachines.values import HOUR_MS, ActorName

PATIENCE_S = 240.0
LONG_PATIENCE_S = 300.0
GOING_PATIENCE_S = 60.0
POLL_S = 0.05
START = date(2025, 1, 1)
MARK = "ETERNAL_DRILL"
"""Inherited by every process that a drill starts, however deep: so those that are left can be found."""


def make_config(
    folder: Path,
    end: date,
    start: date = START,
    history: Path | None = None,
    supervision: SupervisionPolicy | None = None,
    seed: int = DEFAULT_SEED,
    pace_s: Decimal = Decimal(0),
) -> EternalConfig:
    """`pace_s`: least seconds per market day, for drills that need the market to last through all their faults."""
    return EternalConfig(
        data_folder=folder / "data",
        exchange=ExchangeConfig(pace_s=pace_s, from_day=start, to_day=end, history=history, seed=seed),
        ray=RayConfig(dashboard_port=0),
        supervision=supervision or SupervisionPolicy(max_restarts=50, stuck_ms=4_000),
    )


class Drill:
    """A running system and what can be done to it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.recoveries: dict[str, str] = {}

    # --- what it looks like ---

    def wait(self, what: str, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Poll; a failure tells what the system said last."""
        until, pause = time.monotonic() + patience_s, threading.Event()
        while not condition():
            assert time.monotonic() < until, f"{what} did not happen; newest status: {self.system.status}"
            pause.wait(POLL_S)

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

    def until(self, market_ms: int) -> None:
        """Let market time come to an instant."""
        self.wait(f"market time {market_ms}", lambda: self.market_ms() >= market_ms or self.system.has_ended)

    def advance(self, hours: int) -> None:
        """Let the market go on by some hours."""
        self.until(self.market_ms() + hours * HOUR_MS)

    def to_the_end(self) -> None:
        self.wait("the market's end", lambda: self.system.has_ended, patience_s=LONG_PATIENCE_S)

    # --- faults: each waits until what was hit is replaced and market time moves again ---

    def strike(
        self, name: ActorName, number: signal.Signals = signal.SIGKILL, follow: signal.Signals | None = None
    ) -> None:
        """Send a signal to the process of an actor; `follow` is sent to the same process once it has been replaced."""
        self.wait(f"{name} running", lambda: self.is_running(name) and self.pid(name) > 0)
        pid = self.pid(name)
        self._recover(f"{name} {number.name}", lambda: os.kill(pid, number), lambda: self._is_replaced(name, pid))
        if follow is not None and is_alive(pid):
            os.kill(pid, follow)

    def loop(self, name: ActorName, told: Path) -> None:
        """The worker of an actor falls into an endless loop while its process answers every ping."""
        self.wait(f"{name} running", lambda: self.is_running(name) and self.pid(name) > 0)
        pid = self.pid(name)
        self._recover(f"{name} endless loop", told.touch, lambda: self._is_replaced(name, pid))

    def strike_the_exchange(self) -> None:
        exchange = self.system.exchange
        assert exchange is not None and exchange.pid is not None
        pid = exchange.pid
        self._recover("exchange SIGKILL", lambda: os.kill(pid, signal.SIGKILL), lambda: exchange.pid not in (None, pid))

    def strike_the_database(self) -> None:
        server = self.system.database.server
        assert server is not None and server.pid is not None
        pid = server.pid
        self._recover("database SIGKILL", lambda: os.kill(pid, signal.SIGKILL), lambda: server.pid not in (None, pid))

    def _is_replaced(self, name: ActorName, pid: int) -> bool:
        return self.is_running(name) and self.pid(name) not in (0, pid)

    def _recover(self, label: str, fault: Callable[[], object], is_back: Callable[[], bool]) -> None:
        assert not self.system.has_ended, f"the market ended before {label}: nothing would be proven"
        begun, at = time.monotonic(), datetime.fromtimestamp(self.market_ms() / 1000, UTC)
        fault()
        self.wait(f"{label}: a replacement", is_back)
        back_s, goal = time.monotonic() - begun, self.market_ms()
        self.wait(f"{label}: market time moving again", lambda: self.market_ms() > goal or self.system.has_ended)
        self.recoveries[label] = f"{back_s:.1f} / {time.monotonic() - begun:.1f}, market time {at:%m-%d %H:%M}"

    def report(self) -> str:
        """Per fault the seconds until what was hit works again / until market time moves again."""
        rows = [f"  {label:<28} {times}" for label, times in self.recoveries.items()]
        return "\n".join(["", "seconds from fault to replacement running / to market time moving:", *rows])

    # --- the operator ---

    def control(self, action: str, scope: str, reason: str) -> None:
        """A command of the operator through the API, as he would send it."""
        answer = httpx.post(
            f"{self.system.api_url}/control",
            json={"action": action, "scope": scope, "reason": reason, "who": "drill"},
            headers=read_token(self.system.config.token_file).header(),
            timeout=30,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text

    # --- what is left ---

    def database(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.system.database_url)

    def installation(self) -> str:
        return read_installation(self.system.database_url).installation_id


@contextmanager
def running(config: EternalConfig, assembly: type[SystemAssembly] = SystemAssembly) -> Iterator[Drill]:
    """Start, hand over, end; also after a failure no process of it is left."""
    mark = uuid.uuid4().hex
    os.environ[MARK] = mark
    system = System(config, assembly)
    try:
        system.start()
        system.guard_in_background()
        drill = Drill(system)
        drill.wait("the start of all components", lambda: bool(system.status.get("all_up")))
        yield drill
    finally:
        try:
            system.stop()
        finally:
            del os.environ[MARK]
            left = _wait_until_gone(mark)
            for pid in left:
                os.kill(pid, signal.SIGKILL)
    assert not left, f"processes were left and had to be killed: {left}"


@contextmanager
def drill_folder() -> Iterator[Path]:
    """A folder that an unprivileged database server may pass through; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="eternal-drill-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        # For root the server's files may lie elsewhere (see EmbeddedPostgres): a drill leaves none of them behind.
        EmbeddedPostgres(folder / "data" / "database").destroy()
        shutil.rmtree(folder)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_until_gone(mark: str) -> dict[int, str]:
    """Ray's helpers end a moment after Ray has: those that are still there when patience is over."""
    until, pause = time.monotonic() + GOING_PATIENCE_S, threading.Event()
    while (left := _marked(mark)) and time.monotonic() < until:
        pause.wait(POLL_S)
    return left


def _marked(mark: str) -> dict[int, str]:
    """Command lines of living processes that were started with the mark (our own got it later)."""
    wanted = f"{MARK}={mark}".encode()
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0") and is_alive(int(folder.name)):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
        except OSError:
            continue  # gone meanwhile, or another user's
    return found
