"""L1 away: L4 trips, L3 stays as it is, and on return everything reconciles and continues (L1-L5, RM-4, R2)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from infra.simulator.faults.catalogue import Maintenance
from statemachines.facts import SummaryFact
from statemachines.risk.parameters import Switch
from statemachines.values import DAY_MS, HOUR_MS
from tests.layers.defects import a_day_that_closes_in_an_outage_is_skipped
from tests.layers.world import BEGIN, CLOSE, LayeredWorld
from tests.simulation.crash_day.test_crash_day import the_reading_is_not_sent_on

MINUTE_MS = 60_000
AWAY = BEGIN + 65 * MINUTE_MS


def gone_and_back() -> LayeredWorld:
    """Ten minutes within an hour in which nothing else happens."""
    world = LayeredWorld(AWAY)
    world.until(AWAY - MINUTE_MS)
    l3, stops, orders = world.rows_of_l3(), world.stops(), world.new_risk(0)
    assert l3 and stops, "nothing is at stake"
    world.until(AWAY + 9 * MINUTE_MS)
    assert world.is_tripped(Switch.EXCHANGE_UNREACHABLE)
    assert world.in_force().get("GLOBAL") == "REDUCE_ONLY", "L4 does not trip"
    assert world.rows_of_l3() == l3, "L3 has changed"
    assert (world.stops(), world.new_risk(0)) == (stops, orders)
    world.until(AWAY + 13 * MINUTE_MS)
    assert not world.injection.desk.of(Maintenance)
    assert world.in_force()["GLOBAL"] == "REDUCE_ONLY", "R2: five good minutes"
    assert world.stops() == stops, "no stop is withdrawn"
    world.until(AWAY + 18 * MINUTE_MS)
    assert world.in_force()["GLOBAL"] == "NORMAL" and not world.is_tripped(Switch.EXCHANGE_UNREACHABLE)
    return world


def test_l1_gone_trips_l4_leaves_l3_as_it_is_and_everything_continues_on_return() -> None:
    world = gone_and_back()
    world.until(CLOSE + 2 * HOUR_MS)
    assert world.new_risk(AWAY + 18 * MINUTE_MS), "nothing is traded after the return"
    world.invariants.at_rest(world)


def gone_over_the_close() -> None:
    """Ten minutes around the daily close, and the day after it."""
    world = LayeredWorld(CLOSE - 5 * MINUTE_MS)
    world.until(CLOSE + 4 * MINUTE_MS)
    assert world.in_force().get("GLOBAL") == "REDUCE_ONLY", "L4 does not trip"
    world.until(CLOSE + 9 * MINUTE_MS)
    assert not world.new_risk(CLOSE - 5 * MINUTE_MS), "the switch holds for five good minutes"
    world.until(CLOSE + 26 * HOUR_MS)
    assert days(world)[-2:] == [CLOSE - DAY_MS, CLOSE], "the days did not run once each"
    assert world.new_risk(CLOSE + 23 * HOUR_MS), "nothing is traded after the return"
    world.invariants.at_rest(world)


def test_l1_gone_over_the_daily_close_the_day_runs_once_and_without_entries() -> None:
    """OR-3, P1: the day does not wait for bars that cannot be read; nothing is decided that needs them."""
    gone_over_the_close()


def days(world: LayeredWorld) -> list[int]:
    """The days that are summarised; one that is twice shows twice."""
    return sorted(f.day_ms for f in world.store.memory.facts("daily_summaries") if isinstance(f, SummaryFact))


def test_the_comparison_of_l3_sees_a_change() -> None:
    """At the close the engines and the orchestrator decide: their rows differ."""
    world = LayeredWorld()
    world.until(CLOSE - MINUTE_MS)
    before = world.rows_of_l3()
    world.until(CLOSE + HOUR_MS)
    changed = {name.partition(" ")[0] for name, row in world.rows_of_l3().items() if row != before.get(name)}
    assert changed >= {"orchestrator", "trend-1", "core-hodl"}


@pytest.mark.parametrize(
    ("drill", "defect", "said"),
    [
        (gone_and_back, the_reading_is_not_sent_on, "L4 does not trip"),
        (gone_over_the_close, the_reading_is_not_sent_on, "L4 does not trip"),
        (gone_over_the_close, a_day_that_closes_in_an_outage_is_skipped, "the days did not run once each"),
    ],
)
def test_a_planted_defect_is_found(
    drill: Callable[[], object], defect: Callable[[], AbstractContextManager[Any]], said: str
) -> None:
    LayeredWorld()  # what precedes is calm, so without the defect
    with defect(), pytest.raises(AssertionError, match=said):
        drill()
