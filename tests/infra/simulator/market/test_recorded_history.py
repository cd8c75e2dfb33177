"""The market port over the recorded history: what is known of it must come out (D1, D3, A5, F2)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest

from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.series import resampled
from tests.shared import shared_path


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def market() -> HistoryMarket:
    return HistoryMarket(shared_path("history"))


def test_everything_is_found_and_the_period_is_the_common_one(market: HistoryMarket) -> None:
    assert len(market.symbols()) == 6
    assert (market.start_ms, market.end_ms) == (at("2019-11-28"), at("2025-07-01"))
    assert all(one.first_ms is not None for one in market.coverage())
    gaps = {one.stem: one.gaps for one in market.coverage()}
    assert gaps["btc_usdt_spot_1h"] == gaps["eth_usdt_spot_1h"] == 122
    assert gaps["fear_greed"] == 4


def test_daily_bars_match_the_known_facts(market: HistoryMarket) -> None:
    facts = json.loads(shared_path("history", "facts.json").read_text())
    now_ms = market.end_ms
    days = market.bars("spot", "BTCUSDT", "D", 0, now_ms - DAY_MS, 10_000, "last", now_ms)
    assert len(days) == facts["indicators"]["btc"]["bars"]
    closes = {bar.start_ms: bar.close for bar in days}
    for episode in facts["drawdowns"]["btc_usdt_spot_1d"]:
        assert float(closes[at(episode["ath_date"])]) == episode["ath_close"]
    counted = [bar for bar in days if at("2018-01-01") <= bar.start_ms <= at("2021-04-13")]
    assert len(counted) == 1199


def test_daily_files_and_hourly_aggregates_have_the_same_prices(market: HistoryMarket) -> None:
    """So the 1d files add what lies before the hours, and decide nothing where both exist."""
    for key, daily in market.tape.days.items():
        hours = resampled(market.tape.hours[key], DAY_MS, 0)
        assert hours is not None
        for row, start_ms in enumerate(hours.starts):
            other = daily.row_at(int(start_ms))
            assert other is not None
            for name in ("open", "high", "low", "close"):
                assert getattr(hours, name)[row] == getattr(daily, name)[other], (key, start_ms, name)


def test_an_outage_is_a_gap(market: HistoryMarket) -> None:
    gap_ms = at("2018-02-08 12:00")
    assert market.hour("spot", "BTCUSDT", gap_ms) is None
    day = market.bars("spot", "BTCUSDT", "D", at("2018-02-08"), at("2018-02-08"), 1, "last", market.end_ms)
    assert len(day) == 1


def test_incomplete_listing_days_are_left_out(market: HistoryMarket) -> None:
    for category, symbol, first in (
        ("linear", "BTCUSDT", "2019-09-09"),
        ("linear", "ETHUSDT", "2019-11-28"),
        ("spot", "SOLUSDT", "2020-08-12"),
        ("linear", "SOLUSDT", "2020-10-24"),
        ("spot", "BTCUSDT", "2017-08-17"),
    ):
        days = market.bars(category, symbol, "D", 0, market.end_ms, 10_000, "last", market.end_ms)
        assert days[0].start_ms == at(first), (category, symbol)


def test_the_last_price_is_the_mark_before_marks_were_recorded(market: HistoryMarket) -> None:
    early, later = at("2019-12-20"), at("2020-01-02")
    assert market.mark_hour("BTCUSDT", early) == market.hour("linear", "BTCUSDT", early)
    assert market.mark_hour("BTCUSDT", later) != market.hour("linear", "BTCUSDT", later)


def test_funding_and_feeds_at_known_instants(market: HistoryMarket) -> None:
    worst_ms = at("2020-03-13 08:00")
    assert market.funding_rate("BTCUSDT", worst_ms) == D("-0.003")
    assert market.predicted_rate("BTCUSDT", worst_ms) == D("-0.003")
    before = market.funding_rate("BTCUSDT", worst_ms - 8 * HOUR_MS)
    assert market.predicted_rate("BTCUSDT", worst_ms - 1) == before != D("-0.003")
    assert market.funding_rate("SOLUSDT", at("2023-12-31 16:00")) is None
    assert market.fear_greed(at("2019-08-22") - 1, 1)[0][0] == at("2019-08-21")
    assert market.fear_greed(at("2019-08-22"), 1) == [(at("2019-08-22"), 5)]
    assert market.dvol(at("2022-11-10"))[0] == (at("2022-11-09"), D("114.72"))
    assert market.dvol(at("2022-11-10") - 1)[0][0] == at("2022-11-08")
