"""The curve of `eternal equity`: drawdown without flows, pages, the line of blocks."""

from __future__ import annotations

from typing import Any, cast

import pytest

from api.cli.asking.equity import BLOCKS, PAGE, PLAIN_BLOCKS, blocks_for, curve_of, read_curve, sparkline
from api.client.models import PagePerformanceDay, PerformanceDay
from api.client.operations import Operations
from statemachines.values import DAY_MS


def day(number: int, made: str | None, equity: str = "100", flow: str = "0") -> PerformanceDay:
    names = ("staked", "turnover", "decided", "slippage", "fees", "funding", "harvest", "earned", "forgone")
    fields = {
        "day_ms": number * DAY_MS,
        "engine": "total",
        "equity_usdt": equity,
        "flow_usdt": flow,
        "day_return": made,
    }
    return cast(
        PerformanceDay, {**fields, "day_return": made, **{f"{name}_usdt": "0" for name in names}, "policy_version": 1}
    )


def test_the_drawdown_is_of_returns_and_a_withdrawal_is_none() -> None:
    """P4: of 100, 20 are withdrawn and nothing is lost; then a tenth is lost, and half of that won back."""
    curve = curve_of([day(0, None), day(1, "0", "80", "-20"), day(2, "-0.1", "72"), day(3, "0.05", "75.6")])
    assert curve.below == pytest.approx([0, 0, -0.1, -0.055])
    assert curve.gained == pytest.approx(-0.055)


def test_of_no_day_and_of_one_day_there_is_no_return() -> None:
    assert curve_of([]) == ([], [], None)
    assert curve_of([day(0, "0.5")])[1:] == ([0.0], None)


class _Pages:
    """Answers pages of the newest days first."""

    def __init__(self, count: int) -> None:
        self.days = [day(number, "0") for number in range(count)][::-1]
        self.sizes: list[int] = []

    def call(self, kind: type[Any], method: str, path: str, *, query: Any = None, **_more: Any) -> Any:
        start, size = int(query["before"] or 0), int(query["limit"])
        self.sizes.append(size)
        end = start + size
        found: PagePerformanceDay = {"rows": self.days[start:end], "next": str(end) if end < len(self.days) else None}
        return found


@pytest.mark.parametrize(
    ("days", "newest", "sizes", "read"),
    [(5, 3, [3], 3), (5, 5, [5], 5), (5, 90, [90], 5), (PAGE + 5, None, [PAGE, PAGE], PAGE + 5), (0, None, [PAGE], 0),
     (PAGE + 5, PAGE + 2, [PAGE, 2], PAGE + 2)],
)  # fmt: skip
def test_so_many_pages_are_read_as_the_range_needs(days: int, newest: int | None, sizes: list[int], read: int) -> None:
    pages = _Pages(days)
    curve = read_curve(Operations(pages), "total", newest)
    assert (pages.sizes, len(curve.days)) == (sizes, read)
    assert [one["day_ms"] for one in curve.days] == sorted(one["day_ms"] for one in curve.days)


def test_the_line_of_blocks_spans_from_the_lowest_to_the_highest_value() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 80) == BLOCKS
    assert sparkline([1, 1, 1], 80) == BLOCKS[0] * 3 and sparkline([], 80) == ""
    narrow = sparkline(list(range(100)), 10)
    assert len(narrow) == 10 and narrow[0] == BLOCKS[0] and narrow[-1] == BLOCKS[-1], "the newest of each part"
    assert blocks_for("utf-8") == blocks_for("UTF8") == BLOCKS and blocks_for("ascii") == PLAIN_BLOCKS
    assert PLAIN_BLOCKS.isascii() and len(PLAIN_BLOCKS) == len(BLOCKS)
