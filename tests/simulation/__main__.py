"""`make simulate`: seeds of the whole-system simulation; hits per pair, minimal traces, planted defects."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence

from tests.simulation.faults.campaign import MIN_HITS, Campaign, finds, run
from tests.simulation.faults.defects import DEFECTS
from tests.simulation.faults.trial import seeded, shrunk
from tests.simulation.outside.defects import OUTSIDE_DEFECTS


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every invariant held, every pair was hit often enough and every planted defect was found."""
    options = _parser().parse_args(arguments)
    if options.seed is not None:
        return _one(options.seed)
    seeds = range(options.first, options.first + options.seeds) if options.seeds else itertools.count(options.first)
    done = Campaign()
    for seed, outcome, done in run(seeds, options.seconds):
        if outcome.violated:
            print(f"seed {seed} violates {outcome.problem}", flush=True)
            print(shrunk(outcome).trace(), flush=True)
        elif done.seeds % 50 == 0:
            print(f"{done.seeds:,} seeds in {done.seconds:.0f} s, {len(done.failed)} failed", flush=True)
    print(done.table())
    print(f"{done.seeds:,} seeds in {done.seconds:.0f} s: {sorted(done.failed) or 'no'} seed failed.")
    code = 1 if done.failed else 0
    if done.is_full and (rare := done.rare()):
        print(f"Hit fewer than {MIN_HITS} times: " + "; ".join(map(str, rare)))
        code = 1
    if options.defects or done.is_full:
        code = max(code, _planted())
    return code


def _one(seed: int) -> int:
    outcome = seeded(seed)
    print(f"seed {seed}: {outcome.trace()}")
    if outcome.violated:
        print(f"The shortest trace that still fails:\n{shrunk(outcome).trace()}")
    return 1 if outcome.violated else 0


def _planted() -> int:
    survivors = 0
    for defect in (*DEFECTS, *OUTSIDE_DEFECTS):
        found = finds(defect)
        survivors += found is None
        verdict = f"found by seed {found[0]}: {found[1].problem[:120]}" if found else "SURVIVED"
        print(f"planted: {defect.__name__.replace('_', ' ')}: {verdict}", flush=True)
    return 1 if survivors else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed alone and show its trace")
    parser.add_argument("--seeds", type=int, default=0, help="how many seeds (default: until --seconds are over)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--seconds", type=float, help="stop after so many seconds of wall time")
    parser.add_argument("--defects", action="store_true", help="look for the planted defects after a short run too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
