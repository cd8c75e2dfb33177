"""Rolling figures of an engine, or of the whole, from its daily records (P4). Pure.

Ratios are float fractions, a year has 365 days, the risk-free rate is 0; figures that are not defined (less than a
year, nothing staked, no fall) are None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from infra.returns import DAYS_PER_YEAR, SMALLEST_BASE_USDT, drawdowns, performance

Row = Mapping[str, Any]
"""A row of the table `performance`."""

WINDOWS_DAYS: tuple[int | None, ...] = (7, 30, 90, 365, None)
"""The newest so many days; None: all."""

SUMS = (
    *("flow_usdt", "turnover_usdt", "fees_usdt", "slippage_usdt"),
    *("funding_usdt", "harvest_usdt", "earned_usdt", "forgone_usdt"),
)


def rolling(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The figures of each window over the records of one engine, newest first. A window for which there are fewer days
    than it has is left out, but for the one over all days."""
    windows = [days for days in WINDOWS_DAYS if days is None or len(rows) >= days] if rows else []
    return [{"window_days": days, **figures(rows[:days])} for days in windows]


def by_policy(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The figures of one engine over the days that closed under each version of the policy, newest version first
    (P4, RM-6); the records newest first. A version that came back by a rollback is a version of its own."""
    versions = sorted({row["policy_version"] for row in rows}, reverse=True)
    return [
        {"policy_version": version, **figures([row for row in rows if row["policy_version"] == version])}
        for version in versions
    ]


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures over these records, newest first; at least one."""
    oldest_first = rows[::-1]
    returns = np.array([float(row["day_return"]) for row in oldest_first if row["day_return"] is not None])
    achieved = performance(returns)
    sums = {name: sum((row[name] for row in rows), Decimal(0)) for name in SUMS}
    decided = sum((row["decided_usdt"] for row in rows), Decimal(0))
    mean_usdt, staked_usdt = _mean(rows, "equity_usdt"), _mean(rows, "staked_usdt")
    return {
        "first_day_ms": oldest_first[0]["day_ms"],
        "last_day_ms": oldest_first[-1]["day_ms"],
        "days": len(rows),
        "equity_usdt": rows[0]["equity_usdt"],
        **sums,
        "total_return": achieved.total_return if len(returns) else None,
        "return_a_year": achieved.cagr,
        "volatility": achieved.volatility,
        "sharpe": achieved.sharpe,
        "sortino": achieved.sortino,
        "deepest_fall": None if achieved.worst is None else achieved.worst.depth,
        "present_fall": float(drawdowns(returns)[-1]) if len(returns) else None,
        "turnover_a_year": _a_year(sums["turnover_usdt"], mean_usdt, len(rows)),
        "slippage_of_turnover": float(sums["slippage_usdt"] / decided) if decided else None,
        "funding_yield": _a_year(sums["funding_usdt"], mean_usdt, len(rows)),
        "staking_yield": _a_year(sums["earned_usdt"], staked_usdt, len(rows)),
    }


def _mean(rows: Sequence[Row], name: str) -> float:
    return float(sum((row[name] for row in rows), Decimal(0)) / len(rows))


def _a_year(amount_usdt: Decimal, base_usdt: float, days: int) -> float | None:
    """A year's share of the base; None where there is none."""
    return float(amount_usdt) / base_usdt * DAYS_PER_YEAR / days if base_usdt >= SMALLEST_BASE_USDT else None
