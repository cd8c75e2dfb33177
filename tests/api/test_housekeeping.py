"""What the launch does beside guarding: signs of life (OR-8) and the retention of decades (DA-5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from api.launch.housekeeping import BEAT_S, RETAIN_S, Housekeeping
from api.launch.newest_status import NewestStatus
from infra.database.retention import RetentionPolicy
from statemachines.values import DAY_MS
from tests.database import database_url, postgres_server  # noqa: F401
from tests.waiting import until

POLICY = RetentionPolicy()


def status(day: int, *components: tuple[str, str]) -> dict[str, Any]:
    rows = [{"name": name, "state": state, "health": {"pid": 7, "progress": 3}} for name, state in components]
    return {"lockstep": {"market_ms": day * DAY_MS}, "components": rows}


def beats(url: str) -> dict[str, tuple[str, int]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT component, state, market_ms FROM heartbeats").fetchall()
    return {name: (state, market_ms) for name, state, market_ms in rows}


def test_components_that_answer_leave_a_sign_of_life_and_others_do_not(
    database_url: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    wall = [0.0]
    keeper = Housekeeping(database_url, database_url, tmp_path, POLICY, print, lambda: wall[0])
    keeper.look(status(1, ("trend-1", "RUNNING"), ("funding", "SUSPECT"), ("tactical", "FAULTED")))
    assert beats(database_url) == {"trend-1": ("RUNNING", DAY_MS)}
    keeper.look(status(2, ("trend-1", "RUNNING")))
    assert beats(database_url)["trend-1"] == ("RUNNING", DAY_MS), "not more often than every few seconds"
    wall[0] += BEAT_S
    keeper.look(status(2, ("trend-1", "RECOVERING")))
    assert beats(database_url)["trend-1"] == ("RECOVERING", 2 * DAY_MS)
    keeper.stop(10.0)


def test_old_months_are_archived_once_a_day_and_not_at_every_simulated_day(
    database_url: str,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days: list[int] = []
    wall = [0.0]
    keeper = Housekeeping(database_url, database_url, tmp_path, POLICY, print, lambda: wall[0])
    monkeypatch.setattr(keeper, "_retain", lambda market_ms: days.append(market_ms // DAY_MS))
    keeper.look(status(100))
    until(lambda: days == [100])
    keeper.look(status(100))
    wall[0] += 1
    keeper.look(status(101))
    wall[0] += RETAIN_S
    keeper.look(status(101))
    until(lambda: days == [100, 101])
    keeper.look(status(101))
    keeper.stop(10.0)
    assert days == [100, 101]


def test_an_archive_that_cannot_be_written_is_told_and_nothing_stops(
    database_url: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    told: list[str] = []
    keeper = Housekeeping(database_url, database_url, blocked, POLICY, told.append)
    keeper.look(status(100))
    until(lambda: bool(told))
    assert str(blocked) in told[0]
    keeper.stop(10.0)


def test_a_database_that_is_away_costs_a_sign_of_life_only(tmp_path: Path) -> None:
    told: list[str] = []
    nowhere = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"
    keeper = Housekeeping(nowhere, nowhere, tmp_path, POLICY, told.append)
    keeper.look(status(100, ("trend-1", "RUNNING")))
    until(lambda: bool(told))
    keeper.stop(10.0)


def test_an_old_answer_of_the_orchestrator_is_no_sign_of_life() -> None:
    """OR-8: while nobody answers, nobody is said to live."""
    newest = NewestStatus()
    assert newest.news() is None and newest.status == {}
    newest.take(status(7))
    assert newest.news() == status(7)
    assert newest.news() is None
    assert newest.status["lockstep"] == status(7)["lockstep"], "the page still shows what was known last"
    newest.take(status(7))
    assert newest.news() == status(7), "the same answer again is one"
