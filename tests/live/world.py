"""Simulated exchange by the wall clock with its faults, and `eternal run --profile testnet` on it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

import psycopg

from tests.life.system import ROOT, Started, started
from tests.live.faults import ExchangeFaults

STREAMS = 7
"""Two public ones and one of each of the five sub-accounts."""


@dataclass(frozen=True)
class World:
    """The running system with the exchange it runs on."""

    system: Started
    faults: ExchangeFaults
    exchange: subprocess.Popen[str]

    def wait(self, what: str, condition: Any, patience_s: float) -> Any:
        """See `Started.wait`."""
        return self.system.wait(what, condition, patience_s)

    def global_state(self) -> str:
        """The risk state of GLOBAL as every commit that sends an order reads it; NORMAL before its first change."""
        rows = self.rows("SELECT state FROM switches WHERE scope = 'GLOBAL'")
        return str(rows[0][0]) if rows else "NORMAL"

    def readings(self, switch: str) -> list[tuple[bool, str]]:
        """What was reported of a reading of RM-4, oldest first: whether it was bad, and why."""
        rows = self.rows(
            f"SELECT data, reason FROM journal WHERE machine = '{switch}' AND trigger = 'reading' ORDER BY id"
        )
        return [(bool(data["is_bad"]), reason) for data, reason in rows]

    def is_tripped(self, switch: str) -> bool:
        """Whether the newest report of the switch says that its reading is bad."""
        found = self.readings(switch)
        return bool(found) and found[-1][0]

    def open_alerts(self) -> list[str]:
        """Alerts that have not ended, and events, as `title: text`; what is information only is left out."""
        return self.alerts("severity <> 'info' AND ended_ms IS NULL")

    def alerts(self, condition: str) -> list[str]:
        """Alerts of a condition in SQL, as `title: text`."""
        return [f"{title}: {text}" for title, text in self.rows(f"SELECT title, text FROM alerts WHERE {condition}")]

    def rows(self, query: str) -> list[Any]:
        """The answer of the database; nothing while it cannot be asked."""
        try:
            with self.system.database() as connection:
                return connection.execute(query).fetchall()
        except psycopg.OperationalError:
            return []

    def health(self) -> dict[str, Any]:
        """The newest health of every component, by name."""
        found = self.system.ask("/api/v1/actors").json()
        return {row["name"]: row for row in found}


@contextmanager
def wall_clock_exchange(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The simulated exchange by the wall clock on `folder`/exchange, and its address."""
    with open(folder / "exchange.log", "ab") as log:
        exchange = subprocess.Popen(
            [
                sys.executable, "-m", "infra.simulator", "--state", str(folder / "exchange"),
                "--seed", "2", "--clock", "wall", "--end-with-parent",
            ],
            stdout=subprocess.PIPE, stderr=log, cwd=ROOT, text=True,
        )  # fmt: skip
    assert exchange.stdout is not None
    try:
        yield exchange, json.loads(exchange.stdout.readline())["url"]
    finally:
        exchange.send_signal(signal.SIGCONT)
        exchange.terminate()
        exchange.wait(10)
        exchange.stdout.close()


@contextmanager
def running_world(*arguments: str) -> Iterator[World]:
    """Up and well; afterwards nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="eternal-live-"))
    try:
        with wall_clock_exchange(folder) as (exchange, url):
            faults = ExchangeFaults(url, folder / "exchange")
            keys = keys_of(folder / "exchange" / "keys.json")
            try:
                with started(*settings_of(url), *arguments, environment=keys) as system:
                    yield World(system, faults, exchange)
            finally:
                faults.close()
    finally:
        rmtree(folder)


def settings_of(url: str) -> list[str]:
    """The profile testnet on this exchange, as arguments of `eternal run`."""
    stream = url.replace("http://", "ws://")
    given = {"rest": url, "public_stream": stream, "private_stream": stream, "fear_greed": url, "dvol": url}
    return [
        "--profile",
        "testnet",
        *(part for name, one in given.items() for part in ("--set", f"addresses.{name}={one}")),
    ]


def keys_of(path: Path) -> Mapping[str, str]:
    """The exchange's keys as an operator would set them in the environment."""
    found: dict[str, str] = {}
    made = json.loads(path.read_text())
    named = [("BYBIT", one) for one in made["accounts"]] + [("BYBIT_DEAD_MAN", one) for one in made["dead_man"]]
    for prefix, one in named:
        stem = f"{prefix}_{one['name'].replace('-', '_')}"
        found |= {
            f"{stem}_API_KEY": one["api_key"], f"{stem}_API_SECRET": one["api_secret"], f"{stem}_UID": str(one["uid"])
        }  # fmt: skip
    return found
