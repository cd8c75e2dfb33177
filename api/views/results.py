"""What every engine and the whole gained and paid, by period, from the daily records (P4) and the fills. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from statemachines.performance.tracker import TOTAL
from statemachines.values import DAY_MS

Row = Mapping[str, Any]
ZERO = Decimal(0)

BASE_MS = DAY_MS
"""How much earlier than the first day asked for the records must begin: a day's profit is against the close before."""

SUMS = ("flow_usdt", "fees_usdt", "funding_usdt", "slippage_usdt", "turnover_usdt", "harvest_usdt", "earned_usdt")


def _calendar(form: str) -> Callable[[int], str]:
    return lambda day_ms: datetime.fromtimestamp(day_ms / 1000, UTC).strftime(form)


PERIODS: Mapping[str, Callable[[int], str]] = {
    "day": _calendar("%Y-%m-%d"),
    "month": _calendar("%Y-%m"),
    "year": _calendar("%Y"),
    "all": lambda _day_ms: "all",
}
"""A day's period by name."""


def by_period(
    days: Sequence[Row], realised: Iterable[Row], period: str, from_ms: int, first_ms: Mapping[str, int]
) -> list[dict[str, Any]]:
    """One row per period and engine, newest first. `days` are records of the days since `from_ms`, and of the one
    before; `realised` has `engine`, `day_ms`, `fills`, `realised_usdt`.

    Profit is what equity changed by without the flows. On an engine's first day ever (`first_ms`) there was nothing
    before: what came in is a flow of that day. Another day without a close before has no profit, and `days_counted`
    says how many days have one.
    """
    label = PERIODS[period]
    closes = {(row["engine"], row["day_ms"]): row["equity_usdt"] for row in days}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in days:
        if row["day_ms"] < from_ms:
            continue
        engine, day_ms = row["engine"], row["day_ms"]
        entry = found.setdefault((label(day_ms), engine), _empty(label(day_ms), engine, row))
        entry["first_day_ms"], entry["days"] = day_ms, entry["days"] + 1  # the records come newest first
        before = ZERO if first_ms.get(engine) == day_ms else closes.get((engine, day_ms - DAY_MS))
        if before is not None:
            entry["profit_usdt"] += row["equity_usdt"] - before - row["flow_usdt"]
            entry["days_counted"] += 1
        for name in SUMS:
            entry[name] += row[name]
    for row in realised:
        for engine in (row["engine"], TOTAL):
            one = found.get((label(row["day_ms"]), engine))
            if one is not None:
                one["realised_usdt"] += row["realised_usdt"]
                one["fills"] += row["fills"]
    return list(found.values())


def _empty(label: str, engine: str, row: Row) -> dict[str, Any]:
    return {
        "period": label,
        "engine": engine,
        "first_day_ms": row["day_ms"],
        "last_day_ms": row["day_ms"],
        "days": 0,
        "days_counted": 0,
        "equity_usdt": row["equity_usdt"],
        "profit_usdt": ZERO,
        "realised_usdt": ZERO,
        "fills": 0,
        **dict.fromkeys(SUMS, ZERO),
    }
