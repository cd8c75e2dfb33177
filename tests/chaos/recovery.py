"""``make recovery``: each part of a running system is killed again and again, and every stream is broken in storms; how
long until market time moves again.

Prints median and worst per part; ends with an error when one took longer than the limit, or when decisions, books or
ledger differ from a calm run's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from statemachines.supervision.policy import SupervisionPolicy
from statemachines.values import ENGINES, ActorName
from tests.chaos.judge import assert_as_calm
from tests.chaos.rig import START, Drill, drill_folder, make_config, running
from tests.simulation.whole import synthetic

LIMIT_S = 10.0
"""OR-8: longest recovery that is accepted."""

PACE_S = Decimal(6)
"""Least seconds per market day: a market hour, by which a recovery is seen, takes a quarter of a second."""

HOURS_PER_TRIAL = 8
"""How much of the market a trial may use up; the market must outlast all of them."""

HOURS_BETWEEN = 1
BREAKS_PER_STORM = 5

SUPERVISION = SupervisionPolicy(max_restarts=50, window_ms=15_000)
OVERRIDE = (
    f"override  supervision.window_ms {SUPERVISION.window_ms:,} and max_restarts {SUPERVISION.max_restarts} (shipped: "
    "300,000 and 5): a part is killed every half minute here, so that the shipped count would leave it FAULTED, as it "
    "should, after waits that grow to 15 s; here each kill is the first of its window and is followed by the shipped "
    "first wait"
)

Strike = Callable[[Drill, int], None]
PARTS: Mapping[str, Strike] = {
    "order manager": lambda drill, _number: drill.strike(ActorName.ORDER_MANAGER),
    "engine": lambda drill, number: drill.strike(ENGINES[number % len(ENGINES)]),
    "orchestrator": lambda drill, _number: drill.strike(ActorName.ORCHESTRATOR),
    "database": lambda drill, _number: drill.strike_the_database(),
    "exchange": lambda drill, _number: drill.strike_the_exchange(),
    "streams": lambda drill, _number: drill.break_all_streams(BREAKS_PER_STORM),
}
"""What is hit, by name; the number is that of the trial."""


def trials(count: int, parts: Mapping[str, Strike], tell: Callable[[str], None]) -> Mapping[str, list[float]]:
    """Hit every part so often, in turn; per part the seconds from each blow to market time moving again."""
    days = count * len(parts) * HOURS_PER_TRIAL // 24 + 10
    found: dict[str, list[float]] = {name: [] for name in parts}
    config_of: dict[str, Any] = {"end": START + timedelta(days=days), "pace_s": PACE_S, "supervision": SUPERVISION}
    with drill_folder() as folder, running(make_config(folder, **config_of)) as drill:
        for number in range(count):
            for name, strike in parts.items():
                strike(drill, number)
                found[name].append(drill.moving_s[-1])
                tell(f"{number + 1:>3} {name:<16} {drill.moving_s[-1]:6.1f} s")
                drill.advance(HOURS_BETWEEN)
        drill.to_the_end()
        assert_as_calm(synthetic(days), drill)
    return found


def verdict(found: Mapping[str, list[float]], limit_s: float) -> tuple[list[str], bool]:
    """A line per part, and whether all stayed within the limit."""
    lines = [
        f"{name:<16} {len(times):>3} trials: median {statistics.median(times):5.1f} s, worst {max(times):5.1f} s"
        + ("" if max(times) < limit_s else f": longer than {limit_s:.0f} s")
        for name, times in found.items()
    ]
    return lines, all(max(times) < limit_s for times in found.values())


def main() -> int:
    """Run the trials and print their figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.recovery", description=__doc__)
    parser.add_argument("--trials", type=int, default=50, help="blows per part")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this one; may be repeated")
    options = parser.parse_args()

    def tell(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    tell(OVERRIDE)
    parts = {name: strike for name, strike in PARTS.items() if not options.part or name in options.part}
    lines, is_within = verdict(trials(options.trials, parts, tell), LIMIT_S)
    for line in (*lines, "Decisions, books and ledger equal a calm run's and the exchange's."):
        tell(line)
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main())
