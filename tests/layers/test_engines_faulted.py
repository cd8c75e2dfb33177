"""P1, OR-8: with one, two and three engines FAULTED the rest trades on; an engine that the operator resets trades
again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest

from statemachines.facts import AlertFact, OperatorCommandFact, SummaryFact
from statemachines.values import DAY_MS, HOUR_MS, ActorName
from tests.layers.defects import (
    a_faulted_engine_is_not_reduce_only,
    a_reset_is_not_recorded,
    a_reset_starts_nothing,
    the_cycle_waits_for_an_engine_that_is_faulted,
)
from tests.layers.world import LayeredWorld
from tests.simulation.faults.invariants import is_healthy
from tests.simulation.faults.world import opening
from tests.simulation.whole import instant

A = ActorName
ENTERING = "the trends are entered and the tranches begin"
CLOSE = instant("2025-01-02T00:00")
"""Both trends enter with this close, and CORE-HODL begins to build; FUNDING holds its pairs, TACTICAL waits."""

TRADING = {A.CORE_HODL, A.TREND_1, A.TREND_2}
ONE, TWO, THREE = (A.TREND_1,), (A.CORE_HODL, A.TREND_2), (A.TREND_1, A.FUNDING, A.TACTICAL)
SETS = pytest.mark.parametrize("faulted", [ONE, TWO, THREE], ids="+".join)


def with_faulted(faulted: Sequence[ActorName]) -> LayeredWorld:
    """These are FAULTED an hour before the close; the world two hours after it."""
    world = LayeredWorld(begun=ENTERING)
    world.until(CLOSE - HOUR_MS)
    world.fault(*faulted)
    since_ms = world.now_ms()
    world.until(CLOSE + 2 * HOUR_MS)
    restricted = {scope: state for scope, state in world.in_force().items() if state != "NORMAL"}
    assert restricted == dict.fromkeys(faulted, "REDUCE_ONLY"), "OR-8: their accounts are reduce-only, no other"
    assert world.fills_since(since_ms) == TRADING - set(faulted), "the rest does not trade on"
    days = [fact.day_ms for fact in world.store.memory.facts("daily_summaries") if isinstance(fact, SummaryFact)]
    assert days.count(CLOSE - DAY_MS) == 1, "the day did not run once"
    world.invariants.in_order(world)
    world.restart()  # whoever judged the rows took every epoch; a restart resets no FAULTED engine (OR-8)
    return world


def returned(world: LayeredWorld, faulted: Sequence[ActorName]) -> None:
    """The operator resets them and sets them to normal; they trade with the next close, and all is in order."""
    for name in faulted:
        world.reset(name)
    facts = [one for one in world.store.memory.facts("operator_commands") if isinstance(one, OperatorCommandFact)]
    assert {one.scope for one in facts if one.action == "reset"} == set(faulted), "the reset is not on record"
    assert {state for scope, state in world.in_force().items() if scope in faulted} == {"REDUCE_ONLY"}, (
        "OR-8: it stays reduce-only until the operator sets it to normal"
    )
    for name in faulted:
        world.command("normal", str(name))
    since_ms = world.now_ms()
    world.until(CLOSE + DAY_MS + 2 * HOUR_MS)
    assert world.fills_since(since_ms) >= TRADING & set(faulted), "what returned does not trade again"
    alerts = [fact for fact in world.store.memory.facts("alerts") if isinstance(fact, AlertFact)]
    assert not [one for one in alerts if one.condition.startswith("component:") and one.state != "ended"]
    assert is_healthy(world)
    world.invariants.at_rest(world)


@SETS
def test_the_rest_trades_on_and_what_is_reset_trades_again(faulted: tuple[ActorName, ...]) -> None:
    returned(with_faulted(faulted), faulted)


# --- planted defects ---


@SETS
@pytest.mark.parametrize(
    ("defect", "said"),
    [
        (the_cycle_waits_for_an_engine_that_is_faulted, "the rest does not trade on|the day did not run once"),
        (a_faulted_engine_is_not_reduce_only, "reduce-only"),
    ],
)
def test_a_planted_defect_is_found_while_they_are_faulted(
    defect: Callable[[], AbstractContextManager[Any]], said: str, faulted: tuple[ActorName, ...]
) -> None:
    opening(ENTERING)  # calm, so without the defect
    with defect(), pytest.raises(AssertionError, match=said):
        with_faulted(faulted)


@pytest.mark.parametrize(
    ("defect", "said"),
    [(a_reset_starts_nothing, "does not trade again"), (a_reset_is_not_recorded, "not on record")],
)
def test_a_planted_defect_is_found_when_they_return(
    defect: Callable[[], AbstractContextManager[Any]], said: str
) -> None:
    world = with_faulted(ONE)
    with defect(), pytest.raises(AssertionError, match=said):
        returned(world, ONE)
