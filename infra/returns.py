"""Figures of one series of daily returns.

Conventions, stated on the page too: simple returns from daily closes, a year of 365 days, risk-free rate 0. The tests
compare every figure with quantstats.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from statemachines.portfolio import flows
from statemachines.portfolio.flows import Flows, period_return

Floats = npt.NDArray[np.float64]

DAYS_PER_YEAR = 365.0
SMALLEST_BASE_USDT = float(flows.SMALLEST_BASE_USDT)
"""With less capital than this a day has no return of its own: it counts as 0."""

_FLAT = 1e-12


def daily_returns(equity_usdt: Floats, inflow_usdt: Floats, outflow_usdt: Floats) -> Floats:
    """Time-weighted simple returns of the days between the closes; one fewer than closes.

    `inflow_usdt[i]` came in between close i-1 and close i, `outflow_usdt[i]` went out, each 0 or more. They count as
    everywhere (`statemachines.portfolio.flows`); a day without capital counts as 0.

    Raises:
        ValueError: they differ in length.
    """
    for name, values in (("inflow_usdt", inflow_usdt), ("outflow_usdt", outflow_usdt)):
        if equity_usdt.shape != values.shape:
            raise ValueError(
                f"{name} has {values.size} values and equity_usdt {equity_usdt.size}: they must be as many."
            )
    equity, inflow, outflow = ([Decimal(one) for one in values] for values in (equity_usdt, inflow_usdt, outflow_usdt))
    days = zip(equity, equity[1:], inflow[1:], outflow[1:], strict=False)
    returns = [period_return(before, Flows(came, went), after) for before, after, came, went in days]
    return np.array([float(one or 0) for one in returns], dtype=np.float64)


def growth(returns: Floats) -> Floats:
    """What 1 becomes: one value more than returns, the first is 1."""
    return np.concatenate(([1.0], np.cumprod(1.0 + returns)))


def drawdowns(returns: Floats) -> Floats:
    """Distance from the highest value so far, 0 or negative; one value more than returns."""
    value = growth(returns)
    return np.asarray(value / np.maximum.accumulate(value) - 1.0, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Fall:
    """A drawdown: places in the series of closes. `recovered` is None while the old high has not been reached again."""

    depth: float
    peak: int
    trough: int
    recovered: int | None
    days: int


def falls(returns: Floats) -> list[Fall]:
    """Every drawdown in the order of time; its days run from the high to its recovery or to the end of the series."""
    below = drawdowns(returns)
    found: list[Fall] = []
    peak: int | None = None
    for place, depth in enumerate(below):
        if depth < -_FLAT:
            peak = place - 1 if peak is None else peak
        elif peak is not None:
            found.append(_fall(below, peak, place))
            peak = None
    if peak is not None:
        found.append(_fall(below, peak, None))
    return found


def _fall(below: Floats, peak: int, recovered: int | None) -> Fall:
    end = recovered if recovered is not None else len(below) - 1
    trough = peak + int(np.argmin(below[peak : end + 1]))
    return Fall(float(below[trough]), peak, trough, recovered, end - peak)


@dataclass(frozen=True, slots=True)
class Performance:
    """Figures of a series; None where one is not defined (no days, no variation, no losing day, no drawdown, and growth
    a year where there is less than a year)."""

    days: int
    total_return: float
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    ulcer_index: float
    worst: Fall | None
    longest_days: int
    best_day: float | None
    worst_day: float | None


def performance(returns: Floats) -> Performance:
    """All figures of a series of daily returns."""
    all_falls = falls(returns)
    worst = min(all_falls, key=lambda fall: fall.depth, default=None)
    yearly = cagr(returns)
    return Performance(
        days=len(returns),
        total_return=float(growth(returns)[-1] - 1.0),
        cagr=yearly,
        volatility=volatility(returns),
        sharpe=sharpe(returns),
        sortino=sortino(returns),
        calmar=None if worst is None or yearly is None else yearly / -worst.depth,
        ulcer_index=ulcer_index(returns),
        worst=worst,
        longest_days=max((fall.days for fall in all_falls), default=0),
        best_day=float(returns.max()) if len(returns) else None,
        worst_day=float(returns.min()) if len(returns) else None,
    )


def cagr(returns: Floats) -> float | None:
    """Compound growth per year of 365 days; None for less than a year, which GIPS does not let be annualised."""
    if len(returns) < DAYS_PER_YEAR:
        return None
    return float(growth(returns)[-1] ** (DAYS_PER_YEAR / len(returns)) - 1.0)


def volatility(returns: Floats) -> float | None:
    """Sample standard deviation × √365."""
    if len(returns) < 2:
        return None
    return float(np.std(returns, ddof=1) * np.sqrt(DAYS_PER_YEAR))


def sharpe(returns: Floats) -> float | None:
    """Mean over sample standard deviation, × √365."""
    deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0
    return float(np.mean(returns) / deviation * np.sqrt(DAYS_PER_YEAR)) if deviation > _FLAT else None


def sortino(returns: Floats) -> float | None:
    """Mean over the root of the mean squared loss (all days in the mean), × √365."""
    if not len(returns):
        return None
    downside = float(np.sqrt(np.mean(np.square(np.minimum(returns, 0.0)))))
    return float(np.mean(returns) / downside * np.sqrt(DAYS_PER_YEAR)) if downside > _FLAT else None


def ulcer_index(returns: Floats) -> float:
    """Root of the mean squared drawdown over the days: how deep and how long it hurt."""
    return float(np.sqrt(np.mean(np.square(drawdowns(returns)[1:])))) if len(returns) else 0.0
