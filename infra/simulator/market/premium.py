"""Funding rates out of the premium of a perpetual over spot, by the venue's own formula."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from infra.simulator.market.path import HOUR_MS, OFFSETS_MS, hour_of, passed
from infra.simulator.market.series import Floats, Series, decimal_of
from infra.simulator.market.tape import FUNDING_INTERVAL_MS, Funding

_INTEREST = 0.0001
_CLAMP = 0.0005
_CAP = 0.005
"""Bybit's formula: rate = premium + clamp(interest - premium, +-0.05 %), within the instrument's cap."""


class Premium:
    """Premium of a perpetual over spot at every path point, and the time-weighted sums that make its funding.

    A premium weighs the more, the later in the interval it stood (weights 1..n per minute at Bybit; here the
    integral of time, since prices stand still between path points). Intervals are counted from the first bar.
    Raises ``ValueError`` when the two series do not cover the same hours without a gap.
    """

    def __init__(self, perp: Series, spot: Series) -> None:
        if not np.array_equal(perp.starts, spot.starts) or perp.missing:
            raise ValueError("A premium needs a perpetual and a spot series with the same hours and no gap.")
        self._first_ms = perp.first_ms
        self._points: Floats = (_path(perp) / _path(spot) - 1).reshape(-1)
        offsets = np.array(OFFSETS_MS, dtype=np.int64)
        times = (perp.starts[:, None] + offsets).reshape(-1)
        self._into_ms = (times - self._first_ms) % FUNDING_INTERVAL_MS
        self._interval_end_ms = perp.last_ms + HOUR_MS

    def settled(self) -> Funding:
        """The settlement at the end of each complete interval."""
        times = range(self._first_ms + FUNDING_INTERVAL_MS, self._interval_end_ms + 1, FUNDING_INTERVAL_MS)
        return Funding(times, [self._rate(settle_ms - FUNDING_INTERVAL_MS, settle_ms) for settle_ms in times])

    def so_far(self, now_ms: int) -> Decimal | None:
        """The rate of the interval that runs at ``now_ms`` out of what has passed of it; None before any time has."""
        begin_ms = now_ms - (now_ms - self._first_ms) % FUNDING_INTERVAL_MS
        if now_ms == begin_ms or not self._first_ms <= begin_ms < self._interval_end_ms:
            return None
        return self._rate(begin_ms, now_ms)

    def _rate(self, begin_ms: int, until_ms: int) -> Decimal:
        first = (begin_ms - self._first_ms) // HOUR_MS * len(OFFSETS_MS)
        last_hour_ms = hour_of(until_ms - 1)
        hours = (last_hour_ms - begin_ms) // HOUR_MS
        end = min(first + hours * len(OFFSETS_MS) + passed(last_hour_ms, until_ms - 1), len(self._points))
        edges = np.append(self._into_ms[first:end], until_ms - begin_ms).astype(np.float64)
        weights = np.diff(edges**2)
        premium = float(np.dot(self._points[first:end], weights) / weights.sum())
        rate = premium + min(max(_INTEREST - premium, -_CLAMP), _CLAMP)
        return decimal_of(min(max(rate, -_CAP), _CAP))


def _path(series: Series) -> Floats:
    """The four path points of every bar, one row per hour."""
    rises = series.close >= series.open
    second = np.where(rises, series.low, series.high)
    third = np.where(rises, series.high, series.low)
    return np.stack((series.open, second, third, series.close), axis=1)
