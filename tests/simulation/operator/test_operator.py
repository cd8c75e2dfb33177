"""RM-5, R3: any sequence of the operator's commands, crashes, outages and faults of the exchange keeps HALTED until the
operator ends it, lets no refused order reach the exchange, and calls an engine flat only when it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest

from statemachines.facts import AlertFact
from statemachines.requests import AmendOrder, OrderWrite, PlaceOrder
from statemachines.trend.position_orders import PositionOrders
from statemachines.values import ActorName
from tests.simulation.faults.choices import Chooser, Dice, Script
from tests.simulation.faults.invariants import ViolationError
from tests.simulation.faults.world import OPENINGS, opening
from tests.simulation.operator.defects import (
    a_new_quote_is_not_gated,
    flat_is_assumed,
    halted_calms_down,
    switches_are_not_tested,
    the_fence_reads_the_epoch_only,
)
from tests.simulation.operator.world import Given, OperatedWorld, drawn

BUDGET_S = 6.0
MIN_SEEDS = 5
TRENDS_ENTERED = "stops are hit"
PAIRS_OPENED = "the trends are entered and the tranches begin"
BEGINNINGS = tuple(OPENINGS)[1:6]
MANY = 400
"""More seeds than it takes to find what is planted."""


def run(name: str, commands: Sequence[Given], chooser: Chooser) -> OperatedWorld:
    world = OperatedWorld(opening(name), chooser, commands)
    world.run(lambda _world: True)
    return world


def seeded(seed: int) -> OperatedWorld:
    return run(BEGINNINGS[seed % len(BEGINNINGS)], drawn(seed), Dice(seed))


@pytest.mark.parametrize("name", [TRENDS_ENTERED, PAIRS_OPENED])
def test_r3_all_derivatives_are_flattened_and_proven_flat(name: str) -> None:
    """Positions, their stops and the hedged pairs are there before; CORE-HODL and TACTICAL keep what they have."""
    before = OperatedWorld(opening(name), Script(()), ())
    assert any([*before.left(engine)] for engine in (ActorName.TREND_1, ActorName.TREND_2, ActorName.FUNDING))
    core = before.exchange.venue.accounts["CORE-HODL"].balance("BTC")
    world = run(name, [Given(1, "flatten", "GLOBAL")], Script(()))
    assert set(world.stages().values()) == {"FLAT"}
    assert [one for engine in world.stages() for one in world.left(engine)] == []
    assert {s: state for s, state in world.in_force().items() if state == "HALTED"} == dict.fromkeys(
        world.stages(), "HALTED"
    )
    assert world.exchange.venue.accounts["CORE-HODL"].balance("BTC") >= core


@pytest.mark.timeout(240)
def test_rm5_whatever_fails_the_promises_hold() -> None:
    """As many seeds as there is time for; a seed that fails is the same run again."""
    begun, seed, taken, held = time.monotonic(), 0, 0, 0
    while time.monotonic() - begun < BUDGET_S or seed < MIN_SEEDS:
        commands = drawn(seed)
        try:
            world = seeded(seed)
        except ViolationError as violation:
            pytest.fail(f"seed {seed}, {commands}: {violation}")
        given = commands[: world.operator.taken]
        missing = [engine for engine in world.flattened_last(given) if world.stages()[engine] != "FLAT"]
        assert not missing, f"seed {seed}, {given}: {missing} not flat in the end: {world.stages()}"
        taken, held, seed = taken + world.operator.taken, held + world.operator.held, seed + 1
    assert taken > seed


@pytest.mark.parametrize("kind", [PlaceOrder, AmendOrder])
def test_rm5_what_is_durable_and_waits_to_be_sent_does_not_leave_after_the_halt(kind: type[OrderWrite]) -> None:
    """The commit of the request came first, the halt second, the turn at the exchange third."""
    ambushed = 0
    for name in BEGINNINGS:
        world = OperatedWorld(opening(name), Script(()), (), ambush=kind)
        world.run(lambda _world: True)
        ambushed += world.operator.is_ambushed
        assert not world.operator.is_ambushed or world.in_force()["GLOBAL"] == "HALTED"
    assert ambushed, "no such request ever waited"


def deaf_engines() -> Iterator[OperatedWorld]:
    """Engines that do not react to the order to close: hung, or faulty."""
    with (
        patch.object(PositionOrders, "flatten", lambda *_: []),
        patch("statemachines.funding.engine.flatten", lambda *_: None),
    ):
        yield run(TRENDS_ENTERED, [Given(1, "flatten", "GLOBAL")], Script(()))


def test_r3_an_engine_that_does_not_react_is_never_called_flat_while_it_holds_something() -> None:
    """It is FAILED, with an alert that stays open; it stands HALTED all the same."""
    (world,) = deaf_engines()
    alerts = [fact for fact in world.store.memory.facts("alerts") if isinstance(fact, AlertFact)]
    holding = [engine for engine, stage in world.stages().items() if [*world.left(engine)]]
    assert holding
    for engine in holding:
        assert world.stages()[engine] == "FAILED" and world.in_force()[engine] == "HALTED"
        assert [one.state for one in alerts if one.condition == f"flatten:{engine}"] in (["open"], ["changed"])


# --- planted defects ---


def ambush(kind: type[OrderWrite]) -> Callable[[], Iterator[object]]:
    """Each beginning with a halt at the worst moment."""

    def runs() -> Iterator[object]:
        for name in BEGINNINGS:
            world = OperatedWorld(opening(name), Script(()), (), ambush=kind)
            world.run(lambda _world: True)
            yield world

    return runs


def seeds() -> Iterator[object]:
    """Seed after seed."""
    for seed in range(MANY):
        yield seeded(seed)


REFUSED = "a refused order reached the exchange"


@pytest.mark.parametrize(
    ("defect", "runs", "name"),
    [
        (switches_are_not_tested, ambush(PlaceOrder), REFUSED),
        (the_fence_reads_the_epoch_only, ambush(PlaceOrder), REFUSED),
        (a_new_quote_is_not_gated, ambush(AmendOrder), REFUSED),
        (halted_calms_down, seeds, "HALTED is left by the operator only"),
        (flat_is_assumed, deaf_engines, "flat is proven"),
    ],
)
def test_a_planted_defect_is_found(
    defect: Callable[[], AbstractContextManager[Any]], runs: Callable[[], Iterator[object]], name: str
) -> None:
    for beginning in BEGINNINGS:
        opening(beginning)  # calm, so without the defect
    with defect(), pytest.raises(ViolationError) as found:
        for _ in runs():
            pass
    assert found.value.name == name, found.value
