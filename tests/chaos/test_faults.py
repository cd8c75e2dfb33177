"""Faults on the real system (DESIGN 8, level 6; P1, OR-8, OR-9, EX-5): nothing lost or doubled, same decisions."""

from __future__ import annotations

import os
import signal
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from statemachines.supervision.policy import SupervisionPolicy
from statemachines.values import DAY_MS, ActorName
from tests.chaos.judge import assert_as_calm
from tests.chaos.looping import VICTIM, LoopingAssembly, loop_file
from tests.chaos.rig import drill_folder, make_config, running
from tests.chaos.storm import storm
from tests.shared import shared_path
from tests.simulation.books import books_in_database
from tests.simulation.whole import instant, recorded, synthetic

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1000)]

DAYS = 20
PACE_S = Decimal("0.8")
"""Least seconds per market day: however fast the machine, the market lasts until the last fault."""

ACTORS = (
    ActorName.MARKET_DATA,
    ActorName.CORE_HODL,
    ActorName.TREND_1,
    ActorName.TREND_2,
    ActorName.FUNDING,
    ActorName.TACTICAL,
    ActorName.RISK_MANAGER,
    ActorName.ORDER_MANAGER,
)
STORMS = (
    ("2020-03-06T22:00", ActorName.TREND_2),
    ("2020-03-07T23:00", ActorName.ORDER_MANAGER),
    ("2020-03-08T23:00", ActorName.MARKET_DATA),
    ("2020-03-11T23:00", ActorName.FUNDING),
    ("2020-03-12T10:00", ActorName.ORDER_MANAGER),
    ("2020-03-12T23:00", ActorName.RISK_MANAGER),
)
"""Who is killed when: just before stops trigger, carries end and the levels of the crash fire."""


def test_every_process_is_hit_in_turn_and_the_run_ends_as_if_nothing_had_happened(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with drill_folder() as folder:
        config = make_config(folder, date(2025, 1, 1 + DAYS), pace_s=PACE_S)
        with running(config, LoopingAssembly) as drill:
            for actor in ACTORS:
                drill.strike(actor)
                drill.advance(3)
            drill.strike(ActorName.TREND_2, signal.SIGSTOP)  # a hang: alive, but it never answers again
            drill.advance(3)
            drill.loop(VICTIM, loop_file(config))
            drill.advance(3)
            drill.strike(ActorName.ORCHESTRATOR)
            drill.advance(3)
            drill.strike_the_exchange()
            drill.advance(3)
            drill.strike_the_database()
            drill.strike(ActorName.API)
            drill.to_the_end()
            with capsys.disabled():
                print(drill.report())  # noqa: T201
            assert_as_calm(synthetic(DAYS), drill)


@pytest.mark.drill
def test_faults_in_the_crash_of_march_2020(capsys: pytest.CaptureFixture[str]) -> None:
    """The recorded fortnight in which stops trigger, carries end and TACTICAL deploys; also both masters hang."""
    history = shared_path("history")
    with drill_folder() as folder, running(make_config(folder, date(2020, 3, 20), date(2020, 3, 5), history)) as drill:
        for when, actor in STORMS:
            drill.until(instant(when))
            drill.strike(actor)
        drill.strike_the_database()
        drill.strike(ActorName.ORDER_MANAGER, signal.SIGSTOP, follow=signal.SIGCONT)  # thawed beside its successor
        drill.strike_the_exchange()
        drill.strike(ActorName.ORCHESTRATOR, signal.SIGSTOP)
        drill.to_the_end()
        with capsys.disabled():
            print(drill.report())  # noqa: T201
        assert_as_calm(recorded(history, "2020-03-05", "2020-03-20"), drill)


def test_with_one_engine_faulted_the_others_trade_on() -> None:
    """P1, OR-8: past the restart limit the engine is FAULTED; the other four go on and every day is summarised."""
    policy = SupervisionPolicy(max_restarts=1, delays_ms=(100,))
    config_of: dict[str, Any] = {"end": date(2025, 1, 9), "supervision": policy, "seed": 12}
    with drill_folder() as folder, running(make_config(folder, **config_of)) as drill:
        drill.strike(ActorName.FUNDING)
        os.kill(drill.pid(ActorName.FUNDING), signal.SIGKILL)
        drill.wait("FAULTED", lambda: drill.component(ActorName.FUNDING).get("state") == "FAULTED")
        since_ms = drill.market_ms()
        drill.control("pause", "tactical", "the operator tries whether it works (RM-5)")
        drill.to_the_end()
        with drill.database() as connection:
            engines = connection.execute(
                "SELECT DISTINCT engine FROM executions WHERE executed_ms > %s", (since_ms,)
            ).fetchall()
            done = connection.execute(
                """SELECT DISTINCT split_part(reason, ':', 1) FROM journal
                   WHERE trigger = 'engine_done' AND market_ms > %s""",
                (since_ms,),
            ).fetchall()
            switch = connection.execute("SELECT state FROM switches WHERE scope = 'funding'").fetchone()
            paused = connection.execute("SELECT state, who FROM switches WHERE scope = 'tactical'").fetchone()
            alerts = connection.execute("SELECT text FROM alerts WHERE severity = 'critical'").fetchall()
        books = books_in_database(drill.system.database_url)
    first = instant("2025-01-01")
    assert books.days == list(range(first, first + 7 * DAY_MS, DAY_MS))
    assert {name for (name,) in engines} == {"core-hodl", "trend-1", "trend-2"}
    assert {name for (name,) in done} == {"core-hodl", "trend-1", "trend-2", "tactical"}
    assert switch == ("REDUCE_ONLY",)
    assert paused == ("PAUSED", "operator (drill)"), "who: the credential, then whom the request names"
    assert any("FAULTED" in text for (text,) in alerts)
    assert books.faults() == []


@pytest.mark.drill
def test_a_short_storm_of_kills_and_freezes(capsys: pytest.CaptureFixture[str]) -> None:
    """A few faults of `make chaos`, drawn from a seed, on whatever the actors stand on."""
    with capsys.disabled():
        seconds = storm(6, 11, print)
    assert len(seconds) == 6
