"""P4: the rolling figures of an engine from its daily records, against numbers worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from infra.rolling import by_policy, rolling
from tests.api.records import performance_day


def rows(days: int, **changes: Any) -> list[dict[str, Any]]:
    found = [performance_day("trend-1", day).model_copy(update=changes) for day in range(days)]
    return [one.model_dump() for one in reversed(found)]


def test_without_a_day_there_are_no_figures() -> None:
    assert rolling([]) == []


def test_windows_that_are_longer_than_the_record_are_left_out() -> None:
    assert [one["window_days"] for one in rolling(rows(1))] == [None]
    assert [one["window_days"] for one in rolling(rows(6))] == [None]
    assert [one["window_days"] for one in rolling(rows(7))] == [7, None]
    assert [one["window_days"] for one in rolling(rows(365))] == [7, 30, 90, 365, None]


def test_the_figures_are_those_of_the_newest_days() -> None:
    week, month, _whole = rolling(rows(40))
    assert (week["days"], week["first_day_ms"] // 86_400_000, week["last_day_ms"] // 86_400_000) == (7, 33, 39)
    assert week["total_return"] == pytest.approx(1.01**7 - 1)
    assert month["total_return"] == pytest.approx(1.01**30 - 1)
    assert (week["turnover_usdt"], week["fees_usdt"], week["funding_usdt"]) == (700, Decimal("0.7"), 7)
    assert week["slippage_of_turnover"] == pytest.approx(0.001)
    assert week["funding_yield"] == pytest.approx(1 / 1_000 * 365)
    assert week["turnover_a_year"] == pytest.approx(36.5)
    assert week["deepest_fall"] is None and week["present_fall"] == 0
    assert week["return_a_year"] is None, "less than a year is not annualised"


def test_what_is_not_defined_is_not_zero() -> None:
    only = rolling(rows(1, decided_usdt=Decimal(0), equity_usdt=Decimal(0)))[0]
    for name in ("total_return", "volatility", "sharpe", "slippage_of_turnover", "funding_yield", "staking_yield"):
        assert only[name] is None, name


def test_a_fall_is_measured_from_the_highest_close_of_the_window() -> None:
    returns = ["0.10", "-0.20", "0.05"]
    days = [row | {"day_return": Decimal(text)} for row, text in zip(rows(3), reversed(returns), strict=True)]
    (found,) = rolling(days)
    assert found["deepest_fall"] == pytest.approx(-0.20)
    assert found["present_fall"] == pytest.approx(0.8 * 1.05 - 1)


def test_ch11_the_yield_of_staking_is_that_of_what_was_staked() -> None:
    (found, _all) = rolling(rows(7, staked_usdt=Decimal(500), earned_usdt=Decimal("0.05")))
    assert found["staking_yield"] == pytest.approx(0.05 / 500 * 365)


def test_the_days_under_each_version_of_the_policy_have_figures_of_their_own() -> None:
    """P4: per parameter set; a day counts for the version that was in force at its close."""
    before, after = rows(5, policy_version=1), rows(10, policy_version=2, forgone_usdt=Decimal("0.5"))[:5]
    newer, older = by_policy([*after, *before])
    assert (newer["policy_version"], newer["days"], newer["forgone_usdt"]) == (2, 5, Decimal("2.5"))
    assert (older["policy_version"], older["days"], older["forgone_usdt"]) == (1, 5, 0)
    assert newer["total_return"] == pytest.approx(1.01**5 - 1)
    assert by_policy([]) == []
