"""The report's figures are those of quantstats, and of a pencil where there is a convention to choose."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.returns import daily_returns, drawdowns, falls, growth, performance

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import quantstats.stats as qs


def series(seed: int, days: int = 900, drift: float = 0.0005) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(drift, 0.02, days)


def judged(returns: np.ndarray[Any, np.dtype[np.float64]]) -> pd.Series[float]:
    return pd.Series(returns, index=pd.date_range("2020-01-01", periods=len(returns)))


@pytest.mark.parametrize("seed", range(6))
def test_every_figure_is_quantstats(seed: int) -> None:
    returns = series(seed, drift=0.0005 if seed % 2 else -0.0005)
    ours, theirs = performance(returns), judged(returns)
    assert ours.total_return == pytest.approx(qs.comp(theirs))
    assert ours.volatility == pytest.approx(qs.volatility(theirs, periods=365))
    assert ours.sharpe == pytest.approx(qs.sharpe(theirs, periods=365))
    assert ours.sortino == pytest.approx(qs.sortino(theirs, periods=365))
    assert ours.worst is not None
    assert ours.worst.depth == pytest.approx(qs.max_drawdown(theirs))
    # quantstats takes the root over n - 1 days, and the years between the first and the last date, one day fewer.
    days = len(returns)
    assert ours.ulcer_index == pytest.approx(qs.ulcer_index(theirs) * np.sqrt((days - 1) / days), rel=1e-9)
    assert ours.cagr == pytest.approx((1 + qs.comp(theirs)) ** (365 / days) - 1)
    assert ours.cagr is not None
    assert ours.calmar == pytest.approx(ours.cagr / abs(qs.max_drawdown(theirs)))
    assert ours.best_day == pytest.approx(qs.best(theirs))
    assert ours.worst_day == pytest.approx(qs.worst(theirs))


@pytest.mark.parametrize(("days", "is_annual"), [(46, False), (364, False), (365, True), (400, True)])
def test_less_than_a_year_is_not_annualised(days: int, is_annual: bool) -> None:
    """46 days of a good start were shown as "growth a year" in the report's headline."""
    figures = performance(series(1, days))
    assert (figures.cagr is not None) is is_annual
    assert (figures.calmar is not None) is is_annual
    assert figures.total_return == pytest.approx(qs.comp(judged(series(1, days))))


def test_drawdowns_by_hand() -> None:
    """100, 110, 99, 121, 60.5: one fall of 10 % for two days, one of 50 % that has not recovered."""
    returns = np.array([0.10, -0.10, 121 / 99 - 1, -0.5])
    first, second = falls(returns)
    assert (first.depth, first.peak, first.trough, first.recovered, first.days) == (pytest.approx(-0.1), 1, 2, 3, 2)
    assert (second.depth, second.peak, second.recovered, second.days) == (pytest.approx(-0.5), 3, None, 1)


def test_transfers_are_no_result() -> None:
    """1,000 grow by 10 %, 500 come in, all grow by 10 %; then a part leaves after a fall of 20 %, then all of it."""
    equity = np.array([1_000.0, 1_100.0, 1_760.0, 1_208.0, 0.0])
    inflow = np.array([0.0, 0.0, 500.0, 0.0, 0.0])
    outflow = np.array([0.0, 0.0, 0.0, 200.0, 1_208.0])
    assert daily_returns(equity, inflow, outflow) == pytest.approx([0.1, 0.1, -0.2, 0.0])


def test_without_capital_a_day_has_no_return() -> None:
    nothing, late = np.zeros(3), np.array([0.0, 0.0, 50.0])
    assert list(daily_returns(late, late, nothing)) == [0.0, 0.0]


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="inflow_usdt has 2 values and equity_usdt 3"):
        daily_returns(np.ones(3), np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="outflow_usdt has 4 values and equity_usdt 3"):
        daily_returns(np.ones(3), np.ones(3), np.ones(4))


def test_no_days_no_figures() -> None:
    nothing = performance(np.array([]))
    assert nothing.total_return == 0
    assert (nothing.cagr, nothing.sharpe, nothing.sortino, nothing.calmar, nothing.worst) == (None,) * 5


@settings(max_examples=60)
@given(st.lists(st.floats(-0.9, 2.0), min_size=1, max_size=40))
def test_falls_tell_every_drawdown_once(raw: list[float]) -> None:
    returns = np.array(raw)
    below, found = drawdowns(returns), falls(returns)
    assert min((fall.depth for fall in found), default=0.0) == pytest.approx(below.min(), abs=1e-12)
    covered = [place for fall in found for place in range(fall.peak + 1, fall.recovered or len(below))]
    assert covered == [place for place, depth in enumerate(below) if depth < -1e-12]
    assert growth(returns)[0] == 1
