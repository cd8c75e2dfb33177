"""The exchange's clock (RM-4): followed through an offset, measured again, never lost by a failure."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

import pytest

from infra.bybit.clock import LiveClock
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
