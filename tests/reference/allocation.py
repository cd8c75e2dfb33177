"""An independent computation of the regimes and weights (OR-2, RULINGS O1-O3, D3, D4) in plain numpy and TA-Lib.

It imports nothing of this project: floats, one loop over the daily closes, weights in points per cent in the order
CORE, TREND, FUNDING, TACTICAL.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import talib

WEIGHTS = {
    "DEFAULT": (60.0, 20.0, 15.0, 5.0),
    "STRONG_BULL": (50.0, 35.0, 10.0, 5.0),
    "BEAR": (70.0, 5.0, 15.0, 10.0),
    "HIGH_VOLATILITY": (55.0, 15.0, 25.0, 5.0),
    "PRE_HALVING": (50.0, 30.0, 15.0, 5.0),
}
HALVINGS = (date(2020, 5, 11), date(2024, 4, 20), date(2028, 4, 17))
DWELL, PACE = 14, 5.0


@dataclass(frozen=True)
class Day:
    """One daily close: who wins it, who rules after it, and the weights after it. `points` have changed hands."""

    day: date
    winner: str
    regime: str
    is_change: bool
    weights: tuple[float, ...]
    points: float


def winners(days: Sequence[date], high: np.ndarray, low: np.ndarray, close: np.ndarray) -> list[str]:
    """The first condition that holds at each close."""
    fast, slow, adx = talib.SMA(close, 50), talib.SMA(close, 200), talib.ADX(high, low, close, 14)
    found = []
    for i, day in enumerate(days):
        has_averages = i >= 199
        volatility = np.std(np.diff(np.log(close[i - 30 : i + 1])), ddof=1) * math.sqrt(365) if i >= 30 else 0.0
        if has_averages and close[i] < slow[i] and fast[i] < slow[i]:
            found.append("BEAR")
        elif volatility > 0.8:
            found.append("HIGH_VOLATILITY")
        elif has_averages and adx[i] > 40 and close[i] > slow[i]:
            found.append("STRONG_BULL")
        elif any(0 <= (halving - day).days <= 180 for halving in HALVINGS):
            found.append("PRE_HALVING")
        else:
            found.append("DEFAULT")
    return found


def run(days: Sequence[date], high: np.ndarray, low: np.ndarray, close: np.ndarray, first_cycle: date) -> list[Day]:
    """Regime on all closes; weights from the default on, moving from the first cycle."""
    regime, candidate, count = "DEFAULT", "", 0
    weights = np.array(WEIGHTS["DEFAULT"])
    found = []
    for day, won in zip(days, winners(days, high, low, close), strict=True):
        count = 0 if won == regime else count + 1 if won == candidate else 1
        candidate = won
        is_change = count == DWELL
        if is_change:
            regime, count = won, 0
        if day < first_cycle:
            continue
        way = np.array(WEIGHTS[regime]) - weights
        largest = float(np.abs(way).max())
        step = way * min(1.0, PACE / largest) if largest > 1e-9 else way * 0.0
        weights = weights + step
        points = float(np.abs(step).sum()) / 2
        found.append(Day(day, won, regime, is_change, tuple(float(one) for one in weights), points))
    return found
