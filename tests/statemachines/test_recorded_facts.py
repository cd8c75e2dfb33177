"""Facts of the recorded history, found by our own reader, indicators and rules, as independent computations found them:
drawdowns, crossings of averages, trend strength, funding, fear, correlation."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.port import Bar
from statemachines.indicators import vector
from statemachines.tactical.rules import drawdown
from statemachines.values import DAY_MS, HOUR_MS
from tests.shared import shared_path

ASSETS = ("btc", "eth", "sol")
END_MS = int(datetime(2025, 7, 1, tzinfo=UTC).timestamp()) * 1000
EIGHT_HOURS_MS = 8 * HOUR_MS
LEVELS = {"first_-20%": Decimal("-0.20"), "first_-50%": Decimal("-0.50"), "first_-70%": Decimal("-0.70")}


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_path("history") / "facts.json").read_text())
    return found


@pytest.fixture(scope="module")
def market() -> HistoryMarket:
    return HistoryMarket(shared_path("history"))


def days(market: HistoryMarket, asset: str) -> list[Bar]:
    """Our market's daily bars. A listing day that is not whole is no bar to us; the facts count it: it is put back."""
    symbol = f"{asset.upper()}USDT"
    bars = market.bars("spot", symbol, "D", 0, END_MS - DAY_MS, 10_000, "last", END_MS)
    first = pl.read_parquet(shared_path("history") / f"{asset}_usdt_spot_1d.parquet").row(0, named=True)
    start_ms = int(first["ts"].replace(tzinfo=UTC).timestamp()) * 1000
    if start_ms == bars[0].start_ms:
        return bars
    opened, high, low, closed, volume = (
        Decimal(str(first[name])) for name in ("open", "high", "low", "close", "volume")
    )
    return [Bar(start_ms, opened, high, low, closed, volume, Decimal(0)), *bars]


def day(start_ms: int) -> str:
    return datetime.fromtimestamp(start_ms / 1000, UTC).strftime("%Y-%m-%d")


def hour(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def columns(bars: list[Bar]) -> tuple[vector.Vector, vector.Vector, vector.Vector]:
    return tuple(np.array([float(getattr(bar, name)) for bar in bars]) for name in ("high", "low", "close"))  # type: ignore[return-value]


def crossings(bars: list[Bar], above: Any, known: Any, words: tuple[str, str]) -> list[str]:
    """Days on which a condition turns true or false, once it is known."""
    found, before = [], None
    for bar, is_above, is_known in zip(bars, above, known, strict=True):
        if not is_known:
            continue
        if before is not None and is_above != before:
            found.append(f"{day(bar.start_ms)} {words[0] if is_above else words[1]}")
        before = is_above
    return found


@pytest.mark.parametrize("asset", ASSETS)
def test_crossings_of_the_averages_and_days_of_trend(asset: str, facts: dict[str, Any], market: HistoryMarket) -> None:
    """TR-2, TR-3, TR-4: closes against SMA200, golden and death crosses, ADX above 25."""
    known = facts["indicators"][asset]
    bars = days(market, asset)
    assert (len(bars), day(bars[0].start_ms), day(bars[-1].start_ms)) == (known["bars"], known["first"], known["last"])
    high, low, close = columns(bars)
    slow, fast = vector.sma(close, 200), vector.sma(close, 50)
    adx, atr = vector.adx(high, low, close, 14), vector.atr(high, low, close, 14)
    crossed = crossings(bars, close > slow, np.isfinite(slow), ("up", "down"))
    assert crossed == known["close_cross_sma200"]
    assert len(crossed) == known["close_cross_sma200_count"]
    assert crossings(bars, fast > slow, np.isfinite(slow), ("golden", "death")) == known["golden_death"]
    assert np.mean((close > slow)[np.isfinite(slow)]) == pytest.approx(known["share_above_sma200"], abs=5e-5)
    valid = np.isfinite(adx)
    assert day(bars[int(np.argmax(valid))].start_ms) == known["adx_first_valid"]
    assert (int(valid.sum()), int((adx[valid] > 25).sum())) == (known["adx_days"], known["adx_gt25_days"])
    by_year: dict[str, int] = {}
    for bar, value in zip(bars, adx, strict=True):
        if value > 25:
            by_year[day(bar.start_ms)[:4]] = by_year.get(day(bar.start_ms)[:4], 0) + 1
    assert by_year == known["adx_gt25_by_year"]
    top = int(np.nanargmax(adx))
    assert [day(bars[top].start_ms), round(float(adx[top]), 2)] == known["adx_max"]
    place = {day(bar.start_ms): row for row, bar in enumerate(bars)}
    for date, values in known["spot_values"].items():
        row = place[date]
        ours = {"close": close[row], "sma50": fast[row], "sma200": slow[row], "adx14": adx[row], "atr14": atr[row]}
        for name, value in ours.items():
            assert value == pytest.approx(values[name], abs=6e-5), (date, name)


@pytest.mark.parametrize("asset", ASSETS)
def test_drawdowns_from_the_highest_close(asset: str, facts: dict[str, Any], market: HistoryMarket) -> None:
    """TA-1, CH-8, TA-10: the days on which each level was first reached below each high of the listed episodes."""
    bars = days(market, asset)
    place = {day(bar.start_ms): row for row, bar in enumerate(bars)}
    for episode in facts["drawdowns"][f"{asset}_usdt_spot_1d"]:
        start = place[episode["ath_date"]]
        end = place[episode["new_ath"]] if episode["new_ath"] else len(bars)
        top = bars[start].close
        assert float(top) == episode["ath_close"]
        assert max(bar.close for bar in bars[: start + 1]) == top
        assert all(bar.close <= top for bar in bars[start:end])
        depths = [drawdown(bar.close, top) for bar in bars[start:end]]
        for name, level in LEVELS.items():
            first = next((row for row, depth in enumerate(depths) if depth <= level), None)
            assert (None if first is None else day(bars[start + first].start_ms)) == episode[name], name
        lowest = min(range(len(depths)), key=lambda row: depths[row])
        assert day(bars[start + lowest].start_ms) == episode["trough"]
        assert float(depths[lowest]) == pytest.approx(episode["max_drawdown"], abs=5e-5)
        if end < len(bars):
            assert bars[end].close > top


@pytest.mark.parametrize("stem", ["funding_btc", "funding_eth", "funding_sol_2024"])
def test_funding_as_settled(stem: str, facts: dict[str, Any], market: HistoryMarket) -> None:
    """FU-2, FU-3, FU-8: shares, extremes and the longest negative streak of the settled rates."""
    known = facts["funding"][stem]
    symbol = f"{stem.split('_')[1].upper()}USDT"
    settled = market.funding_history(symbol, 0, END_MS, 100_000, END_MS)[::-1]
    until = [at for at, _ in settled if hour(at) <= known["last"]]
    rates = [(at, rate) for at, rate in settled if at <= until[-1]]
    assert (len(rates), hour(rates[0][0]), hour(rates[-1][0])) == (known["periods"], known["first"], known["last"])
    values = np.array([float(rate) for _, rate in rates])
    assert np.mean(values > 0) == pytest.approx(known["share_positive"], abs=5e-5)
    assert np.mean(values < 0) == pytest.approx(known["share_negative"], abs=5e-5)
    assert np.mean([rate == Decimal("0.0001") for _, rate in rates]) == pytest.approx(
        known["share_exactly_0.01%"], abs=5e-5
    )
    assert np.mean(values) * 3 * 365 == pytest.approx(known["mean_annualised"], abs=5e-5)
    lowest, highest = int(np.argmin(values)), int(np.argmax(values))
    assert [hour(rates[lowest][0]), round(values[lowest], 8)] == known["min"]
    assert [hour(rates[highest][0]), round(values[highest], 8)] == known["max"]
    longest, start, run = 0, 0, 0
    for row, value in enumerate(values):
        run = run + 1 if value < 0 else 0
        if run > longest:
            longest, start = run, row - run + 1
    assert (longest, hour(rates[start][0])) == (known["longest_negative_streak"], known["longest_negative_start"])


def test_days_of_fear(facts: dict[str, Any], market: HistoryMarket) -> None:
    """TA-2: values below 20 and the spells of them."""
    known = facts["fear_greed"]
    values = market.fear_greed(END_MS, 100_000)[::-1]
    assert len(values) == known["days"]
    assert np.mean([value for _, value in values]) == pytest.approx(known["mean"], abs=5e-4)
    fearful = [(at, value) for at, value in values if value < 20]
    assert len(fearful) == known["days_lt20"]
    spells: list[list[tuple[int, int]]] = []
    for at, value in fearful:
        if spells and at - spells[-1][-1][0] == DAY_MS:
            spells[-1].append((at, value))
        else:
            spells.append([(at, value)])
    told = [[day(s[0][0]), day(s[-1][0]), len(s), min(value for _, value in s)] for s in spells]
    assert len(told) == known["episodes_lt20"]
    assert told[: len(known["episodes"])] == known["episodes"]


def test_correlation_of_btc_and_eth(facts: dict[str, Any], market: HistoryMarket) -> None:
    """TR-13: Pearson's correlation of 30 daily log returns."""
    known = facts["corr30"]
    _, _, btc = columns(days(market, "btc"))
    _, _, eth = columns(days(market, "eth"))
    bars = days(market, "btc")
    found = [
        (bars[row].start_ms, value)
        for row in range(30, len(btc))
        if (value := vector.correlation(btc[row - 30 : row + 1], eth[row - 30 : row + 1])) is not None
    ]
    values = np.array([value for _, value in found])
    assert len(values) == known["days"]
    assert np.mean(values) == pytest.approx(known["mean"], abs=5e-5)
    assert np.mean(values > 0.9) == pytest.approx(known["btc_eth_gt_0.9_share"], abs=5e-5)
    lowest = int(np.argmin(values))
    assert [day(found[lowest][0]), round(float(values[lowest]), 4)] == known["min"]


def test_correlation_of_btc_and_sol(facts: dict[str, Any], market: HistoryMarket) -> None:
    """TR-13: the same of the pair that trades later, over the days both have."""
    known = facts["corr30"]
    sol_days = days(market, "sol")
    by_day = {bar.start_ms: bar for bar in days(market, "btc")}
    _, _, sol = columns(sol_days)
    _, _, btc = columns([by_day[bar.start_ms] for bar in sol_days])
    found = [vector.correlation(btc[row - 30 : row + 1], sol[row - 30 : row + 1]) for row in range(30, len(sol))]
    values = np.array([value for value in found if value is not None])
    assert np.mean(values) == pytest.approx(known["btc_sol_mean"], abs=5e-5)
    assert np.mean(values > 0.9) == pytest.approx(known["btc_sol_gt_0.9_share"], abs=5e-5)


@pytest.mark.parametrize("asset", ["btc", "eth", "sol"])
def test_volatility_of_the_daily_returns(asset: str, facts: dict[str, Any], market: HistoryMarket) -> None:
    """The whole series' volatility, annualised over 365 days."""
    _, _, close = columns(days(market, asset))
    returns = np.diff(np.log(close))
    assert np.std(returns, ddof=1) * np.sqrt(365) == pytest.approx(facts["vol"][asset]["all"], abs=5e-4)
