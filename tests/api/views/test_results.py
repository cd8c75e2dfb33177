"""Gains by period add up to the change of equity without the flows, however the days are cut (P4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.views.results import SUMS, by_period
from statemachines.values import DAY_MS

FEB_2025 = 20_120 * DAY_MS
"""2025-02-01."""


def day(at: int, equity: int, flow: int = 0, engine: str = "total") -> dict[str, Any]:
    return {
        "engine": engine,
        "day_ms": FEB_2025 + at * DAY_MS,
        "equity_usdt": Decimal(equity),
        **dict.fromkeys(SUMS, Decimal(1)),
        "flow_usdt": Decimal(flow),
    }


def test_a_deposit_is_no_profit() -> None:
    newest_first = [day(1, 1_610, 500), day(0, 1_100), day(-1, 1_000)]
    rows = by_period(newest_first, [], "month", FEB_2025, {})
    assert [(row["period"], row["profit_usdt"], row["flow_usdt"], row["days"]) for row in rows] == [
        ("2025-02", 110, 500, 2)
    ]
    assert rows[0]["fees_usdt"] == 2 and rows[0]["equity_usdt"] == 1_610


def test_a_day_without_a_close_before_has_no_profit_and_is_not_counted() -> None:
    """The first day ever, and a gap: what happened in between belongs to no day."""
    (row,) = by_period([day(3, 900), day(1, 500), day(0, 400)], [], "all", FEB_2025, {})
    assert (row["profit_usdt"], row["days"], row["days_counted"]) == (100, 3, 1)


def test_on_its_first_day_an_engine_had_nothing_before_and_its_capital_is_a_flow() -> None:
    """Equity less flows differed from the sum of all profits by what the first day had brought."""
    first = {"total": FEB_2025}
    (row,) = by_period([day(1, 1_020), day(0, 997, flow=1_000)], [], "all", FEB_2025, first)
    assert (row["profit_usdt"], row["days_counted"]) == (20, 2)
    assert row["equity_usdt"] - row["flow_usdt"] == row["profit_usdt"]


def test_fills_count_for_their_engine_and_for_the_whole() -> None:
    days = [day(0, 10), day(0, 5, engine="trend-1")]
    fills = [{"engine": "trend-1", "day_ms": FEB_2025, "fills": 2, "realised_usdt": Decimal(7)}]
    found = {row["engine"]: (row["realised_usdt"], row["fills"]) for row in by_period(days, fills, "day", FEB_2025, {})}
    assert found == {"total": (7, 2), "trend-1": (7, 2)}


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(-1_000, 1_000)), min_size=2, max_size=80))
def test_every_cut_adds_up_to_the_same(days: list[tuple[int, int]]) -> None:
    rows = [day(at, *figures) for at, figures in reversed(list(enumerate(days)))]
    sums = {}
    for period in ("day", "month", "year", "all"):
        parts = by_period(rows, [], period, FEB_2025, {})
        sums[period] = sum((row["profit_usdt"] for row in parts), Decimal(0))
        assert sum(row["days"] for row in parts) == len(days)
        assert len({row["period"] for row in parts}) == len(parts)
    flows = sum(flow for _, flow in days[1:])
    assert set(sums.values()) == {Decimal(days[-1][0] - days[0][0] - flows)}
