"""Daily bars of BTC spot for the tests of the allocation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

import numpy as np

from statemachines.facts import BarFact
from statemachines.values import DAY_MS, SPOT
from tests.kit import builders


def day_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def bar(at_ms: int, close: float | str, **changes: float) -> BarFact:
    """A bar that stands at its close unless told otherwise."""
    return builders.bar(SPOT, "BTCUSDT", at_ms, str(close), **{name: str(value) for name, value in changes.items()})


def series(closes: Iterable[float], first_ms: int) -> list[BarFact]:
    """One bar a day; each day's range spans the last close and its own, so that trends have an ADX."""
    bars, last = [], None
    for number, close in enumerate(closes):
        close = round(close, 2)
        before = close if last is None else last
        bars.append(bar(first_ms + number * DAY_MS, close, high=max(before, close), low=min(before, close)))
        last = close
    return bars


def walk(seed: int, days: int, phases: Sequence[tuple[float, float]], start: float = 10_000.0) -> list[float]:
    """A seeded walk through `phases` of equal length, each with a drift and a deviation per day."""
    random = np.random.default_rng(seed)
    length = -(-days // len(phases))
    steps = np.concatenate([random.normal(drift, deviation, length) for drift, deviation in phases])[:days]
    return [float(one) for one in start * np.exp(np.cumsum(steps))]
