"""Indicators over a whole series, oldest first (TR-2, D2, D4). NaN where the look-back is not filled.

Wilder's averages come from TA-Lib, which seeds them with the mean of the first values (ruling D2). It is loaded when
the first one is computed: it brings pandas and polars, over a second of start for commands that compute none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

DAYS_PER_YEAR = 365
"""Crypto trades every day; D4 annualises with the square root of this."""


def sma(close: Vector, bars: int) -> Vector:
    """Simple moving average over `bars` closes (TR-2)."""
    import talib

    return _empty_safe(close, lambda: talib.SMA(close, timeperiod=bars))


def adx(high: Vector, low: Vector, close: Vector, bars: int) -> Vector:
    """Wilder's average directional index, 0 to 100 (TR-2). The first value is that of bar 2 × `bars`."""
    import talib

    return _empty_safe(close, lambda: talib.ADX(high, low, close, timeperiod=bars))


def atr(high: Vector, low: Vector, close: Vector, bars: int) -> Vector:
    """Wilder's average true range in the price's unit (TR-2). The first value is that of bar `bars` + 1."""
    import talib

    return _empty_safe(close, lambda: talib.ATR(high, low, close, timeperiod=bars))


def log_returns(close: Vector) -> Vector:
    """Logarithmic returns, one fewer than closes (D4)."""
    return np.diff(np.log(close))


def realised_volatility(close: Vector, returns: int = 30) -> float | None:
    """Annualised volatility of the last `returns` daily log returns as a fraction: sample standard deviation × √365
    (D4). None with fewer than `returns` + 1 closes."""
    if len(close) < returns + 1:
        return None
    sample = log_returns(close[-(returns + 1) :])
    return float(np.std(sample, ddof=1)) * math.sqrt(DAYS_PER_YEAR)


def correlation(first_close: Vector, second_close: Vector, returns: int = 30) -> float | None:
    """Pearson correlation of the last `returns` daily log returns of two assets (D4). None with fewer than
    `returns` + 1 closes of either, or when one of them did not move at all."""
    if min(len(first_close), len(second_close)) < returns + 1:
        return None
    first, second = (log_returns(close[-(returns + 1) :]) for close in (first_close, second_close))
    if float(np.std(first)) == 0.0 or float(np.std(second)) == 0.0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def to_decimal(value: float) -> Decimal:
    """The boundary between indicators and money (DESIGN 7): the shortest decimal that represents this float.

    Raises:
        ValueError: the value is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"indicator value {value!r} is not finite; only finite values may reach a decision")
    return Decimal(repr(float(value)))


def _empty_safe(close: Vector, compute: Callable[[], Vector]) -> Vector:
    """TA-Lib refuses empty input; here the result is then empty."""
    if len(close) == 0:
        return np.empty(0, dtype=np.float64)
    return np.asarray(compute(), dtype=np.float64)
