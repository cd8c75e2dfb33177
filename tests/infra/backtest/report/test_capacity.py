"""EX-8, X4: the capacity page: orders by their size against the market, and what the size cost."""

from __future__ import annotations

from infra.backtest import records
from infra.backtest.report.analysis import analyse
from infra.backtest.report.capacity import UNKNOWN, CapacityLine, capacity_of
from infra.backtest.report.page.page import render
from tests.infra.backtest.report.sample import fill, record, table


def test_the_parts_of_one_decision_count_as_one_order_of_their_size_together() -> None:
    rows = [
        fill(
            day, "TREND-1", "Buy", 1.0, 100.0, order_id=f"abct11-{day}", volume_share=0.006, slippage_usdt=0.5,
            shortfall_usdt=0.25,
        )
        for day in (1, 2)
    ]  # fmt: skip
    (line,) = capacity_of(table(rows, records.FILLS))
    assert line == CapacityLine("TREND-1", "1 to 10 %", 1, 2, 200.0, 0.012, 0.012, 0.005, 0.0025)


def test_sizes_are_classes_of_their_own_and_an_unknown_volume_is_no_small_one() -> None:
    rows = [
        fill(1, "CORE-HODL", "Buy", 1.0, 100.0, order_id="a1-1", volume_share=0.0009),
        fill(2, "CORE-HODL", "Buy", 1.0, 100.0, order_id="a2-1", volume_share=0.5),
        fill(3, "CORE-HODL", "Buy", 1.0, 100.0, order_id="a3-1", volume_share=None),
        fill(4, "CORE-HODL", "Sell", 1.0, 100.0, order_id="a4-1", kind="liquidation"),
    ]
    lines = capacity_of(table(rows, records.FILLS))
    assert [(line.size, line.orders) for line in lines] == [("up to 0.1 %", 1), ("above 10 %", 1), (UNKNOWN, 1)]
    assert lines[-1].mean_share is None and lines[-1].largest_share is None


def test_a_run_without_trades_has_no_lines() -> None:
    assert capacity_of(table([], records.FILLS)) == []


def test_the_page_shows_it() -> None:
    page = render(analyse(record()))
    section = page.split('id="capacity"', 1)[1].split("<h2", 1)[0]
    assert "up to 0.1 %" in section and "Shortfall" in section
