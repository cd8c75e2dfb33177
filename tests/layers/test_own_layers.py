"""A layer of our own away for six hours, the daily close among them: its neighbours hold, and on return everything
reconciles and continues (L1-L5, P1, OR-8)."""

from __future__ import annotations

import pytest

from statemachines.values import HOUR_MS, ActorName
from tests.layers.world import CLOSE, LayeredWorld
from tests.simulation.faults.invariants import is_healthy

A = ActorName
AWAY, BACK = CLOSE - 2 * HOUR_MS, CLOSE + 4 * HOUR_MS


def away_and_back(name: ActorName) -> LayeredWorld:
    """The invariants hold at every instant; the world as it is an hour before the part returns."""
    world = LayeredWorld()
    world.until(AWAY)
    stops = world.stops()
    assert stops and world.new_risk(0), "nothing is at stake"
    world.take_away(name)
    world.until(BACK - HOUR_MS)
    return world


@pytest.mark.parametrize("name", [A.ORDER_MANAGER, A.MARKET_DATA, A.RISK_MANAGER, A.ORCHESTRATOR])
def test_while_a_layer_is_away_nothing_new_is_risked_and_on_return_everything_continues(name: ActorName) -> None:
    world = away_and_back(name)
    if name is not A.ORCHESTRATOR:  # FUNDING acts at settlements by itself
        assert world.new_risk(AWAY) == []
    assert len(world.stops()) >= 2, "the positions' stops rest at the exchange"
    world.give_back(name)
    world.until(CLOSE + 26 * HOUR_MS)
    assert world.new_risk(BACK), "nothing is traded after the return"
    assert is_healthy(world)
    world.invariants.at_rest(world)


@pytest.mark.parametrize("name", [A.ORDER_MANAGER, A.MARKET_DATA, A.ORCHESTRATOR])
def test_l4_takes_the_operators_halt_while_a_lower_layer_is_away(name: ActorName) -> None:
    """RM-5: in force with its commit; the layer that returns finds it so."""
    world = away_and_back(name)
    world.command("halt", "GLOBAL")
    since_ms = world.now_ms()
    world.give_back(name)
    world.until(CLOSE + 26 * HOUR_MS)
    assert world.in_force()["GLOBAL"] == "HALTED"
    assert world.new_risk(since_ms) == []
    world.invariants.in_order(world)
