"""The numbers that an engine's rules read, over time: for the operator to see how they came to where they are (P3).

Each engine's `series` module gives them by the functions with which its rules decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from statemachines.facts import BarFact


class Point(NamedTuple):
    """A number at an instant of market time; for a daily number the start of its day."""

    market_ms: int
    value: float


class Level(NamedTuple):
    """A limit of a rule, in the unit of its pane."""

    what: str
    value: float


class Line(NamedTuple):
    """One number over time, oldest first; where it is not known there is no point."""

    name: str
    points: tuple[Point, ...]


class Pane(NamedTuple):
    """Lines of one unit with the limits that they are read against. `is_price`: they belong over the candles."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    levels: tuple[Level, ...] = ()
    is_price: bool = False


def line(name: str, times_ms: Iterable[int], values: Iterable[float | Decimal | None]) -> Line:
    """A line of the numbers that are known."""
    points = (
        Point(time_ms, float(value)) for time_ms, value in zip(times_ms, values, strict=True) if value is not None
    )
    return Line(name, tuple(point for point in points if math.isfinite(point.value)))


def starts_ms(bars: Sequence[BarFact]) -> list[int]:
    """When each bar began."""
    return [bar.start_ms for bar in bars]
