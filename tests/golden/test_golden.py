"""The golden run notices what it is there for (P3): a decision that changes, a line that is lost, a rule that moves."""

from __future__ import annotations

import pytest

from infra.config import load_config
from tests.golden import baseline
from tests.golden.projection import Projection, project
from tests.golden.runs import synthetic

DAYS = 75
"""Of the two synthetic years: all engines trade in them; `make golden` runs the whole and the recorded history."""


@pytest.fixture(scope="module")
def first_days() -> Projection:
    return project(synthetic(days=DAYS))


def test_first_days_of_the_faulty_synthetic_market_are_as_pinned(first_days: Projection) -> None:
    fills = [line for lines in first_days.values() for line in lines if " fill " in line]
    assert len(fills) > 100, "a run that traded nothing proves nothing"
    differences = baseline.compare(first_days, baseline.load("synthetic"), is_whole=False)
    assert not differences, "\n".join(map(str, differences))


def test_a_changed_parameter_is_noticed() -> None:
    """The planted defect: TR-3 with another threshold decides otherwise, and the first difference is TREND's."""
    lines = project(synthetic(days=20, config=load_config(settings=["trend.adx_threshold=60"])))
    differences = baseline.compare(lines, baseline.load("synthetic"), is_whole=False)
    assert {"TREND-1", "TREND-2"} & {one.group[0] for one in differences}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a", "b", "c"], None),
        (["a", "B", "c"], (1, "B", 1)),
        (["a", "b"], (2, "", 1)),
        (["a", "b", "c", "d"], (3, "d", 1)),
        ([], (0, "", 3)),
    ],
)
def test_the_first_differing_line_is_shown(lines: list[str], expected: tuple[int, str, int] | None) -> None:
    group = ("TREND-1", 2020)
    found = baseline.compare({group: lines}, {group: baseline.pin(["a", "b", "c"])})
    assert [(one.number, one.line, one.differing) for one in found] == ([] if expected is None else [expected])


def test_a_year_that_is_missing_or_new_is_a_difference() -> None:
    pinned = {("TREND-1", 2020): baseline.pin(["a"])}
    found = baseline.compare({("TREND-1", 2021): ["a"]}, pinned)
    assert sorted(one.group[1] for one in found) == [2020, 2021]


def test_a_run_that_ended_early_is_compared_as_far_as_it_went() -> None:
    group = ("TREND-1", 2020)
    pinned = {group: baseline.pin(["a", "b", "c"])}
    assert baseline.compare({group: ["a", "b"]}, pinned, is_whole=False) == []
    assert [one.number for one in baseline.compare({group: ["a", "x"]}, pinned, is_whole=False)] == [1]
