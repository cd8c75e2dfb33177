"""The intervals of bars by Bybit's names, and where the bars of each begin and end (UTC)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from infra.simulator.market.path import DAY_MS, HOUR_MS, WEEK_MS

MINUTE_MS = 60_000
MONDAY_MS = 4 * DAY_MS
"""1970-01-05, a Monday: the venue's weeks begin on Mondays."""

MINUTES_MS: Mapping[str, int] = MappingProxyType({name: int(name) * MINUTE_MS for name in ("1", "3", "5", "15", "30")})
"""Parts of an hour."""

INTERVALS_MS: Mapping[str, int] = MappingProxyType(
    {
        "60": HOUR_MS,
        "120": 2 * HOUR_MS,
        "240": 4 * HOUR_MS,
        "360": 6 * HOUR_MS,
        "720": 12 * HOUR_MS,
        "D": DAY_MS,
        "W": WEEK_MS,
    }
)
"""Whole hours of equal number."""

MONTH = "M"
LONGEST_MONTH_MS = 31 * DAY_MS
_LONGEST_MS = {**MINUTES_MS, **INTERVALS_MS, MONTH: LONGEST_MONTH_MS}
ALL_INTERVALS = tuple(_LONGEST_MS)


def longest_ms(interval: str) -> int:
    """How long a bar of the interval is at most."""
    return _LONGEST_MS[interval]


def last_start(interval: str, end_ms: int) -> int | None:
    """Start of the bar that ends exactly then; None when none does."""
    if interval not in ("W", MONTH):
        step_ms = _LONGEST_MS[interval]
        return None if end_ms % step_ms else end_ms - step_ms
    start_ms = bar_start(interval, end_ms - 1)
    return start_ms if bar_end(interval, start_ms) == end_ms else None


def bar_start(interval: str, instant_ms: int) -> int:
    """Start of the bar that contains the instant."""
    if interval == MONTH:
        return _month(instant_ms, 0)
    anchor_ms = MONDAY_MS if interval == "W" else 0
    return instant_ms - (instant_ms - anchor_ms) % longest_ms(interval)


def bar_end(interval: str, start_ms: int) -> int:
    """End of the bar that starts there, exclusive."""
    return _month(start_ms, 1) if interval == MONTH else start_ms + longest_ms(interval)


def _month(instant_ms: int, later: int) -> int:
    moment = datetime.fromtimestamp(instant_ms / 1000, UTC)
    months = moment.year * 12 + moment.month - 1 + later
    return int(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
