"""Bars shorter than an hour, cut out of the hour's price path, and bars of months out of days.

Prices stand still between two path points. The volume of an hour is known at its end only, so the parts of an hour
share what the hour before had: it is known when the first part ends, and a closed bar never changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

from infra.simulator.market.bars.intervals import MONTH, bar_start
from infra.simulator.market.path import HOUR_MS, ZERO, merged
from infra.simulator.market.port import Bar

VOLUME_UNIT = Decimal("0.000001")


def share_of(volume: Decimal, parts: int) -> Decimal:
    """One of so many equal parts of a volume."""
    return (volume / parts).quantize(VOLUME_UNIT, rounding=ROUND_DOWN)


def cut(hour: Bar, offsets_ms: Sequence[int], prices: Sequence[Decimal], step_ms: int, volume: Decimal) -> list[Bar]:
    """The bars of ``step_ms`` of an hour whose path has these prices at these offsets (the first is 0)."""
    bars: list[Bar] = []
    last, row = prices[0], 0
    for offset_ms in range(0, HOUR_MS, step_ms):
        seen = [] if offsets_ms[row : row + 1] == [offset_ms] else [last]
        while row < len(prices) and offsets_ms[row] < offset_ms + step_ms:
            seen.append(prices[row])
            row += 1
        last = seen[-1]
        bars.append(part(hour.start_ms + offset_ms, seen[0], max(seen), min(seen), last, volume))
    return bars


def part(start_ms: int, open_: Decimal, high: Decimal, low: Decimal, close: Decimal, volume: Decimal) -> Bar:
    """A bar whose turnover is its volume at its typical price."""
    turnover = (volume * (high + low + close) / 3).quantize(VOLUME_UNIT) if volume else ZERO
    return Bar(start_ms, open_, high, low, close, volume, turnover)


def months(days: Sequence[Bar], first_known_ms: int) -> list[Bar]:
    """Bars of months out of consecutive days; a month that began before ``first_known_ms`` is left out."""
    groups: dict[int, list[Bar]] = {}
    for day in days:
        groups.setdefault(bar_start(MONTH, day.start_ms), []).append(day)
    whole = (merged(start_ms, parts) for start_ms, parts in groups.items() if start_ms >= first_known_ms)
    return [bar for bar in whole if bar is not None]
