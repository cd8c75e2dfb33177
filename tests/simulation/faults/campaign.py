"""Many seeds: what they violated, what they hit, and whether they find what was planted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.simulation.faults.choices import hits
from tests.simulation.faults.defects import Defect
from tests.simulation.faults.points import OUTSIDE, PAIRS, Pair, Situation
from tests.simulation.faults.trial import Outcome, seeded
from tests.simulation.faults.world import OPENINGS, opening

MIN_HITS = 20
FULL_RUN = 1_000
"""Seeds from which on every pair must have been hit `MIN_HITS` times."""

MAX_SEEDS_PER_DEFECT = 300


@dataclass(slots=True)
class Campaign:
    """What a run of seeds came to."""

    seeds: int = 0
    seconds: float = 0.0
    counts: Counter[Pair] = field(default_factory=Counter)
    situations: Counter[str] = field(default_factory=Counter)
    """In the midst of what something came from outside."""

    failed: dict[int, Outcome] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        return self.seeds >= FULL_RUN

    def rare(self) -> list[Pair]:
        """Pairs that were hit too seldom to say anything about them."""
        return [pair for pair in PAIRS if self.counts[pair] < MIN_HITS]

    def table(self) -> str:
        """Hits per pair, one line each, and the situations in which something came from outside."""
        lines = [f"{self.counts[pair]:7,}  {pair}" for pair in PAIRS]
        return "\n".join(lines + [f"{self.situations[one]:7,}  from outside {one}" for one in Situation])


def run(seeds: Iterable[int], seconds: float | None = None) -> Iterator[tuple[int, Outcome, Campaign]]:
    """Run the seeds, for at most so many seconds of wall time; the campaign is the same object each time."""
    done, begun = Campaign(), time.monotonic()
    for seed in seeds:
        outcome = seeded(seed)
        done.seeds += 1
        done.counts += hits(outcome.choices)
        done.situations.update(one.who for one in outcome.choices if one.point in OUTSIDE)
        done.seconds = time.monotonic() - begun
        if outcome.violated:
            done.failed[seed] = outcome
        yield seed, outcome, done
        if seconds is not None and done.seconds >= seconds:
            return


def finds(defect: Defect, seeds: Iterable[int] = range(MAX_SEEDS_PER_DEFECT)) -> tuple[int, Outcome] | None:
    """The first seed that finds the planted defect; None when it survives them all."""
    for name in OPENINGS:
        opening(name)  # calm, so without the defect
    with defect():
        for seed in seeds:
            outcome = seeded(seed)
            if outcome.violated:
                return seed, outcome
    return None
