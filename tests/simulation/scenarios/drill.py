"""`make drill SCENARIO=NAME`: the whole system under a scenario (without a name: all), with many seeds."""

from __future__ import annotations

import argparse
import sys

from infra.simulator.faults.reading import FaultError
from infra.simulator.faults.scenario import Scenario, find, shipped
from tests.simulation.faults.invariants import Invariants, ViolationError, is_healthy
from tests.simulation.faults.scheduler import EndlessError
from tests.simulation.faults.world import OPENINGS, opening
from tests.simulation.scenarios.world import OPEN_BY_RULE, ScenarioWorld


def trial(scenario: Scenario, begun: str) -> str:
    """What one run violates; "" when everything holds."""
    world, invariants = ScenarioWorld(opening(begun), scenario), Invariants()
    world.expected_alerts = OPEN_BY_RULE.get(scenario.name, frozenset())
    world.watch, world.watch_write = invariants.at_each_instant, invariants.at_each_write
    try:
        world.run(is_healthy)
        invariants.at_rest(world)
    except (ViolationError, EndlessError) as error:
        return str(error)
    return ""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.scenarios.drill", description=__doc__)
    parser.add_argument("scenario", nargs="?", help="name of a shipped scenario, or a TOML file")
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    try:
        chosen = [find(arguments.scenario)] if arguments.scenario else list(shipped().values())
    except FaultError as error:
        parser.error(str(error))
    begins, failed = tuple(OPENINGS)[1:], 0
    for scenario in chosen:
        for seed in range(arguments.seeds):
            begun = begins[seed % len(begins)]
            violated = trial(scenario.model_copy(update={"seed": seed}), begun)
            if violated:
                failed += 1
                sys.stdout.write(f"{scenario.name}, seed {seed}, from the moment when {begun}: {violated}\n")
        sys.stdout.write(f"{scenario.name}: {arguments.seeds} seeds\n")
        sys.stdout.flush()
    sys.stdout.write(f"{failed} of {len(chosen) * arguments.seeds} runs violated something\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
