"""Which reports are due: a pure function of wall time, the configured time of day and zone, what has closed, and what
was sent.

A report is about whole market days (UTC). Those of a day that was missed follow later, and say so; of many only the
newest go out one by one, the others as one summary. In profile paper a market day takes seconds: the same rules make of
it, once a day, the newest days and one summary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple

ONE = timedelta(days=1)
LATE_AFTER = timedelta(hours=1)
"""A report that goes out so much after its time says that it is late."""


class ReportKind(StrEnum):
    """How often it is made."""

    DAILY = "daily"
    MONTHLY = "monthly"


SINGLY: Mapping[ReportKind, int] = {ReportKind.DAILY: 3, ReportKind.MONTHLY: 2}
"""So many periods, the newest, have a report each; what is older has one together."""

_KEY = re.compile(r"(daily|monthly):(\d{4}-\d\d(?:-\d\d)?)(?:\.\.(\d{4}-\d\d(?:-\d\d)?))?")


class Period(NamedTuple):
    """Market days (UTC), both included."""

    kind: ReportKind
    first: date
    last: date

    @property
    def is_summary(self) -> bool:
        """Whether it has several of its kind's periods."""
        return (self.kind is ReportKind.DAILY and self.first != self.last) or _month(self.first) != _month(self.last)

    @property
    def key(self) -> str:
        """Names it permanently, as in "daily:2026-11-28" or "monthly:2026-06..2026-09"."""
        length = 10 if self.kind is ReportKind.DAILY else 7
        first, last = self.first.isoformat()[:length], self.last.isoformat()[:length]
        return f"{self.kind}:{first}" if first == last else f"{self.kind}:{first}..{last}"

    @property
    def days(self) -> list[date]:
        """Every day of it."""
        return [self.first + number * ONE for number in range((self.last - self.first).days + 1)]


class Due(NamedTuple):
    """A report that is to be made."""

    period: Period
    is_late: bool


class Sent(NamedTuple):
    """The reports of one kind so far: the last day that one was about, and when (wall time) the newest was made."""

    through: date | None = None
    at: datetime | None = None


class Closed(NamedTuple):
    """The market days with a record: the first one, and the newest that has closed."""

    first: date
    newest: date


def due(
    kind: ReportKind,
    now: datetime,
    at: time,
    zone: tzinfo,
    closed: Closed | None,
    sent: Sent,
    *,
    is_wall_time: bool,
) -> list[Due]:
    """The reports of this kind that are to be made now, the oldest first.

    Once per day in `zone`, from the time of day `at` on. `is_wall_time`: market time is wall time (every profile but
    paper), so that a report can be late.
    """
    if closed is None or (sent.at is not None and sent.at >= newest_slot(now, at, zone)):
        return []
    waiting = _days(closed, sent) if kind is ReportKind.DAILY else _months(closed, sent)
    if sent.through is None:
        waiting = waiting[-1:]
    singly = SINGLY[kind]
    older = waiting[:-singly]
    found = [Period(kind, older[0].first, older[-1].last)] if older else []
    return [Due(one, is_wall_time and _is_late(one, now, at, zone)) for one in (*found, *waiting[-singly:])]


def newest_slot(now: datetime, at: time, zone: tzinfo) -> datetime:
    """The newest instant at which this time of day was in the zone. One that a change of the clock leaves out or
    repeats is one instant all the same."""
    day = now.astimezone(zone).date()
    slot = datetime.combine(day, at, zone).astimezone(UTC)
    return slot if slot <= now else datetime.combine(day - ONE, at, zone).astimezone(UTC)


def first_slot(after: datetime, at: time, zone: tzinfo) -> datetime:
    """The first instant of this time of day that is not before `after`."""
    day = after.astimezone(zone).date()
    slot = datetime.combine(day, at, zone).astimezone(UTC)
    return slot if slot >= after else datetime.combine(day + ONE, at, zone).astimezone(UTC)


def sent_of(kind: ReportKind, made: Iterable[tuple[str, datetime]], now: datetime) -> Sent:
    """What was sent, from the keys of the reports and when they were made. A key of another kind counts for nothing.

    An instant in the future is due to a clock that was ahead for a while: its days are reported, the instant is none.
    """
    through: date | None = None
    at: datetime | None = None
    for key, made_at in made:
        period = period_of(key)
        if period is not None and period.kind is kind:
            through = period.last if through is None else max(through, period.last)
            if made_at <= now:
                at = made_at if at is None else max(at, made_at)
    return Sent(through, at)


def period_of(key: str) -> Period | None:
    """The period that a key names; None when it names none."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    kind, first, last = ReportKind(found[1]), found[2], found[3] or found[2]
    try:
        if kind is ReportKind.DAILY:
            return Period(kind, date.fromisoformat(first), date.fromisoformat(last))
        return Period(kind, date.fromisoformat(f"{first}-01"), _end_of(date.fromisoformat(f"{last}-01")))
    except ValueError:
        return None


def latest(kind: ReportKind, newest: date) -> Period:
    """The newest whole period; of months the present one, as far as it is."""
    return Period(kind, newest if kind is ReportKind.DAILY else newest.replace(day=1), newest)


def _days(closed: Closed, sent: Sent) -> Sequence[Period]:
    first = closed.first if sent.through is None else sent.through + ONE
    count = (closed.newest - first).days + 1
    return [Period(ReportKind.DAILY, one, one) for one in (first + number * ONE for number in range(count))]


def _months(closed: Closed, sent: Sent) -> Sequence[Period]:
    found = []
    first = (closed.first if sent.through is None else sent.through + ONE).replace(day=1)
    while _end_of(first) <= closed.newest:
        found.append(Period(ReportKind.MONTHLY, first, _end_of(first)))
        first = _end_of(first) + ONE
    return found


def _is_late(period: Period, now: datetime, at: time, zone: tzinfo) -> bool:
    close = datetime.combine(period.last + ONE, time(), UTC)
    return now > first_slot(close, at, zone) + LATE_AFTER


def _end_of(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1) - ONE


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month
