"""Facts of a report, invented (synthetic): a system of five engines over some days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from api.reports.facts import Facts, Listed, ms_of
from statemachines.performance.tracker import TOTAL
from statemachines.reports.schedule import Due, Period, ReportKind
from statemachines.values import ENGINES

LAST = date(2026, 11, 28)
NEWEST = Period(ReportKind.DAILY, LAST, LAST)
NO_ROWS = Listed([], False)
OVERVIEW: dict[str, Any] = {
    "expected": {"urgency": "none", "items": []},
    "health": {"ok": True, "reasons": []},
    "market": {"label": "", "is_simulated": False, "market_ms": ms_of(date(2026, 11, 29))},
    "engines": [
        {"name": str(name), "risk_state": "NORMAL", "risk_scope": str(name), "risk_reason": ""} for name in ENGINES
    ],
}


def day(back: int, equity: float, day_return: float | None, last: date = LAST) -> dict[str, Any]:
    """The record of the whole so many days before the last."""
    return {
        "engine": TOTAL,
        "day_ms": ms_of(last - timedelta(days=back)),
        "equity_usdt": f"{equity}",
        "flow_usdt": "0",
        "day_return": None if day_return is None else f"{day_return}",
        "fees_usdt": "1.5",
        "funding_usdt": "0.7",
    }


def result(engine: str, equity: str = "20000", profit: str = "-12.34", **changes: Any) -> dict[str, Any]:
    """A row of the results of the period."""
    return {
        "engine": engine,
        "period": "2026-11",
        "first_day_ms": ms_of(LAST),
        "last_day_ms": ms_of(LAST),
        "days": 1,
        "days_counted": 1,
        "equity_usdt": equity,
        "profit_usdt": profit,
        "realised_usdt": "3",
        "fills": 4,
        "flow_usdt": "0",
        "fees_usdt": "1.5",
        "funding_usdt": "0.7",
        **changes,
    }


def alert(number: int, severity: str = "critical", title: str = "A stop is missing", **changes: Any) -> dict[str, Any]:
    """An alert that stands."""
    return {
        "alert_id": f"risk-manager:{number}:1",
        "severity": severity,
        "title": title,
        "text": "The stop of BTCUSDT is gone. Required action: check the position at the exchange.",
        "state": "open",
        "market_ms": ms_of(LAST),
        "acknowledged_by": None,
        **changes,
    }


WINDOW: dict[str, Any] = {
    "window_days": None,
    "days": 60,
    "last_day_ms": ms_of(LAST),
    "total_return": 0.05,
    "volatility": 0.2,
    "sharpe": 1.234,
    "deepest_fall": -0.08,
    "present_fall": -0.03,
}


def facts(
    period: Period = NEWEST,
    days: Sequence[dict[str, Any]] | None = None,
    *,
    is_late: bool = False,
    **changes: Any,
) -> Facts:
    """A day on which all went well."""
    own = [day(back, 100_000 - 100 * back, 0.001) for back in range(60)] if days is None else days
    whole = Facts(
        due=Due(period, is_late),
        made_at=datetime(2026, 11, 29, 8, 0, tzinfo=UTC),
        zone="Europe/Berlin",
        profile="live",
        overview=OVERVIEW,
        results=[*(result(str(name)) for name in ENGINES), result(TOTAL, "100000", "-61.70")],
        days=own,
        months=[],
        windows=[WINDOW],
        moves=NO_ROWS,
        alerts=NO_ROWS,
        open_alerts=[],
        commands=NO_ROWS,
    )
    return whole._replace(**changes)
