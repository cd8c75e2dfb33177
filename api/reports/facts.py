"""What a report is made of, read over the same views as console and command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from api.service import OperatorService
from api.views.lists import WAITING
from api.views.reading import PageRequest
from statemachines.performance.tracker import TOTAL
from statemachines.reports.schedule import Closed, Due, ReportKind
from statemachines.values import DAY_MS

Row = Mapping[str, Any]

CURVE_DAYS = {ReportKind.DAILY: 90, ReportKind.MONTHLY: 400}
"""How far back the curves reach from the end of the period."""

MOST = 200
"""Rows of moves, alerts and commands that are read; a report says when there are more."""

MONTHS = 12


class Listed(NamedTuple):
    """The newest rows of a list; `has_more`: there are further ones in the period."""

    rows: Sequence[Row]
    has_more: bool


class Facts(NamedTuple):
    """Everything that a report says; the rows are those of the API. `overview` is the state when it was made, None
    where it could not be read."""

    due: Due
    made_at: datetime
    zone: str
    profile: str
    overview: Row | None
    results: Sequence[Row]
    days: Sequence[Row]
    months: Sequence[Row]
    windows: Sequence[Row]
    moves: Listed
    alerts: Listed
    open_alerts: Sequence[Row]
    commands: Listed
    first_day: date | None = None
    """The first market day of all with a record: before it there was no system."""


def ms_of(day: date) -> int:
    """The beginning of a market day, milliseconds since 1970 (UTC)."""
    return int(datetime.combine(day, time(), UTC).timestamp() * 1000)


def day_of(day_ms: int) -> date:
    """The market day of an instant."""
    return datetime.fromtimestamp(day_ms / 1000, UTC).date()


async def closed_days(service: OperatorService) -> Closed | None:
    """The first market day with a record, and the newest; None before the first."""
    newest = (await service.money.equity(TOTAL, PageRequest(limit=1)))["rows"]
    if not newest:
        return None
    whole = await service.money.pnl(TOTAL, "all")
    return Closed(day_of(whole[0]["first_day_ms"]), day_of(newest[0]["day_ms"]))


async def gather(
    service: OperatorService, due: Due, made_at: datetime, zone: str, profile: str, overview: Row | None
) -> Facts:
    """Raises DatabaseAwayError."""
    period = due.period
    first_ms, end_ms = ms_of(period.first), ms_of(period.last) + DAY_MS
    since, until = str(first_ms), str(end_ms)
    # What happened at the close itself, the first instant of the next day, belongs to the day that it closes.
    asked = PageRequest(limit=MOST, since=str(first_ms + 1), until=str(end_ms + 1))
    # Capital that moves at a close is a flow of the day that begins there: the moves explain the flows of the table.
    moved = PageRequest(limit=MOST, since=since, until=until)
    curve_ms = min(first_ms, end_ms - CURVE_DAYS[period.kind] * DAY_MS)
    money, lists = service.money, service.lists
    months = await money.pnl(TOTAL, "month", None, until) if period.kind is ReportKind.MONTHLY else []
    performance = await money.performance()
    closed = await closed_days(service)
    return Facts(
        due=due,
        made_at=made_at,
        zone=zone,
        profile=profile,
        overview=overview,
        results=await money.pnl(None, "all", since, until),
        days=(await money.equity(TOTAL, PageRequest(limit=1000, since=str(max(curve_ms, 0)), until=until)))["rows"],
        months=months[:MONTHS],
        windows=next((row["windows"] for row in performance if row["engine"] == TOTAL), []),
        moves=_listed(await lists.transfers(asked=moved)),
        alerts=_listed(await lists.alerts(asked)),
        open_alerts=(await lists.alerts(PageRequest(limit=MOST), WAITING))["rows"],
        commands=_listed(await lists.operator_commands(asked)),
        first_day=None if closed is None else closed.first,
    )


def _listed(page: Row) -> Listed:
    return Listed(page["rows"], page["next"] is not None)


def missing_days(facts: Facts) -> list[date]:
    """Market days of the period without a record, from the first day of the system on."""
    known, began = {day_of(row["day_ms"]) for row in facts.days}, facts.first_day
    return [day for day in facts.due.period.days if day not in known and (began is None or day >= began)]


def growth(days: Sequence[Row]) -> list[tuple[date, float | None]]:
    """Growth of 1 since the first of these days, without flows, oldest first; None on a day without a return, and on a
    missing one: what happened then is not known, and the curve continues from the value before."""
    found: list[tuple[date, float | None]] = []
    index = 1.0
    for day, row in by_day(days):
        if row is None or row["day_return"] is None:
            found.append((day, None))
            continue
        index *= 1 + float(row["day_return"])
        found.append((day, index))
    return found


def by_day(days: Sequence[Row]) -> list[tuple[date, Row | None]]:
    """The rows (newest first) by their day, oldest first, with None for a day that is missing in between."""
    known = {day_of(row["day_ms"]): row for row in days}
    if not known:
        return []
    first, last = min(known), max(known)
    return [(day, known.get(day)) for day in (first + timedelta(days=n) for n in range((last - first).days + 1))]


def falls(days: Sequence[Row]) -> list[tuple[date, float | None]]:
    """The fall below the highest close of these days as a negative fraction, 0 at the high."""
    peak, found = 1.0, list[tuple[date, float | None]]()
    for day, value in growth(days):
        if value is not None:
            peak = max(peak, value)
        found.append((day, None if value is None else value / peak - 1))
    return found


class PeriodReturn(NamedTuple):
    """The return without flows (a fraction) over the days that have one. `since`: the day whose close it counts from,
    where that is not the close before the period: the system began on it."""

    value: float
    since: date | None = None


def period_return(facts: Facts) -> PeriodReturn | None:
    """The return of the whole over the period. The system's first day has none, since there is no day before: then it
    counts from that day's close. None when another day has no return or no record, or no day is left."""
    first = facts.due.period.first
    own = sorted((row for row in facts.days if day_of(row["day_ms"]) >= first), key=lambda row: int(row["day_ms"]))
    since = None
    if own and own[0]["day_return"] is None and day_of(own[0]["day_ms"]) == facts.first_day:
        since = facts.first_day
        own = own[1:]
    if not own or missing_days(facts) or any(row["day_return"] is None for row in own):
        return None
    total = 1.0
    for row in own:
        total *= 1 + float(row["day_return"])
    return PeriodReturn(total - 1, since)
