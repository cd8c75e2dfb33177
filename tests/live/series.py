"""Whether a measured series is flat. Pure: the soak judges by it, and a planted leak proves that it does.

The slope is the median of the slopes between all pairs (Theil and Sen), so that single peaks and steps that come back
count for nothing; Kendall's test says whether the order of the values could be chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

MAX_POINTS = 240
"""More are thinned out to medians of neighbours: pairs grow with the square."""

CERTAINTY = 4.0
"""Standard deviations of Kendall's statistic."""

FEWEST = 12


@dataclass(frozen=True, slots=True)
class Allowed:
    """The growth over the whole time that still counts as flat: `absolute`, or this `share` of the median, whichever
    is more."""

    absolute: float
    share: float = 0.0


ALLOWED: Mapping[str, Allowed] = {
    "rss_mb": Allowed(8.0, 0.05),
    "threads": Allowed(4.0),  # Ray's own pools open a few more under load; one a reconnect would be seventeen
    "files": Allowed(3.0),
    "sockets": Allowed(2.0),
    "inbox": Allowed(5.0),
    "pending_requests": Allowed(3.0),
    "undelivered": Allowed(5.0),
    "rows": Allowed(20.0),
}
"""By kind of series."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Growth over the whole time by the robust slope, in the series' own unit, and how certain its direction is."""

    growth: float
    certainty: float


def trend(values: Sequence[float]) -> Trend:
    """The robust trend of values taken at equal distances."""
    points = _thinned(values)
    count = len(points)
    slopes = [
        (points[later] - points[earlier]) / (later - earlier)
        for earlier in range(count)
        for later in range(earlier + 1, count)
    ]
    if not slopes:
        return Trend(0.0, 0.0)
    score = sum((one > 0) - (one < 0) for one in slopes)
    deviation = sqrt(count * (count - 1) * (2 * count + 5) / 18)
    return Trend(median(slopes) * (count - 1), score / deviation)


def not_flat(name: str, kind: str, values: Sequence[float]) -> str | None:
    """A sentence about a series that grows; None when it is flat. Raises ValueError for fewer than 12 values, by which
    nothing can be said."""
    if len(values) < FEWEST:
        raise ValueError(f"{name}: {len(values)} values say nothing about a trend; {FEWEST} are required.")
    found = trend(values)
    allowed = ALLOWED[kind]
    most = max(allowed.absolute, allowed.share * median(values))
    if found.growth <= most or found.certainty < CERTAINTY:
        return None
    return (
        f"{name} is not flat: {kind} grows by {found.growth:.1f} over the time (allowed {most:.1f}), from "
        f"{values[0]:.1f} to {values[-1]:.1f}."
    )


def _thinned(values: Sequence[float]) -> list[float]:
    if len(values) <= MAX_POINTS:
        return list(values)
    size = len(values) / MAX_POINTS
    return [median(values[int(part * size) : int((part + 1) * size)]) for part in range(MAX_POINTS)]
