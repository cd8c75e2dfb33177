"""``make drill-cluster``: a system on two Ray nodes whose control store is in Redis. A node is lost, the head is lost
and returns; then a second system is started on the database of a first one, and the first one dies.

Prints each recovery, median and worst per kind; ends with an error when something does not come back by itself, when
decisions, books or ledger differ from a calm run's, or when the second system does anything while the first one works.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping

from tests.chaos.cluster.nodes import RedisMissingError, redis_server
from tests.chaos.cluster.trials import trials
from tests.chaos.cluster.two_systems import two_systems

MISSING = 2


def summary(found: Mapping[str, list[float]]) -> list[str]:
    """A line per kind of loss."""
    return [
        f"{label:<27} {len(times):>3} trials: median {statistics.median(times):5.1f} s, worst {max(times):5.1f} s"
        for label, times in found.items()
        if times
    ]


def main() -> int:
    """Run the trials and print their figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.cluster", description=__doc__)
    parser.add_argument("--trials", type=int, default=3, help="losses of each kind")
    parser.add_argument("--part", action="append", choices=["nodes", "two systems"], help="only this one")
    options = parser.parse_args()
    parts = options.part or ["nodes", "two systems"]
    tell: Callable[[str], None] = _tell
    try:
        redis_server()
    except RedisMissingError as error:
        tell(str(error))
        return MISSING
    if "nodes" in parts:
        for line in (
            *summary(trials(options.trials, tell)),
            "Decisions, books and ledger equal a calm run's and the exchange's.",
        ):
            tell(line)
    if "two systems" in parts:
        two_systems(tell)
    return 0


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
