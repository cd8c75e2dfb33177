"""``make chaos``: random kills and freezes of any process of a running system, from a seed; then the books are judged.

Prints each recovery, the median and the worst; ends with an error when anything did not come back by itself or when
decisions, books or ledger differ from a calm run's.
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from statemachines.values import ActorName
from tests.chaos.judge import assert_as_calm
from tests.chaos.rig import START, Drill, drill_folder, make_config, running
from tests.simulation.whole import synthetic

PACE_S = Decimal("0.8")
"""Least seconds per market day: however fast the machine, the market lasts until the last fault."""

MAX_HOURS_BETWEEN = 12
DAYS_PER_FAULT = 2
"""The market also goes on while something is replaced that it does not wait for."""

KILL, FREEZE = signal.SIGKILL, signal.SIGSTOP


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can be done to the system."""

    name: str
    strike: Callable[[Drill], None]


def _actor(name: ActorName, number: signal.Signals) -> Fault:
    return Fault(f"{name} {number.name}", lambda drill: drill.strike(name, number))


def _ray(part: str, number: signal.Signals) -> Fault:
    return Fault(f"{part} {number.name}", lambda drill: drill.strike_ray(part, number))


RAY_PARTS = ("gcs_server", "raylet/raylet", "api.launch.ray_driver")
FAULTS: tuple[Fault, ...] = (
    *(_actor(name, number) for name in ActorName for number in (KILL, FREEZE)),
    *(
        _ray(part, number)
        for part in ("gcs_server", "raylet/raylet", "api.launch.ray_driver")
        for number in (KILL, FREEZE)
    ),
    _ray("DashboardAgent", KILL),
    Fault("DashboardAgent SIGSTOP", lambda drill: drill.freeze_without_replacement("DashboardAgent")),
    Fault("database SIGKILL", lambda drill: drill.strike_the_database(KILL)),
    Fault("database SIGSTOP", lambda drill: drill.strike_the_database(FREEZE)),
    Fault("exchange SIGKILL", lambda drill: drill.strike_the_exchange(KILL)),
    Fault("exchange SIGSTOP", lambda drill: drill.strike_the_exchange(FREEZE)),
)


def draw(count: int, seed: int) -> list[Fault]:
    """Faults in random order; every one comes before any comes again."""
    dice, found = random.Random(seed), list[Fault]()
    while len(found) < count:
        round_of_all = list(FAULTS)
        dice.shuffle(round_of_all)
        found += round_of_all
    return found[:count]


def storm(count: int, seed: int, tell: Callable[[str], None]) -> list[float]:
    """Carry out the faults and judge what is left; the seconds from each fault to market time moving again."""
    dice = random.Random(seed + 1)
    days = count * DAYS_PER_FAULT + 10
    end: date = START + timedelta(days=days)
    with drill_folder() as folder, running(make_config(folder, end, pace_s=PACE_S)) as drill:
        for number, fault in enumerate(draw(count, seed), 1):
            fault.strike(drill)
            tell(f"{number:>3} {fault.name:<34} {drill.moving_s[-1]:6.1f} s")
            drill.advance(dice.randint(1, MAX_HOURS_BETWEEN))
        drill.to_the_end()
        assert_as_calm(synthetic(days), drill)
        return drill.moving_s


def main() -> None:
    """Run the storm and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storm", description=__doc__)
    parser.add_argument("--faults", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def tell(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    seconds = storm(options.faults, options.seed, tell)
    tell(
        f"{len(seconds)} faults (seed {options.seed}): market time moved again after "
        f"{statistics.median(seconds):.1f} s (median), {max(seconds):.1f} s (worst). "
        "Decisions, books and ledger equal a calm run's and the exchange's."
    )


if __name__ == "__main__":
    main()
