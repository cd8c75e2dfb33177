"""RM-4: everything of the system is killed at once; the dead-man switch alone is left, and does its work.

On the profile testnet, whose exchange is not ours to stop: five minutes are shortened to fifteen seconds by the
configuration, everything else is as it would be.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from api.cli.status import stop_running
from infra.processes.environment import MARK
from infra.processes.table import is_alive
from tests.infra.deadman.orders_at_exchange import ACCOUNT, open_links, place_all
from tests.life.system import Started, started
from tests.live.world import keys_of, settings_of, wall_clock_exchange

pytestmark = pytest.mark.live

SILENCE_S = 15
SWITCH = "dead-man-switch"
LATEST_S = 60.0


def wait(what: str, condition: Callable[[], Any], patience_s: float) -> Any:
    until, pause = time.monotonic() + patience_s, threading.Event()
    while not (found := condition()):
        assert time.monotonic() < until, f"{what} did not happen"
        pause.wait(0.1)
    return found


def strike_everything_else(system: Started, number: signal.Signals) -> int:
    """The signal to the launch and to every process of the run but the switch; how many there were."""
    victims = [system.process.pid, *(one.pid for one in system.processes() if one.role != SWITCH)]
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return len(victims)


def wait_for_the_end(system: Started) -> None:
    system.process.wait()
    wait("the end of everything", lambda: {one.role for one in system.processes()} <= {SWITCH}, 20)


def test_rm4_it_survives_the_death_of_everything_else_and_cancels_entries_and_no_stop(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="eternal-live-"))
    try:
        with wall_clock_exchange(folder) as (_exchange, url):
            keys = keys_of(folder / "exchange" / "keys.json")
            silence = ("--set", f"dead_man.silence_s={SILENCE_S}")
            with started(*settings_of(url), *silence, environment=keys) as system:
                _judge(system, url, keys, capsys)
    finally:
        rmtree(folder)


def _judge(system: Started, url: str, keys: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from pybit.unified_trading import HTTP

    # Replaced when it dies, as everything else is.
    (switch,) = system.processes(SWITCH)
    os.kill(switch.pid, signal.SIGKILL)
    replaced = system.wait(
        "its replacement", lambda: [one for one in system.processes(SWITCH) if one.pid != switch.pid], 30
    )
    system.wait("an alert", lambda: any("dead-man switch had died" in text for text in system.alerts()), 30)

    stem = f"BYBIT_{ACCOUNT.replace('-', '_')}"
    http = HTTP(api_key=keys[f"{stem}_API_KEY"], api_secret=keys[f"{stem}_API_SECRET"], timeout=20)
    http.endpoint, http.client.trust_env = url, False
    with system.database() as connection:
        row = connection.execute("SELECT installation_id FROM installation").fetchone()
    assert row is not None
    log = system.config.data_folder / "dead-man.log"
    wait("the switch watching", lambda: log.read_text().count("watches file and database") == 2, 20)
    # The running system cancels orders with its ids that it did not place: it stands still while they are placed.
    strike_everything_else(system, signal.SIGSTOP)
    since = time.monotonic()
    entries, others = place_all(http, row[0])
    killed = strike_everything_else(system, signal.SIGKILL)
    wait_for_the_end(system)
    assert killed > 15 and entries <= open_links(http), "nothing is cancelled by the deaths themselves"
    (switch,) = system.processes(SWITCH)
    assert switch == replaced[0] and is_alive(switch.pid)
    assert os.environ.get(MARK) is None

    wait("the entries' end", lambda: not entries & open_links(http), LATEST_S)
    after_s = time.monotonic() - since
    assert open_links(http) == others, "stops, exits, and what is not ours"
    # The last beat was written up to five seconds before the end.
    assert after_s > SILENCE_S - 5 - 1
    wait("the exchange's word that none is left", lambda: "(none_left)" in log.read_text(), 30)
    assert is_alive(switch.pid), "it goes on watching"
    with capsys.disabled():
        print(f"\n{killed} processes killed; entries cancelled after {after_s:.1f} s of {SILENCE_S} s allowed")  # noqa: T201
    assert "has ended" in stop_running(system.config.data_folder)
    assert system.processes() == [] and open_links(http) == others
