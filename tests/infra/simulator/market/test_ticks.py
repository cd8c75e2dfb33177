"""A market with a price every second: its closed bars are those of the market it was drawn from."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest

from infra.simulator.market.path import DAY_MS, HOUR_MS, PathPoints
from infra.simulator.market.synthetic import SyntheticMarket
from infra.simulator.market.ticks import TickMarket

START_MS = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
SHIFT_MS = 30 * DAY_MS
HOUR = START_MS + SHIFT_MS + 5 * HOUR_MS


@pytest.fixture(scope="module")
def base() -> SyntheticMarket:
    return SyntheticMarket(2, START_MS, 3, 420)


@pytest.fixture(scope="module")
def ticking(base: SyntheticMarket) -> TickMarket:
    return TickMarket(base, 1_000, SHIFT_MS, seed=2)


def ticks(market: TickMarket, category: str, symbol: str, hour_ms: int) -> list[Decimal]:
    found = [market.path_point(category, symbol, hour_ms, index) for index in range(3_600)]
    assert all(price is not None for price in found)
    return [price for price in found if price is not None]


@pytest.mark.parametrize("category", ["spot", "linear"])
def test_the_ticks_of_an_hour_make_exactly_its_bar(base: SyntheticMarket, ticking: TickMarket, category: str) -> None:
    bar = base.hour(category, "BTCUSDT", HOUR - SHIFT_MS)
    seen = ticks(ticking, category, "BTCUSDT", HOUR)
    assert bar is not None
    assert (seen[0], max(seen), min(seen), seen[-1]) == (bar.open, bar.high, bar.low, bar.close)
    assert len(set(seen)) > 50, "it moves"
    assert all(price % Decimal("0.1") == 0 for price in seen), "on the tick"


def test_it_moves_in_small_steps_and_is_the_same_each_time(base: SyntheticMarket, ticking: TickMarket) -> None:
    seen = ticks(ticking, "linear", "ETHUSDT", HOUR)
    assert max(abs(after - before) for before, after in pairwise(seen)) < (max(seen) - min(seen)) / 10
    assert seen == ticks(TickMarket(base, 1_000, SHIFT_MS, seed=2), "linear", "ETHUSDT", HOUR)
    assert seen != ticks(TickMarket(base, 1_000, SHIFT_MS, seed=3), "linear", "ETHUSDT", HOUR)


def test_spot_and_perpetual_walk_together(ticking: TickMarket) -> None:
    """A walk of each its own would invent a basis, which FUNDING trades on."""
    pairs = zip(ticks(ticking, "spot", "BTCUSDT", HOUR), ticks(ticking, "linear", "BTCUSDT", HOUR), strict=True)
    assert max(abs(linear / spot - 1) for spot, linear in pairs) < Decimal("0.005")


def test_the_running_bar_ends_with_the_newest_tick_and_the_closed_one_is_the_tape_s(
    base: SyntheticMarket, ticking: TickMarket
) -> None:
    now_ms = HOUR + 1_000_000
    *_, closed, running = ticking.bars("linear", "BTCUSDT", "60", 0, now_ms, 3, "last", now_ms)
    seen = ticks(ticking, "linear", "BTCUSDT", HOUR)[:1_001]
    assert (running.open, running.high, running.low, running.close) == (seen[0], max(seen), min(seen), seen[-1])
    before = base.hour("linear", "BTCUSDT", HOUR - SHIFT_MS - HOUR_MS)
    assert before is not None and closed == before._replace(start_ms=HOUR - HOUR_MS)
    day = ticking.bars("linear", "BTCUSDT", "D", 0, now_ms, 1, "last", now_ms)[-1]
    assert day.close == seen[-1]


def test_everything_is_shown_later(base: SyntheticMarket, ticking: TickMarket) -> None:
    assert ticking.start_ms == base.start_ms + SHIFT_MS and ticking.end_ms == base.end_ms + SHIFT_MS
    settled = base.start_ms + 8 * HOUR_MS
    assert ticking.funding_rate("BTCUSDT", settled + SHIFT_MS) == base.funding_rate("BTCUSDT", settled) is not None
    assert ticking.predicted_rate("BTCUSDT", HOUR) == base.predicted_rate("BTCUSDT", HOUR - SHIFT_MS)
    assert "synthetic" in ticking.label and "30 days later" in ticking.label


def test_what_cannot_be_is_refused(base: SyntheticMarket) -> None:
    with pytest.raises(ValueError, match="must divide the hour"):
        TickMarket(base, 7_000)
    with pytest.raises(ValueError, match="whole days"):
        TickMarket(base, 1_000, 5)


def test_points_of_an_hour() -> None:
    lockstep, second = PathPoints(), PathPoints(1_000)
    assert [lockstep.index_at(one) for one in (0, 1_199_999, 1_200_000, 3_599_000)] == [0, 0, 1, 3]
    assert (second.count, second.offset_ms(17), second.index_at(17_999)) == (3_600, 17_000, 17)
