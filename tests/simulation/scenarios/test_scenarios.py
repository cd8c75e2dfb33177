"""Our own system under every shipped scenario of the simulated exchange: nothing lost, nothing doubled, no leg naked,
limits hold, stops are there, and at the end all is NORMAL again (P1, OR-6, OR-9, EX-1, EX-2, TR-5, FU-4, RM-4)."""

from __future__ import annotations

import pytest

from infra.simulator.faults.scenario import shipped
from tests.simulation.faults.invariants import Invariants, is_healthy
from tests.simulation.faults.world import opening
from tests.simulation.scenarios.world import OPEN_BY_RULE, ScenarioWorld

BUSY = "the trends are entered and the tranches begin"


@pytest.mark.parametrize("name", shipped())
def test_the_system_survives(name: str) -> None:
    world, invariants = ScenarioWorld(opening(BUSY), shipped()[name]), Invariants()
    world.expected_alerts = OPEN_BY_RULE.get(name, frozenset())
    world.watch, world.watch_write = invariants.at_each_instant, invariants.at_each_write
    world.run(is_healthy)
    invariants.at_rest(world)
    assert world.idle() == set(), "a fault that strikes nothing proves nothing"


def test_a_scenario_is_the_same_run_each_time() -> None:
    def journal() -> list[object]:
        world = ScenarioWorld(opening(BUSY), shipped()["bad-day"])
        world.run(is_healthy)
        return [world.struck, world.exchange.dump()]

    assert journal() == journal()
