"""No answer of the market at an instant depends on anything after it (TR-1, D1, F2, A5; DESIGN section 3).

Each example builds the market twice: as it is, and with everything after ``now`` rewritten. Both must answer alike.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.simulator.market.path import DAY_MS, HOUR_MS, OFFSETS_MS, hour_of, passed
from infra.simulator.market.port import PriceKind
from infra.simulator.market.premium import Premium
from infra.simulator.market.tape import INTERVALS_MS, Funding, Tape, TapeMarket

from .make import START_MS, Row, rows, series

DAYS = 24
END_MS = START_MS + DAYS * DAY_MS
KINDS: tuple[PriceKind, ...] = ("last", "mark", "index")

SPOT = rows(DAYS * 24, seed=1)
PERP = [row for row in rows(DAYS * 24, seed=2) if (row[0] // HOUR_MS) % 37]
MARK = rows(DAYS * 24 - 100, START_MS + 100 * HOUR_MS, seed=3)
DAILY = [(start_ms, 100.0, 130.0, 70.0, 101.0, 5.0) for start_ms in range(START_MS, END_MS, DAY_MS)]
FUNDING = [(settle_ms, Decimal(settle_ms // HOUR_MS % 9) / 10000) for settle_ms in range(START_MS, END_MS, 8 * HOUR_MS)]
FEED = [(day_ms, (day_ms // DAY_MS) % 100) for day_ms in range(START_MS, END_MS, DAY_MS)]


def market(
    spot: list[Row], perp: list[Row], mark: list[Row], daily: list[Row], funding: Funding, feed: list[tuple[int, int]]
) -> TapeMarket:
    days = {("spot", "BTCUSDT"): series(daily, DAY_MS)} if daily else {}
    return TapeMarket(
        Tape(
            label="test",
            start_ms=START_MS,
            end_ms=END_MS,
            hours={("spot", "BTCUSDT"): series(spot), ("linear", "BTCUSDT"): series(perp)},
            days=days,
            marks={"BTCUSDT": series(mark)} if mark else {},
            funding={"BTCUSDT": funding},
            fear_greed=feed,
            dvol=[(day_ms, Decimal(value)) for day_ms, value in feed],
        )
    )


def other_future(row: Row, now_ms: int) -> Row:
    """The row with everything changed that lies after ``now``; a passed path point stays what it was."""
    start_ms, open_, high, low, close, volume = row
    if start_ms + HOUR_MS <= now_ms:
        return row
    seen = passed(start_ms, now_ms)
    rises = close >= open_
    if seen == 0:
        return start_ms, open_ * 3, open_ * 5, open_ * 2, open_ * 4, volume + 7
    if seen == 1:
        return start_ms, open_, open_ * 5, open_ / 2, open_ * 4, volume + 7
    if seen == 2:
        return (
            (start_ms, open_, high * 5, low, high * 4, volume + 7)
            if rises
            else (start_ms, open_, high, low / 5, low / 4, volume + 7)
        )
    if seen == 3:
        return start_ms, open_, high, low, high if rises else low, volume + 7
    return start_ms, open_, high, low, close, volume + 7


@settings(max_examples=120)
@given(
    hour=st.integers(0, DAYS * 24 - 1),
    into_ms=st.one_of(
        st.sampled_from([offset + nudge for offset in OFFSETS_MS for nudge in (0, 1)]), st.integers(0, HOUR_MS - 1)
    ),
    from_day=st.integers(0, DAYS),
    limit=st.integers(1, 50),
)
def test_answers_do_not_depend_on_the_future(hour: int, into_ms: int, from_day: int, limit: int) -> None:
    now_ms = START_MS + hour * HOUR_MS + into_ms
    real = market(SPOT, PERP, MARK, DAILY, Funding(*zip(*FUNDING, strict=True)), FEED)
    twin = market(
        [other_future(row, now_ms) for row in SPOT],
        [other_future(row, now_ms) for row in PERP],
        [other_future(row, now_ms) for row in MARK],
        [row if row[0] + DAY_MS <= now_ms else (row[0], 1.0, 2.0, 0.5, 1.5, 9.0) for row in DAILY],
        Funding(*zip(*[(at, rate if at <= now_ms else rate + 1) for at, rate in FUNDING], strict=True)),
        FEED,
    )
    hidden_feed = replace(
        twin.tape,
        fear_greed=[(at, value if at <= now_ms else value + 1) for at, value in FEED],
        dvol=[(at, Decimal(value if at + DAY_MS <= now_ms else value + 1)) for at, value in FEED],
    )
    twin = TapeMarket(hidden_feed)

    from_ms = START_MS + from_day * DAY_MS
    for category in ("spot", "linear"):
        for kind in KINDS:
            for interval in INTERVALS_MS:
                query = (category, "BTCUSDT", interval, from_ms, END_MS, limit, kind, now_ms)
                got = real.bars(*query)
                assert got == twin.bars(*query)
                assert len(got) <= limit
                assert all(from_ms <= bar.start_ms <= now_ms for bar in got)
                assert [bar.start_ms for bar in got] == sorted({bar.start_ms for bar in got})
    assert real.funding_history("BTCUSDT", 0, END_MS, limit, now_ms) == twin.funding_history(
        "BTCUSDT", 0, END_MS, limit, now_ms
    )
    assert real.predicted_rate("BTCUSDT", now_ms) == twin.predicted_rate("BTCUSDT", now_ms)
    assert real.fear_greed(now_ms, limit) == twin.fear_greed(now_ms, limit)
    assert real.dvol(now_ms) == twin.dvol(now_ms)
    assert all(at <= now_ms for at, _ in real.fear_greed(now_ms, 99))
    assert all(at + DAY_MS <= now_ms for at, _ in real.dvol(now_ms))


@settings(max_examples=150)
@given(now_ms=st.integers(START_MS + 1, START_MS + 3 * DAY_MS - 1))
def test_the_premium_so_far_does_not_depend_on_the_future(now_ms: int) -> None:
    spot, perp = rows(72, seed=4), rows(72, seed=5)
    real = Premium(series(perp), series(spot))
    # A point that passes exactly at ``now`` has stood for no time yet, so it may weigh nothing either way.
    twin = Premium(series([other_future(r, now_ms) for r in perp]), series([other_future(r, now_ms) for r in spot]))
    assert real.so_far(now_ms) == twin.so_far(now_ms)


def test_the_rate_about_to_settle_is_not_shown_before_it_settles() -> None:
    rates = Funding([START_MS, START_MS + 8 * HOUR_MS], [Decimal("0.0001"), Decimal("0.0009")])
    made = market(SPOT, PERP, MARK, DAILY, rates, FEED)
    settle_ms = START_MS + 8 * HOUR_MS
    assert made.predicted_rate("BTCUSDT", settle_ms - 1) == Decimal("0.0001")
    assert made.predicted_rate("BTCUSDT", settle_ms) == Decimal("0.0009")
    assert made.predicted_rate("BTCUSDT", START_MS - 1) == 0
    assert made.next_funding_ms("BTCUSDT", settle_ms - 1) == settle_ms
    assert made.next_funding_ms("BTCUSDT", settle_ms) == settle_ms + 8 * HOUR_MS
    assert made.funding_rate("BTCUSDT", settle_ms) == Decimal("0.0009")
    assert made.funding_rate("BTCUSDT", settle_ms + HOUR_MS) is None


def test_an_hour_is_closed_exactly_at_its_end_and_shows_its_volume_only_then() -> None:
    made = market(SPOT, PERP, MARK, DAILY, Funding([], []), FEED)
    before, after = (
        made.bars("spot", "BTCUSDT", "60", START_MS, START_MS, 1, "last", START_MS + HOUR_MS + nudge)[0]
        for nudge in (-1, 0)
    )
    assert before.volume == 0 and before.close == after.close
    assert after == made.hour("spot", "BTCUSDT", START_MS) and after.volume > 0
    assert np.isclose(
        float(after.turnover), float(after.volume * (after.high + after.low + after.close) / 3), atol=1e-3
    )
    assert hour_of(START_MS + HOUR_MS - 1) == START_MS
