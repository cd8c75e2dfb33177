"""P1, OR-8: with one, two and three engines FAULTED the rest trades on."""

from __future__ import annotations

import pytest

from statemachines.facts import SummaryFact
from statemachines.values import DAY_MS, HOUR_MS, ActorName
from tests.layers.world import LayeredWorld
from tests.simulation.whole import instant

A = ActorName
ENTERING = "the trends are entered and the tranches begin"
CLOSE = instant("2025-01-02T00:00")
"""Both trends enter with this close, and CORE-HODL begins to build; FUNDING holds its pairs, TACTICAL waits."""

TRADING = {A.CORE_HODL, A.TREND_1, A.TREND_2}


@pytest.mark.parametrize(
    "faulted",
    [(A.TREND_1,), (A.CORE_HODL, A.TREND_2), (A.TREND_1, A.FUNDING, A.TACTICAL)],
    ids="+".join,
)
def test_the_rest_trades_on(faulted: tuple[ActorName, ...]) -> None:
    world = LayeredWorld(begun=ENTERING)
    world.until(CLOSE - HOUR_MS)
    world.take_away(*faulted)
    for name in faulted:
        world.report(name, "FAULTED")
    since_ms = world.now_ms()
    world.until(CLOSE + 2 * HOUR_MS)
    states = world.in_force()
    assert {name for name in TRADING | {A.FUNDING, A.TACTICAL} if states.get(name, "NORMAL") != "NORMAL"} == set(
        faulted
    )
    assert {states[name] for name in faulted} == {"REDUCE_ONLY"} and states.get("GLOBAL", "NORMAL") == "NORMAL"
    fills = world.fills_since(since_ms)
    assert fills == TRADING - set(faulted), "the rest does not trade on"
    days = [fact.day_ms for fact in world.store.memory.facts("daily_summaries") if isinstance(fact, SummaryFact)]
    assert days.count(CLOSE - DAY_MS) == 1
    world.invariants.in_order(world)
