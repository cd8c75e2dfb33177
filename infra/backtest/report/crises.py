"""How the run went through the well-known falls, and through the deepest falls of its own market."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from infra.backtest.report.formatting import percent
from infra.backtest.report.series import BTC_HOLD, CASH, Days
from infra.returns import drawdowns, falls, growth

KNOWN = (
    ("2018", "2018-01-01", "2018-12-31"),
    ("March 2020", "2020-03-01", "2020-03-31"),
    ("May 2021", "2021-05-01", "2021-05-31"),
    ("2022", "2022-01-01", "2022-12-31"),
)
"""Name, first and last day."""

DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Crisis:
    """A window of days; per series its return and its worst drawdown within the window."""

    name: str
    first_day_ms: int
    last_day_ms: int
    results: dict[str, tuple[float, float]]


def known_crises(days: Days) -> list[Crisis]:
    """Those of `KNOWN` that lie wholly inside the run."""
    if days.is_empty:
        return []
    found = []
    for name, first, last in KNOWN:
        first_ms, last_ms = _ms(first), _ms(last)
        if days.day_ms[0] < first_ms and last_ms <= days.day_ms[-1]:
            found.append(_crisis(days, name, first_ms, last_ms))
    return found


def deepest_falls(days: Days) -> list[Crisis]:
    """The deepest falls of BTC within the run, from the high to the low, in the order of time."""
    if BTC_HOLD not in days.lines:
        return []
    deepest = sorted(falls(days.lines[BTC_HOLD].returns), key=lambda fall: fall.depth)[:DEEPEST]
    return [
        _crisis(days, f"BTC {percent(fall.depth, 0)}", int(days.day_ms[fall.peak + 1]), int(days.day_ms[fall.trough]))
        for fall in sorted(deepest, key=lambda fall: fall.peak)
    ]


def _crisis(days: Days, name: str, first_ms: int, last_ms: int) -> Crisis:
    results = {}
    for line in days.lines.values():
        own_days = days.day_ms[line.start + 1 :]
        returns = line.returns[(own_days >= first_ms) & (own_days <= last_ms)]
        is_whole = line.start < len(days.day_ms) and days.day_ms[line.start] < first_ms
        if line.name != CASH and is_whole and len(returns):
            results[line.name] = (float(growth(returns)[-1] - 1.0), float(np.min(drawdowns(returns))))
    return Crisis(name, first_ms, last_ms, results)


def _ms(day: str) -> int:
    return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
