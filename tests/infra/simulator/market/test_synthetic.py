"""The synthetic market: repeatable, realistic enough for every rule to act, and early with the default seed."""

from __future__ import annotations

from decimal import Decimal as D

import numpy as np
import pytest
import talib

from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.port import Market
from infra.simulator.market.series import Series, resampled
from infra.simulator.market.synthetic import DEFAULT_SEED, SyntheticMarket
from infra.simulator.market.tape import FUNDING_INTERVAL_MS

START_MS = 1_735_689_600_000
LINEAR_TICKS = {"BTCUSDT": D("0.1"), "ETHUSDT": D("0.01"), "SOLUSDT": D("0.01")}


@pytest.fixture(scope="module")
def default() -> SyntheticMarket:
    return SyntheticMarket(DEFAULT_SEED, START_MS, 120)


def daily(market: SyntheticMarket, category: str, symbol: str) -> Series:
    days = resampled(market.tape.hours[category, symbol], DAY_MS, 0)
    assert days is not None
    return days


def cycle_days(days: Series) -> np.ndarray:
    """Day after the start in whose cycle the close of each bar is processed; the close before the start is 0."""
    return (days.starts + DAY_MS - START_MS) // DAY_MS


def trend_days(days: Series, fast: int, slow: int) -> tuple[list[int], list[int]]:
    """Cycles in which TR-3 holds for a long and for a short."""
    fast_average, slow_average = talib.SMA(days.close, fast), talib.SMA(days.close, slow)
    strong = talib.ADX(days.high, days.low, days.close, 14) > 25
    cycle = cycle_days(days)
    long = strong & (days.close > slow_average) & (fast_average > slow_average) & (cycle >= 0)
    short = strong & (days.close < slow_average) & (fast_average < slow_average) & (cycle >= 0)
    return [int(day) for day in cycle[long]], [int(day) for day in cycle[short]]


def drawdown(days: Series) -> np.ndarray:
    return days.close / np.maximum.accumulate(days.close) - 1


def test_its_label_says_that_it_is_synthetic(default: SyntheticMarket) -> None:
    port: Market = default  # checked by mypy: the whole port is there
    assert port.symbols() == [(c, s) for s in LINEAR_TICKS for c in ("spot", "linear")]
    assert default.label == f"synthetic, seed {DEFAULT_SEED}"
    assert default.end_ms - default.start_ms == 120 * DAY_MS


def test_the_same_seed_gives_the_same_market_however_long_it_is() -> None:
    short, long = SyntheticMarket(5, START_MS, 3), SyntheticMarket(5, START_MS, 200)
    for category, symbol in short.symbols():
        known, longer = (
            market.bars(category, symbol, "60", 0, short.end_ms, 100_000, "last", short.end_ms - 1)
            for market in (short, long)
        )
        assert len(known) == (500 + 3) * 24
        assert known == longer
    now_ms = short.end_ms - 1
    assert short.funding_history("BTCUSDT", 0, now_ms, 9999, now_ms) == long.funding_history(
        "BTCUSDT", 0, now_ms, 9999, now_ms
    )
    assert short.fear_greed(now_ms, 9999) == long.fear_greed(now_ms, 9999)
    assert short.dvol(now_ms) == long.dvol(now_ms)


def test_another_seed_gives_another_market() -> None:
    one, other = SyntheticMarket(1, START_MS, 3), SyntheticMarket(2, START_MS, 3)
    assert one.hour("spot", "BTCUSDT", START_MS) != other.hour("spot", "BTCUSDT", START_MS)


@pytest.mark.parametrize(
    ("seed", "start_ms", "days", "warmup_days", "text"),
    [
        (-1, START_MS, 10, 500, "seed is -1"),
        (1, START_MS + 1, 10, 500, "00:00 UTC"),
        (1, START_MS, 0, 500, "number of days is 0"),
        (1, START_MS, 10, 419, "warm-up is 419 days"),
    ],
)
def test_impossible_markets_are_refused(seed: int, start_ms: int, days: int, warmup_days: int, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        SyntheticMarket(seed, start_ms, days, warmup_days)


def test_bars_are_sound_on_the_tick_and_follow_one_another(default: SyntheticMarket) -> None:
    for category, symbol in default.symbols():
        bars = default.bars(category, symbol, "60", START_MS, default.end_ms - HOUR_MS, 100_000, "last", default.end_ms)
        assert len(bars) == 120 * 24
        for before, bar in zip([bars[0], *bars], bars, strict=False):
            assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
            assert all(price > 0 and price % LINEAR_TICKS[symbol] == 0 for price in bar[1:5])
            assert bar.volume > 0
            assert bar is before or bar.open == before.close


def test_warm_up_gives_400_closed_days_before_the_start(default: SyntheticMarket) -> None:
    known = default.bars("linear", "BTCUSDT", "D", 0, START_MS - 1, 10_000, "last", START_MS)
    assert len(known) >= 400
    assert known[-1].start_ms == START_MS - DAY_MS
    assert len(default.funding_history("BTCUSDT", 0, START_MS, 10_000, START_MS)) >= 400 * 3


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 11])
def test_every_seed_falls_by_half_and_shows_every_kind_of_funding(seed: int) -> None:
    """TA-1, TA-2, FU-2, FU-3, TR-3 and TR-14 have their occasions within the first 200 days of any seed."""
    market = SyntheticMarket(seed, START_MS, 200)
    spot = daily(market, "spot", "BTCUSDT")
    assert drawdown(spot)[cycle_days(spot) >= 0].min() <= -0.5
    rates = [rate for _, rate in market.funding_history("BTCUSDT", START_MS, market.end_ms, 10_000, market.end_ms)]
    default_share = sum(rate == D("0.0001") for rate in rates) / len(rates)
    assert 0.3 < default_share < 0.9
    assert any(rate > D("0.001") for rate in rates)
    assert any(D("0.0001") < rate <= D("0.001") for rate in rates)
    assert any(rate < D("-0.0005") for rate in rates)
    assert min(value for _, value in market.fear_greed(market.end_ms, 200)) < 20
    longs, shorts = trend_days(daily(market, "linear", "BTCUSDT"), 50, 200)
    assert longs and shorts


def test_coins_move_together_but_not_as_one() -> None:
    market = SyntheticMarket(DEFAULT_SEED, START_MS, 400)
    returns = {symbol: np.diff(np.log(daily(market, "linear", symbol).close)) for symbol in LINEAR_TICKS}
    for symbol in ("ETHUSDT", "SOLUSDT"):
        assert 0.6 < np.corrcoef(returns["BTCUSDT"], returns[symbol])[0, 1] < 0.97
    windows = [
        np.corrcoef(returns["BTCUSDT"][end - 30 : end], returns["ETHUSDT"][end - 30 : end])[0, 1]
        for end in range(30, len(returns["BTCUSDT"]))
    ]
    assert min(windows) < 0.85 and max(windows) > 0.9  # TR-13's episodes begin and end.


def test_with_the_default_seed_every_engine_has_its_occasion_within_40_days(default: SyntheticMarket) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT"):
        perp = daily(default, "linear", symbol)
        assert trend_days(perp, 50, 200)[0][0] == 0  # TR-3 for TREND-1 at the very first close
        assert trend_days(perp, 20, 100)[0][0] == 0  # and for TREND-2 (TR-11)
        assert min(trend_days(perp, 20, 100)[1]) < 40
        settled = default.funding_history(symbol, START_MS, START_MS + 40 * DAY_MS, 1000, START_MS + 40 * DAY_MS)
        oldest_first = [rate for _, rate in reversed(settled)]
        entry = next(
            row for row in range(1, len(oldest_first)) if oldest_first[row] > D("0.0001") and oldest_first[row - 1] > 0
        )
        assert entry < 6  # FU-2 within two days
        assert any(rate < 0 for rate in oldest_first[entry:])  # FU-3: exit on a negative rate
    fearful = [at for at, value in default.fear_greed(START_MS + 40 * DAY_MS, 40) if value < 20]
    assert fearful and min(fearful) > START_MS + 5 * DAY_MS  # TA-2, after the trend was seen
    spot = daily(default, "spot", "BTCUSDT")
    halved = cycle_days(spot)[(drawdown(spot) <= -0.5) & (cycle_days(spot) >= 0)]
    assert halved[0] < 40  # TA-1


def test_the_predicted_rate_converges_on_the_settled_one(default: SyntheticMarket) -> None:
    """F2: the exchange's current predicted rate comes from the premium so far."""
    for settle_ms in range(START_MS + FUNDING_INTERVAL_MS, START_MS + 10 * DAY_MS, FUNDING_INTERVAL_MS):
        settled = default.funding_rate("BTCUSDT", settle_ms)
        assert settled is not None
        assert default.predicted_rate("BTCUSDT", settle_ms) == settled
        assert abs(default.predicted_rate("BTCUSDT", settle_ms - 1) - settled) < D("0.0000001")
    early = default.predicted_rate("BTCUSDT", START_MS + HOUR_MS)
    assert early != default.funding_rate("BTCUSDT", START_MS + FUNDING_INTERVAL_MS)
