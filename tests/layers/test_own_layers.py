"""A layer of our own away for six hours, the daily close among them: its neighbours hold, and on return everything
reconciles and continues (L1-L5, P1, P2, OR-8)."""

from __future__ import annotations

import pytest

from statemachines.values import HOUR_MS, ActorName
from tests.layers.defects import what_returns_is_deaf
from tests.layers.world import CLOSE, LayeredWorld
from tests.simulation.faults.invariants import ViolationError, is_healthy
from tests.simulation.operator.defects import halted_calms_down

A = ActorName
AWAY, BACK = CLOSE - 2 * HOUR_MS, CLOSE + 4 * HOUR_MS
LAYERS = pytest.mark.parametrize("name", [A.ORDER_MANAGER, A.MARKET_DATA, A.RISK_MANAGER, A.ORCHESTRATOR])
LOWER_LAYERS = pytest.mark.parametrize("name", [A.ORDER_MANAGER, A.MARKET_DATA, A.ORCHESTRATOR])


def away(name: ActorName) -> LayeredWorld:
    """The invariants hold at every instant; the world as it is an hour before the part returns."""
    world = LayeredWorld()
    world.until(AWAY)
    stops = world.stops()
    assert stops and world.new_risk(0), "nothing is at stake"
    world.take_away(name)
    world.until(BACK - HOUR_MS)
    if name is not A.ORCHESTRATOR:  # FUNDING acts at settlements by itself
        assert world.new_risk(AWAY) == []
    assert len(world.stops()) >= 2, "the positions' stops rest at the exchange"
    return world


def back(world: LayeredWorld, name: ActorName) -> None:
    """It returns; all is in order and is traded again."""
    world.give_back(name)
    world.until(CLOSE + 26 * HOUR_MS)
    assert world.new_risk(BACK), "nothing is traded after the return"
    assert is_healthy(world), "not healthy after the return"
    world.invariants.at_rest(world)


def halted(name: ActorName) -> None:
    """RM-5: the operator halts while it is away; the layer that returns finds it so."""
    world = away(name)
    world.command("halt", "GLOBAL")
    since_ms = world.now_ms()
    world.give_back(name)
    world.until(CLOSE + 26 * HOUR_MS)
    assert world.in_force()["GLOBAL"] == "HALTED", "HALTED did not stay"
    assert world.new_risk(since_ms) == [], "new risk after the halt"
    world.invariants.in_order(world)


@LAYERS
def test_while_a_layer_is_away_nothing_new_is_risked_and_on_return_everything_continues(name: ActorName) -> None:
    back(away(name), name)


@LOWER_LAYERS
def test_l4_takes_the_operators_halt_while_a_lower_layer_is_away(name: ActorName) -> None:
    halted(name)


# --- planted defects ---


@LAYERS
def test_a_layer_that_does_not_continue_is_found(name: ActorName) -> None:
    world = away(name)
    with what_returns_is_deaf(name), pytest.raises((AssertionError, ViolationError)):
        back(world, name)


def test_a_halt_that_ends_by_itself_is_found() -> None:
    LayeredWorld()  # what precedes is calm, so without the defect
    with halted_calms_down(), pytest.raises((AssertionError, ViolationError), match="HALTED"):
        halted(A.ORDER_MANAGER)
