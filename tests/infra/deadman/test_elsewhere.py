"""RM-4: `eternal deadman` as an operator runs it on another machine: it has the database and the exchange, no file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from infra.deadman.beats import BeatWriter
from statemachines.deadman.beats import Beat, BeatState
from tests.conformance.process import SimulatorProcess, wait_for
from tests.infra.deadman.orders_at_exchange import ACCOUNT, open_links, place_all

ROOT = Path(__file__).parents[3]
SILENCE_S = 15


def alerts(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT actor, state FROM alerts").fetchall()


@pytest.mark.slow
def test_rm4_it_cancels_by_what_the_database_says_alone(tmp_path: Path, database_url: str) -> None:
    """The beats end; the system is started again, and ended in order, which is no silence."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO installation (installation_id) VALUES ('abc123') ON CONFLICT DO NOTHING")
        row = connection.execute("SELECT installation_id FROM installation").fetchone()
    assert row is not None
    exchange = SimulatorProcess(tmp_path / "state")
    log = tmp_path / "log"
    keys: dict[str, str] = {}
    for one in exchange.keys["dead_man"]:
        stem = f"BYBIT_DEAD_MAN_{one['name'].replace('-', '_')}"
        keys |= {f"{stem}_API_KEY": one["api_key"], f"{stem}_API_SECRET": one["api_secret"]}
    writer = BeatWriter(tmp_path, database_url)
    writer.beat(Beat("1:1", BeatState.RUNNING), 5)
    command = [
        sys.executable, "-c", "from api.cli.main import main; main()", "deadman", "--profile", "testnet",
        "--data", str(tmp_path / "elsewhere"), "--set", f"addresses.rest={exchange.url}",
        "--set", f"dead_man.silence_s={SILENCE_S}",
    ]  # fmt: skip
    with open(log, "wb") as file:
        child = subprocess.Popen(
            command, cwd=ROOT, stdout=file, stderr=file, env={**os.environ, **keys, "DATABASE_URL": database_url}
        )
    try:
        wait_for(lambda: "watches database" in log.read_text(), "it watching")
        since = time.monotonic()
        http = exchange.http(ACCOUNT)
        entries, others = place_all(http, row[0])
        wait_for(lambda: not entries & open_links(http), "the entries' end", 60)
        assert time.monotonic() - since > SILENCE_S - 2 and open_links(http) == others
        wait_for(lambda: "(none_left)" in log.read_text(), "the exchange's word")
        wait_for(lambda: alerts(database_url) == [("dead-man-switch", "changed")], "the alert")
        writer.beat(Beat("2:1", BeatState.RUNNING), 5)
        wait_for(lambda: "(beat)" in log.read_text(), "its readiness")
        writer.beat(Beat("launch:2:stopped", BeatState.STOPPED), 5)
        wait_for(lambda: "WATCHING -> STOPPED (stop)" in log.read_text(), "the planned end")
        assert child.poll() is None, "it waits for the next start"
        assert not any(value in log.read_text() for value in keys.values())
    finally:
        child.terminate()
        assert child.wait(10) == 0, log.read_text()
        writer.close()
        exchange.stop()
