"""The exchange's clock (RM-4): followed through an offset, measured again, never lost by a failure."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from infra.bybit.clock import LiveClock, of_this_process
from infra.bybit.session import Sessions


class Server:
    """Answers its time; `ms` None is an exchange that is away. Counts as session and as sessions."""

    def __init__(self, ms: int | None) -> None:
        self.ms = ms
        self.on_call: Callable[[], None] = lambda: None

    def session(self, _account: object) -> Server:
        return self

    def get_server_time(self) -> dict[str, Any]:
        self.on_call()
        if self.ms is None:
            raise ConnectionError("away")
        return {"time": self.ms}


def clock(server: Server, wall_s: list[float]) -> LiveClock:
    return LiveClock(cast(Sessions, server), monotonic=lambda: wall_s[0])


def test_time_goes_on_from_the_measured_offset() -> None:
    wall, server = [100.0], Server(5_000_000)
    ours = clock(server, wall)
    with pytest.raises(RuntimeError, match="synchronise"):
        ours.now_ms()
    ours.synchronise()
    wall[0] += 2.5
    assert ours.now_ms() == 5_002_500


def test_a_failed_measurement_keeps_the_offset_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    wall, server = [100.0], Server(5_000_000)
    ours = clock(server, wall)
    ours.synchronise()
    server.ms = None
    with caplog.at_level(logging.WARNING):
        assert not ours.resynchronise()
    assert "could not be read" in caplog.text
    assert ours.now_ms() == 5_000_000


def test_a_measurement_that_took_too_long_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    """Half the round trip is how wrong it may be."""
    wall, server = [100.0], Server(5_000_000)
    ours = clock(server, wall)
    ours.synchronise()
    server.ms, server.on_call = 5_060_000, lambda: wall.__setitem__(0, wall[0] + 3.0)
    with caplog.at_level(logging.WARNING):
        assert not ours.resynchronise()
    assert "3000 ms" in caplog.text
    assert ours.now_ms() == 5_003_000


def test_a_drift_of_more_than_a_second_is_told_and_followed(caplog: pytest.LogCaptureFixture) -> None:
    wall, server = [100.0], Server(5_000_000)
    ours = clock(server, wall)
    ours.synchronise()
    server.ms = 5_003_000
    with caplog.at_level(logging.WARNING):
        assert ours.resynchronise()
    assert "3000 ms" in caplog.text
    assert ours.now_ms() == 5_003_000
    server.ms = 5_003_500
    caplog.clear()
    assert ours.resynchronise()
    assert caplog.text == ""


# --- what RM-4 reads ---


def read(server: Server, monotonic: list[float], wall_s: list[float]) -> LiveClock:
    return LiveClock(cast(Sessions, server), monotonic=lambda: monotonic[0], wall=lambda: wall_s[0])


def test_silence_grows_by_itself_and_ends_with_the_next_answer() -> None:
    monotonic, server = [100.0], Server(5_000_000)
    ours = read(server, monotonic, [5_000.0])
    monotonic[0] += 7
    assert ours.silence_s == 7, "never answered: since it was made"
    ours.synchronise()
    assert ours.silence_s == 0
    server.ms = None
    monotonic[0] += 31
    assert not ours.resynchronise() and ours.silence_s == 31
    assert ours.certainly_off_ms is None, "an old measurement is none"
    server.ms = 5_038_000
    assert ours.resynchronise() and ours.silence_s == 0


def test_the_wall_clock_is_off_by_what_the_round_trip_does_not_explain() -> None:
    """Requests are signed by the wall clock; market time, which follows the exchange, hides that it is wrong."""
    monotonic, wall, server = [100.0], [5_000.0], Server(5_000_000)
    ours = read(server, monotonic, wall)
    ours.synchronise()
    assert ours.certainly_off_ms == 0
    wall[0] += 1.7
    ours.resynchronise()
    assert ours.certainly_off_ms == 1_700

    def slow() -> None:
        monotonic[0] += 1.0
        wall[0] += 1.0

    server.on_call = slow
    ours.resynchronise()
    assert ours.certainly_off_ms == 1_700 + 500 - 500, "off in the middle of the round trip, less half of it"


def test_an_actor_that_starts_while_the_exchange_is_away_uses_our_clock_until_it_answers() -> None:
    """Fault of the live profile: its start failed, and after five restarts it was FAULTED until the operator came."""
    monotonic, server = [100.0], Server(None)
    ours = read(server, monotonic, [5_000.0])
    ours.begin()
    assert ours.now_ms() == 5_000_000 and ours.silence_s == 0
    monotonic[0] += 1
    server.ms = 5_003_000
    assert ours.resynchronise() and ours.now_ms() == 5_003_000


def test_a_process_has_one_clock_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault of the live profile: each use made a clock of its own with a thread of its own, one more with every restart
    of a component; an actor had three."""
    monkeypatch.setattr("infra.bybit.clock._ours", [])
    before = threading.active_count()
    made = [of_this_process(lambda: cast(Sessions, Server(5_000_000))) for _ in range(5)]
    made[0].keep(1.0)
    assert all(one is made[0] for one in made)
    assert threading.active_count() == before + 1
