"""Returns by month and year: compounded daily returns of the days of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from infra.backtest.report.series import Days


@dataclass(frozen=True, slots=True)
class Months:
    """One series: return per (year, month) and per year; the first and last may cover a part only."""

    name: str
    by_month: dict[tuple[int, int], float]
    by_year: dict[int, float]


def months_of(days: Days) -> list[Months]:
    """Every line of the run."""
    dates = [datetime.fromtimestamp(int(day) / 1000, UTC) for day in days.day_ms]
    found = []
    for line in days.lines.values():
        by_month: dict[tuple[int, int], float] = {}
        by_year: dict[int, float] = {}
        for date, daily in zip(dates[line.start + 1 :], np.log1p(np.maximum(line.returns, -1 + 1e-15)), strict=True):
            by_month[date.year, date.month] = by_month.get((date.year, date.month), 0.0) + float(daily)
            by_year[date.year] = by_year.get(date.year, 0.0) + float(daily)
        found.append(
            Months(
                line.name,
                {month: float(np.expm1(total)) for month, total in by_month.items()},
                {year: float(np.expm1(total)) for year, total in by_year.items()},
            )
        )
    return found
