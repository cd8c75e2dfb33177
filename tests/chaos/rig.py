"""A real system for fault drills: Ray, PostgreSQL, the exchange process, all on free ports in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg

from api.assembly import SystemAssembly
from api.launch.ray_folder import own_ray_folder
from api.launch.system import System
from api.tokens import read_token
from infra.config import EternalConfig
from infra.config.sections import ExchangeConfig, RayConfig
from infra.database.server.embedded import EmbeddedPostgres
from infra.processes.table import Process, is_alive, marked
from infra.simulator.market.synthetic import DEFAULT_SEED
from statemachines.supervision.policy import SupervisionPolicy
from statemachines.values import HOUR_MS, ActorName

PATIENCE_S = 240.0
LONG_PATIENCE_S = 300.0
GOING_PATIENCE_S = 5.0
POLL_S = 0.05
HOURS_THAT_PROVE = 2
MOST_STEPS = 1_000
START = date(2025, 1, 1)


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
        self.moving_s: list[float] = []

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

    def strike_the_exchange(self, number: signal.Signals = signal.SIGKILL) -> None:
        exchange = self.system.exchange
        assert exchange is not None
        self._strike_pid("exchange", number, lambda: exchange.pid)

    def strike_the_database(self, number: signal.Signals = signal.SIGKILL) -> None:
        server = self.system.database.server
        assert server is not None
        self._strike_pid("database", number, lambda: server.pid)

    def strike_ray(self, part: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process of Ray's, named by a part of its command line; Ray is then started anew."""
        self._strike_pid(part, number, lambda: self._ray_pid(part))

    def break_all_streams(self, times: int) -> None:
        """Every stream breaks, and again as soon as all are back: a storm of reconnects. What is measured begins with
        the last break."""
        exchange = self.system.exchange
        assert exchange is not None
        url = f"{exchange.url}/sim/faults"

        def strike() -> None:
            body = {"fault": {"kind": "disconnect"}}
            httpx.post(url, json=body, headers=self._sim_token(), timeout=30, trust_env=False).raise_for_status()

        for _ in range(times - 1):
            before_ms = self._present_ms()
            strike()
            self._await_moving("market time after a break", before_ms)
        self._recover("all streams", strike, lambda: True)
        httpx.delete(url, headers=self._sim_token(), timeout=30, trust_env=False).raise_for_status()

    def freeze_without_replacement(self, part: str) -> None:
        """A process that is not needed stands still for a while: market time goes on all the same."""
        pid = self._ray_pid(part)
        assert pid is not None
        self._recover(f"{part} SIGSTOP", lambda: os.kill(pid, signal.SIGSTOP), lambda: True)
        os.kill(pid, signal.SIGCONT)

    def _ray_pid(self, part: str) -> int | None:
        found = [one for one in marked(self.system.run.prefix) if one.role == "ray" and part in one.command]
        return found[0].pid if found else None

    def _strike_pid(self, label: str, number: signal.Signals, find: Callable[[], int | None]) -> None:
        self.wait(f"{label} running", lambda: find() is not None)
        pid = find()
        assert pid is not None
        self._recover(f"{label} {number.name}", lambda: os.kill(pid, number), lambda: find() not in (None, pid))

    def _is_replaced(self, name: ActorName, pid: int) -> bool:
        return self.is_running(name) and self.pid(name) not in (0, pid)

    def _recover(self, label: str, fault: Callable[[], object], is_back: Callable[[], bool]) -> None:
        assert not self.system.has_ended, f"the market ended before {label}: nothing would be proven"
        before_ms = self._present_ms()
        begun, at = time.monotonic(), datetime.fromtimestamp(before_ms / 1000, UTC)
        fault()
        self.wait(f"{label}: a replacement", is_back)
        back_s = time.monotonic() - begun
        self._await_moving(label, before_ms)
        moving_s = time.monotonic() - begun
        self.moving_s.append(moving_s)
        label = label if label not in self.recoveries else f"{label} ({len(self.recoveries) + 1})"
        self.recoveries[label] = f"{back_s:.1f} / {moving_s:.1f}, market time {at:%m-%d %H:%M}"

    def _await_moving(self, what: str, before_ms: int) -> None:
        """Until market time moves again, by the exchange itself: a step may have been under way at the fault, a second
        hour needs every part of the system."""
        goal = before_ms + HOURS_THAT_PROVE * HOUR_MS
        self.wait(f"{what}: market time moving again", lambda: self.exchange_ms() >= goal or self.system.has_ended)

    def _present_ms(self) -> int:
        """Market time at the exchange, once it answers."""
        found = 0

        def is_known() -> bool:
            nonlocal found
            found = self.exchange_ms()
            return found > 0

        self.wait("an answer of the exchange", is_known)
        return found

    def exchange_ms(self) -> int:
        """Market time at the exchange now; 0 while it does not answer. The system's status is up to a second old."""
        exchange = self.system.exchange
        assert exchange is not None
        url = f"{exchange.url}/sim/status"
        try:
            return int(
                httpx.get(url, headers=self._sim_token(), timeout=1, trust_env=False)
                .raise_for_status()
                .json()["market_time"]
            )
        except httpx.HTTPError:
            return 0

    def let_pass(self, until_ms: int) -> None:
        """Move market time by hand, while lockstep cannot because streams are away."""
        exchange = self.system.exchange
        assert exchange is not None
        for _ in range(MOST_STEPS):
            status = httpx.get(f"{exchange.url}/sim/status", headers=self._sim_token(), timeout=30, trust_env=False)
            if status.raise_for_status().json()["market_time"] >= until_ms:
                return
            body = {"step": status.json()["step"], "until": until_ms, "handled": None}
            url = f"{exchange.url}/sim/advance"
            httpx.post(url, json=body, headers=self._sim_token(), timeout=30, trust_env=False).raise_for_status()
        raise AssertionError(f"{MOST_STEPS} steps did not lead to {until_ms}")

    def _sim_token(self) -> dict[str, str]:
        exchange = self.system.exchange
        assert exchange is not None
        return {"X-Sim-Token": json.loads(exchange.keys_file.read_text())["sim_token"]}

    def report(self) -> str:
        """Per fault the seconds until what was hit works again / until market time moves again."""
        rows = [f"  {label:<28} {times}" for label, times in self.recoveries.items()]
        return "\n".join(["", "seconds from fault to replacement running / to market time moving:", *rows])

    # --- the operator ---

    def control(self, action: str, scope: str, reason: str) -> None:
        """A command of the operator through the API, as he would send it."""
        answer = httpx.post(
            f"{self.system.api_url}/api/v1/control",
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
        with self.database() as connection:
            row = connection.execute("SELECT installation_id FROM installation").fetchone()
        assert row is not None
        return str(row[0])


@contextmanager
def running(
    config: EternalConfig, assembly: type[SystemAssembly] = SystemAssembly, launch: type[System] = System
) -> Iterator[Drill]:
    """Start, hand over, end; also after a failure no process of it is left."""
    system = launch(config, assembly)
    try:
        system.start()
        drill = Drill(system)
        drill.wait("the start of all components", lambda: bool(system.status.get("all_up")))
        yield drill
    finally:
        try:
            system.stop()
        finally:
            left = _wait_until_gone(system.run.prefix)
            for process in left:
                os.kill(process.pid, signal.SIGKILL)
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
        shutil.rmtree(own_ray_folder(folder / "data").parent)
        shutil.rmtree(folder)


def _wait_until_gone(prefix: str) -> list[Process]:
    """Those that are still there when patience is over."""
    until, pause = time.monotonic() + GOING_PATIENCE_S, threading.Event()
    while (left := marked(prefix)) and time.monotonic() < until:
        pause.wait(POLL_S)
    return left
