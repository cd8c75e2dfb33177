"""Bars of every interval are made of the one price path; a closed bar never changes and shows no future."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from infra.simulator.market.bars.intervals import ALL_INTERVALS, MINUTES_MS, bar_end, bar_start, last_start
from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.port import Bar
from infra.simulator.market.synthetic import SyntheticMarket
from infra.simulator.market.ticks import TickMarket

START_MS = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
BTC = ("linear", "BTCUSDT")
HOUR = START_MS + 30 * HOUR_MS


@pytest.fixture(scope="module")
def stepped() -> SyntheticMarket:
    return SyntheticMarket(2, START_MS, 3, 420)


@pytest.fixture(scope="module")
def ticking(stepped: SyntheticMarket) -> TickMarket:
    return TickMarket(stepped, 1_000)


def instant(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]


def test_bars_begin_on_the_grid_of_their_interval() -> None:
    moment = instant(2026, 3, 4, 13, 47, 12)  # a Wednesday
    begins = {"1": (4, 13, 47), "3": (4, 13, 45), "15": (4, 13, 45), "240": (4, 12, 0), "D": (4, 0, 0), "W": (2, 0, 0)}
    for interval, (day, hour, minute) in begins.items():
        assert bar_start(interval, moment) == instant(2026, 3, day, hour, minute), interval
    assert bar_start("M", moment) == instant(2026, 3, 1)
    assert bar_end("M", instant(2026, 12, 1)) == instant(2027, 1, 1)
    assert bar_end("W", instant(2026, 3, 2)) == instant(2026, 3, 9)
    ends = {"5": (2, 0, 5), "D": (3, 0, 0), "W": (9, 0, 0)}
    for interval, (day, hour, minute) in ends.items():
        assert last_start(interval, instant(2026, 3, day, hour, minute)) == instant(2026, 3, 2), interval
        assert last_start(interval, instant(2026, 3, day, hour, minute) + 60_000) is None, interval
    assert last_start("M", instant(2026, 3, 1)) == instant(2026, 2, 1) and last_start("M", moment) is None


@pytest.mark.parametrize("interval", MINUTES_MS)
@pytest.mark.parametrize("kind", ["stepped", "ticking"])
def test_the_parts_of_an_hour_make_the_hour(kind: str, interval: str, request: pytest.FixtureRequest) -> None:
    market = request.getfixturevalue(kind)
    parts = market.bars(*BTC, interval, HOUR, HOUR + HOUR_MS - 1, 100, "last", HOUR + 2 * HOUR_MS)
    hour = market.hour(*BTC, HOUR)
    assert hour is not None and len(parts) == HOUR_MS // MINUTES_MS[interval]
    assert (parts[0].open, parts[-1].close) == (hour.open, hour.close)
    assert (max(one.high for one in parts), min(one.low for one in parts)) == (hour.high, hour.low)
    volume = sum(one.volume for one in parts)
    whole = hour.volume if kind == "ticking" else market.hour(*BTC, HOUR - HOUR_MS).volume
    assert volume == pytest.approx(whole, rel=Decimal("0.0001"))


@pytest.mark.parametrize("interval", ALL_INTERVALS)
@pytest.mark.parametrize("kind", ["stepped", "ticking"])
def test_a_closed_bar_is_the_same_at_its_end_and_ever_after(
    kind: str, interval: str, request: pytest.FixtureRequest
) -> None:
    market = request.getfixturevalue(kind)
    end_ms = bar_start(interval, HOUR + 45 * 60_000)
    start_ms = bar_start(interval, end_ms - 1)

    def seen(now_ms: int) -> list[Bar]:
        found: list[Bar] = market.bars(*BTC, interval, start_ms, start_ms, 1, "last", now_ms)
        return found

    (at_its_end,) = seen(end_ms)
    assert at_its_end.start_ms == start_ms
    assert seen(START_MS + 2 * DAY_MS) == [at_its_end]
    (running,) = market.bars(*BTC, interval, end_ms, end_ms, 1, "last", end_ms + 30_000)
    assert running.open == market.path_point(*BTC, end_ms, 0) if interval == "60" else running.start_ms == end_ms


def test_a_page_ends_with_its_limit_newest_last() -> None:
    market = SyntheticMarket(2, START_MS, 3, 420)
    page = market.bars(*BTC, "5", 0, HOUR + HOUR_MS, 30, "last", HOUR + HOUR_MS)
    assert [bar.start_ms for bar in page] == [HOUR + HOUR_MS - back * 300_000 for back in range(29, -1, -1)]
    assert market.bars(*BTC, "1", HOUR, HOUR + 90_000, 9, "mark", HOUR + 90_000)[-1].start_ms == HOUR + 60_000
    months = market.bars(*BTC, "M", 0, HOUR, 5, "last", HOUR)
    assert [datetime.fromtimestamp(bar.start_ms / 1000, UTC).day for bar in months] == [1] * 5
