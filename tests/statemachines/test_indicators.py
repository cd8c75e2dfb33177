"""Indicators against TA-Lib and closed forms: TR-2, D2 (Wilder's seeds), D4 (volatility and correlation)."""

from __future__ import annotations

import json
import math
import statistics
from decimal import Decimal

import numpy as np
import polars
import pytest
import talib

from statemachines.facts import BarFact
from statemachines.indicators import vector
from statemachines.indicators.window import DailyWindow
from statemachines.values import DAY_MS, LINEAR
from tests.kit import builders
from tests.shared import shared_path


def walk(bars: int, seed: int) -> tuple[vector.Vector, vector.Vector, vector.Vector]:
    """A random walk with highs and lows around its closes, rounded to cents like real prices."""
    random = np.random.default_rng(seed)
    close = np.round(30_000 * np.exp(np.cumsum(random.normal(0, 0.03, bars))), 2)
    high = np.round(close * (1 + np.abs(random.normal(0, 0.02, bars))), 2)
    low = np.round(close * (1 - np.abs(random.normal(0, 0.02, bars))), 2)
    return high, low, close


def facts(high: vector.Vector, low: vector.Vector, close: vector.Vector) -> list[BarFact]:
    return [
        builders.bar(LINEAR, "BTCUSDT", i * DAY_MS, repr(float(c)), high=repr(float(h)), low=repr(float(lo)))
        for i, (h, lo, c) in enumerate(zip(high, low, close, strict=True))
    ]


def own_wilder_atr(high: vector.Vector, low: vector.Vector, close: vector.Vector, bars: int) -> float:
    """D2 by hand: the mean of the first `bars` true ranges, then Wilder's average."""
    ranges = [
        max(high[i] - low[i], abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1])) for i in range(1, len(close))
    ]
    average = statistics.fmean(ranges[:bars])
    for value in ranges[bars:]:
        average = (average * (bars - 1) + value) / bars
    return average


def test_wilder_is_seeded_with_the_mean_of_the_first_14_values() -> None:
    """D2: TA-Lib's ATR is the plain Wilder average, computed here by hand."""
    high, low, close = walk(300, 1)
    assert vector.atr(high, low, close, 14)[-1] == pytest.approx(own_wilder_atr(high, low, close, 14), rel=1e-12)


@pytest.mark.parametrize("seed", [2, 3])
def test_the_live_window_equals_talib_over_the_whole_series(seed: int) -> None:
    """TR-2: as bars arrive, every value is TA-Lib's over all bars so far to 1e-9, long past the window's size."""
    high, low, close = walk(1_200, seed)
    whole = {
        "fast_sma": talib.SMA(close, 50),
        "slow_sma": talib.SMA(close, 200),
        "adx": talib.ADX(high, low, close, 14),
        "atr": talib.ATR(high, low, close, 14),
    }
    window = DailyWindow(450)
    for i, bar in enumerate(facts(high, low, close)):
        assert window.add(bar)
        values = window.values(50, 200, 14, 14)
        assert values is not None and values.day_ms == i * DAY_MS
        for name, series in whole.items():
            value = getattr(values, name)
            if math.isnan(series[i]):
                assert value is None, f"{name} must be unknown with {i + 1} bars (D2)"
            else:
                assert float(value) == pytest.approx(series[i], rel=1e-9)


def test_a_restart_from_warm_up_gives_bit_identical_values() -> None:
    """OR-9: a window filled again with its newest 450 bars answers exactly as the one that lived on."""
    bars = facts(*walk(900, 4))
    living = DailyWindow(450)
    living.fill(bars[:700])
    for i in range(700, 900):
        living.add(bars[i])
        restarted = DailyWindow(450)
        restarted.fill(bars[i + 1 - 450 : i + 1])
        assert restarted.values(50, 200, 14, 14) == living.values(50, 200, 14, 14)


def test_400_days_of_warm_up_give_what_the_full_history_gives() -> None:
    """reference-counts.md: 400 days of warm-up are as good as all days."""
    high, low, close = walk(2_000, 5)
    for series in (vector.adx, vector.atr):
        assert series(high[-400:], low[-400:], close[-400:], 14)[-1] == pytest.approx(
            series(high, low, close, 14)[-1], rel=1e-9
        )


def test_repeated_and_older_bars_change_nothing() -> None:
    """EX-2: a bar that is already there, or older, is not taken."""
    bars = facts(*walk(30, 6))
    window = DailyWindow(450)
    window.fill(bars)
    assert not window.add(bars[-1])
    assert not window.add(bars[10])
    assert len(window) == 30


def test_closes_are_the_closes_oldest_first() -> None:
    """TR-13's correlation is one of closes, not of highs or lows."""
    high, low, close = walk(5, 3)
    window = DailyWindow(4)
    window.fill(facts(high, low, close))
    assert (
        list(window.closes()) == pytest.approx(list(close[-4:]))
        and list(window.closes(2)) == list(window.closes())[-2:]
    )


def test_a_hole_in_the_days_is_seen() -> None:
    """D1, D2: an average must not bridge a missing day unseen."""
    bars = facts(*walk(30, 7))
    window = DailyWindow(450)
    window.fill(bars[:20] + bars[21:])
    assert window.is_contiguous(9)
    assert not window.is_contiguous(11)
    assert not window.is_contiguous(30)


def test_realised_volatility_is_the_sample_deviation_times_root_365() -> None:
    """D4: 30 returns from 31 closes; fewer give nothing."""
    _, _, close = walk(60, 8)
    returns = [math.log(close[i] / close[i - 1]) for i in range(30, 60)]
    assert vector.realised_volatility(close) == pytest.approx(statistics.stdev(returns) * math.sqrt(365), rel=1e-12)
    assert vector.realised_volatility(close[:30]) is None


def test_correlation_is_pearson_over_30_returns() -> None:
    """D4, TR-13: against the standard library; mirrored prices give -1, too few closes nothing."""
    one, two = walk(60, 9)[2], walk(60, 10)[2]
    returns = [[math.log(c[i] / c[i - 1]) for i in range(30, 60)] for c in (one, two)]
    assert vector.correlation(one, two) == pytest.approx(statistics.correlation(*returns), rel=1e-12)
    assert vector.correlation(one, 1 / one) == pytest.approx(-1.0)
    assert vector.correlation(one[:30], two) is None
    assert vector.correlation(np.full(40, 5.0), one) is None


def test_empty_input_gives_empty_answers() -> None:
    empty = np.empty(0)
    assert len(vector.sma(empty, 5)) == len(vector.adx(empty, empty, empty, 14)) == 0
    assert DailyWindow(10).values(2, 5, 2, 2) is None


def test_only_finite_values_become_money() -> None:
    """DESIGN 7: the border between float and Decimal is explicit."""
    assert vector.to_decimal(0.1) == Decimal("0.1")
    with pytest.raises(ValueError, match="not finite"):
        vector.to_decimal(math.nan)


@pytest.mark.parametrize("asset", ["btc", "eth"])
def test_recorded_values_of_the_real_history(asset: str) -> None:
    """facts.json: SMA, ADX and ATR of both assets on dates that mattered."""
    recorded = json.loads(shared_path("history", "facts.json").read_text())["indicators"][asset]["spot_values"]
    frame = polars.read_parquet(shared_path("history", f"{asset}_usdt_spot_1d.parquet"))
    high, low, close = (frame[name].to_numpy() for name in ("high", "low", "close"))
    days = [str(ts.date()) for ts in frame["ts"]]
    values = {
        "sma50": vector.sma(close, 50),
        "sma200": vector.sma(close, 200),
        "adx14": vector.adx(high, low, close, 14),
        "atr14": vector.atr(high, low, close, 14),
    }
    assert recorded
    for day, expected in recorded.items():
        for name, series in values.items():
            assert series[days.index(day)] == pytest.approx(expected[name], abs=1e-4), f"{name} on {day}"


def test_recorded_correlation_of_the_real_history() -> None:
    """facts.json, TR-13: how often BTC and ETH move together, over all days with 30 returns."""
    recorded = json.loads(shared_path("history", "facts.json").read_text())["corr30"]
    one, two = (
        polars.read_parquet(shared_path("history", f"{asset}_usdt_spot_1d.parquet"))["close"].to_numpy()
        for asset in ("btc", "eth")
    )
    known = [vector.correlation(one[:end], two[:end]) for end in range(31, len(one) + 1)]
    values = [value for value in known if value is not None]
    assert len(values) == recorded["days"]
    assert statistics.fmean(values) == pytest.approx(recorded["mean"], abs=1e-4)
    assert sum(value > 0.9 for value in values) / len(values) == pytest.approx(
        recorded["btc_eth_gt_0.9_share"], abs=1e-4
    )
