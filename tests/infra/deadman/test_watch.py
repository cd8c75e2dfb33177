"""RM-4: one look of the dead-man switch after another: alert, memory, and what fails on the way."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from infra.database.connection import Line
from infra.deadman.beats import BeatReader, BeatWriter, file_source, row_source
from infra.deadman.memory import MEMORY_FILE, Memory, WatchedError, held, mark_look
from infra.deadman.watch import Watch
from statemachines.deadman.beats import Beat, BeatState
from statemachines.deadman.machine import DeadManState
from statemachines.deadman.switch import Cleared

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
SILENCE_S = 60.0


class Accounts:
    """Accounts with these entry orders; `is_away`: the exchange does not answer."""

    def __init__(self, *orders: str) -> None:
        self.installation: str | None = None
        self.orders = list(orders)
        self.is_away = False
        self.looks = 0
        self.during: Callable[[], object] = lambda: None

    def clear(self, is_wanted: Callable[[], bool]) -> Cleared:
        self.looks += 1
        self.during()
        if self.installation is None or self.is_away or not is_wanted():
            return Cleared((), (), 0, ("the accounts cannot be looked at",))
        found, self.orders = self.orders, []
        return Cleared(found, found, 1, ())


class Bench:
    """A watch on a folder and a database, with a clock that the test moves."""

    def __init__(self, folder: Path, url: str, *orders: str, boot_id: str = "boot-1") -> None:
        self.now_s = 10_000.0
        self.url, self.folder = url, folder
        self.accounts = Accounts(*orders)
        self.writer = BeatWriter(folder, url)
        self.watch = self.made(boot_id)

    def made(self, boot_id: str = "boot-1") -> Watch:
        line = Line(self.url, "beats")
        reader = BeatReader({"file": file_source(self.folder), "database": row_source(line)})
        memory = Memory(self.folder, boot_id)
        return Watch(reader, self.accounts, line, memory, SILENCE_S, lambda: self.now_s, lambda: None)

    def beat(self, number: int) -> None:
        self.writer.beat(Beat(f"1:{number}", BeatState.RUNNING), 86_400_000)

    def go(self, seconds: float, step_s: float = 5.0) -> DeadManState:
        until = self.now_s + seconds
        while self.now_s < until:
            self.now_s = min(self.now_s + step_s, until)
            self.watch.step()
        return self.watch.switch.state

    def alerts(self) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(
                "SELECT actor, severity, state, market_ms, text, ended_ms FROM alerts ORDER BY alert_id"
            ).fetchall()


@pytest.fixture
def bench(tmp_path: Path, database_url: str) -> Bench:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO installation (installation_id) VALUES ('abc123') ON CONFLICT DO NOTHING")
    found = Bench(tmp_path, database_url, "a", "b")
    found.beat(1)
    found.watch.step()
    return found


def test_rm4_silence_cancels_alerts_and_ends_with_the_next_beat(bench: Bench) -> None:
    assert bench.go(SILENCE_S - 0.1) is DeadManState.WATCHING
    assert bench.accounts.looks == 0 and bench.alerts() == []
    bench.go(0.1)
    assert bench.accounts.orders == [] and bench.accounts.installation == "abc123"
    ((actor, severity, state, market_ms, text, ended_ms),) = bench.alerts()
    assert (actor, severity, state, market_ms, ended_ms) == ("dead-man-switch", "critical", "open", 86_400_000, None)
    assert "no beat of the orchestrator for 60 s in file or database" in text
    assert bench.go(10) is DeadManState.CANCELLED
    ((_, _, state, _, text, _),) = bench.alerts()
    assert state == "changed" and "2 entry orders were cancelled" in text
    bench.beat(2)
    assert bench.go(5) is DeadManState.WATCHING
    ((_, _, state, _, text, ended_ms),) = bench.alerts()
    assert state == "ended" and ended_ms == 86_400_000 and "has beaten again" in text
    assert bench.go(SILENCE_S) is not DeadManState.WATCHING
    assert [row[2] for row in bench.alerts()] == ["ended", "open"], "the next silence is another alert"


def test_the_accounts_are_cleared_though_the_database_is_away_and_the_alert_follows(
    tmp_path: Path, database_url: str, bench: Bench
) -> None:
    """Whose orders are ours was learnt while it was there."""
    bench.url = NOWHERE
    bench.watch = bench.made()
    assert bench.go(SILENCE_S + 5) is DeadManState.CANCELLING
    assert bench.accounts.orders == []
    bench.url = database_url
    bench.watch = bench.made()
    bench.go(5)
    ((_, _, state, _, text, _),) = bench.alerts()
    assert state in ("open", "changed") and "entry orders" in text


def test_without_a_database_from_the_start_nothing_is_cancelled_and_the_file_keeps_it_calm(tmp_path: Path) -> None:
    bench = Bench(tmp_path, NOWHERE, "a")
    for number in range(5):
        bench.beat(number)
        assert bench.go(SILENCE_S / 2, SILENCE_S / 2) is DeadManState.WATCHING
    bench.go(SILENCE_S, SILENCE_S / 3)
    assert bench.watch.switch.state is DeadManState.CANCELLING
    assert bench.accounts.orders == ["a"], "not known to be ours"


def test_beats_that_return_while_the_accounts_are_looked_at_end_it(bench: Bench) -> None:
    bench.accounts.during = lambda: bench.beat(2)
    assert bench.go(SILENCE_S) is DeadManState.WATCHING
    assert bench.accounts.orders == ["a", "b"] and bench.accounts.looks == 1


def test_an_exchange_that_is_away_is_asked_until_it_answers(bench: Bench) -> None:
    bench.accounts.is_away = True
    assert bench.go(SILENCE_S + 600) is DeadManState.CANCELLING
    assert 12 <= bench.accounts.looks <= 20, "with growing pauses, up to a minute"
    assert "cannot cancel everything yet" in bench.alerts()[0][4]
    bench.accounts.is_away = False
    assert bench.go(75) is DeadManState.CANCELLED
    assert bench.accounts.orders == []


def test_a_replaced_process_resumes_the_silence_and_the_alert(bench: Bench) -> None:
    bench.go(SILENCE_S - 20)
    bench.watch = bench.made()
    assert bench.go(19) is DeadManState.WATCHING
    assert bench.go(1) is DeadManState.CANCELLING
    bench.watch = bench.made()
    assert bench.go(10) is DeadManState.CANCELLED
    assert len(bench.alerts()) == 1


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b'{"boot_id": "boot-1"}', b'{"boot_id": "boot-1", "kept": {"switch": 7}}']
)
def test_a_damaged_memory_starts_the_count_anew_and_is_written_again(bench: Bench, content: bytes) -> None:
    bench.go(SILENCE_S - 20)
    (bench.folder / MEMORY_FILE).write_bytes(content)
    bench.watch = bench.made()
    assert bench.go(SILENCE_S - 1) is DeadManState.WATCHING
    assert json.loads((bench.folder / MEMORY_FILE).read_text())["boot_id"] == "boot-1"


def test_what_another_start_of_the_machine_has_left_says_nothing(bench: Bench) -> None:
    """Its clock began anew."""
    bench.go(SILENCE_S - 20)
    bench.watch = bench.made("boot-2")
    assert bench.go(SILENCE_S - 1) is DeadManState.WATCHING


def test_a_look_that_fails_is_followed_by_the_next_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, looks = threading.Event(), []

    def step() -> None:
        looks.append(1)
        if len(looks) == 3:
            ended.set()
        raise RuntimeError("planted")

    monkeypatch.setattr(bench.watch, "step", step)
    bench.watch.pause_s = 0.0
    bench.watch.run(ended, lambda: len(looks) < 10)
    assert len(looks) == 3


def test_it_ends_when_there_is_nothing_left_to_watch(bench: Bench) -> None:
    bench.watch.run(threading.Event(), lambda: False)


@pytest.mark.parametrize(("silence_s", "pause_s"), [(15, 0.75), (5, 0.5), (100, 5.0), (300, 5.0), (3_600, 5.0)])
def test_it_looks_often_enough_within_a_silence(tmp_path: Path, silence_s: float, pause_s: float) -> None:
    line = Line(NOWHERE, "beats")
    made = Watch(
        BeatReader({}), Accounts(), line, Memory(tmp_path, "b"), silence_s, lambda: 1.0, lambda: None
    )  # fmt: skip
    assert made.pause_s == pause_s


def test_one_process_at_a_time_watches_on_a_folder(tmp_path: Path) -> None:
    with held(tmp_path):
        mark_look(tmp_path)
        with pytest.raises(WatchedError, match="already watches"), held(tmp_path):
            raise AssertionError("two at once")
    with held(tmp_path):
        assert os.listdir(tmp_path) == ["dead-man.lock"]
