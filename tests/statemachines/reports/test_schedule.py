"""IF-4: reports go out once per period, also after downtime; a missed one says so, and of many one is a summary."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.reports.schedule import (
    SINGLY,
    Closed,
    Due,
    Period,
    ReportKind,
    Sent,
    due,
    first_slot,
    latest,
    newest_slot,
    period_of,
    sent_of,
)

DAILY, MONTHLY = ReportKind.DAILY, ReportKind.MONTHLY
UTC_ZONE, BERLIN, NEW_YORK = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
AT = time(8, 0)
BEGAN = date(2026, 11, 1)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def keys(found: list[Due]) -> list[str]:
    return [one.period.key + (" late" if one.is_late else "") for one in found]


def found(
    now: str,
    newest: str,
    sent: Sent,
    kind: ReportKind = DAILY,
    zone: ZoneInfo = UTC_ZONE,
    began: date = BEGAN,
    *,
    is_wall_time: bool = True,
) -> list[str]:
    closed = Closed(began, date.fromisoformat(newest))
    return keys(due(kind, instant(now), AT, zone, closed, sent, is_wall_time=is_wall_time))


YESTERDAY = Sent(date(2026, 11, 27), instant("2026-11-28T08:00"))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-29T07:59", []),
        ("2026-11-29T08:00", ["daily:2026-11-28"]),
        ("2026-11-29T09:00", ["daily:2026-11-28"]),
        ("2026-11-29T09:01", ["daily:2026-11-28 late"]),
    ],
)
def test_a_day_is_reported_from_its_time_on(now: str, expected: list[str]) -> None:
    assert found(now, "2026-11-28", YESTERDAY) == expected


def test_once_reported_it_is_not_reported_again() -> None:
    sent = Sent(date(2026, 11, 28), instant("2026-11-29T08:00"))
    assert found("2026-11-29T08:00", "2026-11-28", sent) == []
    assert found("2026-11-29T23:00", "2026-11-28", sent) == []
    assert found("2026-11-30T08:00", "2026-11-28", sent) == [], "the next day has not closed"


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        (1, ["daily:2026-11-28"]),
        (2, ["daily:2026-11-27 late", "daily:2026-11-28"]),
        (3, ["daily:2026-11-26 late", "daily:2026-11-27 late", "daily:2026-11-28"]),
        (4, ["daily:2026-11-25 late", "daily:2026-11-26 late", "daily:2026-11-27 late", "daily:2026-11-28"]),
        (
            20,
            [
                "daily:2026-11-09..2026-11-25 late",
                "daily:2026-11-26 late",
                "daily:2026-11-27 late",
                "daily:2026-11-28",
            ],
        ),
    ],
)
def test_after_downtime_the_newest_days_come_singly_and_the_others_as_one(missed: int, expected: list[str]) -> None:
    through = date(2026, 11, 28) - timedelta(days=missed)
    sent = Sent(through, datetime.combine(through + timedelta(days=1), AT, UTC))
    assert found("2026-11-29T08:00", "2026-11-28", sent) == expected


def test_a_start_later_in_the_day_reports_at_once() -> None:
    assert found("2026-11-29T15:00", "2026-11-28", YESTERDAY) == ["daily:2026-11-28 late"]


def test_the_first_report_ever_is_about_the_newest_day_alone() -> None:
    assert found("2026-11-29T08:00", "2026-11-28", Sent()) == ["daily:2026-11-28"]
    assert due(DAILY, instant("2026-11-29T08:00"), AT, UTC_ZONE, None, Sent(), is_wall_time=True) == []


def test_in_paper_a_day_of_wall_time_has_a_bounded_number_and_nothing_is_late() -> None:
    sent = Sent(date(2031, 1, 1), instant("2026-11-28T08:00"))
    expected = ["daily:2031-01-02..2040-06-27", "daily:2040-06-28", "daily:2040-06-29", "daily:2040-06-30"]
    assert found("2026-11-29T08:00", "2040-06-30", sent, is_wall_time=False) == expected
    sent = Sent(date(2040, 6, 30), instant("2026-11-29T08:00"))
    assert found("2026-11-29T20:00", "2041-06-30", sent, is_wall_time=False) == []


@pytest.mark.parametrize(
    ("zone", "now", "is_due"),
    [
        (BERLIN, "2026-11-29T06:59", False),
        (BERLIN, "2026-11-29T07:00", True),
        (NEW_YORK, "2026-11-29T12:59", False),
        (NEW_YORK, "2026-11-29T13:00", True),
    ],
)
def test_the_time_of_day_is_that_of_the_zone(zone: ZoneInfo, now: str, is_due: bool) -> None:
    at = datetime.combine(date(2026, 11, 28), AT, zone)
    assert bool(found(now, "2026-11-28", Sent(date(2026, 11, 27), at), zone=zone)) is is_due


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"], ids=["clock forward", "clock back"])
def test_a_change_of_the_clock_neither_skips_nor_repeats_a_slot(day: str) -> None:
    """At 02:30, which that day lacks or has twice."""
    at, start = time(2, 30), datetime.combine(date.fromisoformat(day) - timedelta(days=1), time(), UTC)
    slots = {newest_slot(start + timedelta(minutes=10 * step), at, BERLIN) for step in range(6 * 72)}
    days = sorted(one.astimezone(BERLIN).date() for one in slots)
    assert len(days) == len(set(days)) and (days[-1] - days[0]).days == len(days) - 1


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)), st.times(), st.sampled_from([BERLIN, NEW_YORK]))
def test_slots_lie_around_every_instant(now: datetime, at: time, zone: ZoneInfo) -> None:
    instant_now = now.replace(tzinfo=UTC)
    before, after = newest_slot(instant_now, at, zone), first_slot(instant_now, at, zone)
    assert before <= instant_now <= after
    assert instant_now - before < timedelta(hours=26) and after - instant_now < timedelta(hours=26)


@pytest.mark.parametrize(
    ("newest", "through", "expected"),
    [
        ("2026-11-29", "2026-10-31", []),
        ("2026-11-30", "2026-10-31", ["monthly:2026-11"]),
        ("2026-11-30", "2026-09-30", ["monthly:2026-10 late", "monthly:2026-11"]),
        ("2026-11-30", "2026-03-31", ["monthly:2026-04..2026-09 late", "monthly:2026-10 late", "monthly:2026-11"]),
    ],
)
def test_a_month_is_reported_when_it_has_closed(newest: str, through: str, expected: list[str]) -> None:
    sent = Sent(date.fromisoformat(through), instant("2026-11-02T08:00"))
    assert found("2026-12-01T08:00", newest, sent, MONTHLY) == expected


def test_the_first_month_may_be_a_part() -> None:
    assert found("2026-12-01T08:00", "2026-11-30", Sent(), MONTHLY, began=date(2026, 11, 20)) == ["monthly:2026-11"]
    assert found("2026-11-30T08:00", "2026-11-29", Sent(), MONTHLY, began=date(2026, 11, 20)) == []


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=12),
    st.sampled_from([DAILY, MONTHLY]),
    st.booleans(),
)
def test_every_day_is_reported_exactly_once_however_long_it_was_down(
    pauses: list[int], kind: ReportKind, is_wall_time: bool
) -> None:
    """Looked at after pauses of so many days, and twice each time."""
    now, covered = instant("2026-11-02T08:00"), list[date]()
    made: list[tuple[str, datetime]] = []
    for pause in pauses:
        now += timedelta(days=pause, minutes=1)
        for _ in range(2):
            closed = Closed(BEGAN, now.date() - timedelta(days=1))
            reports = due(kind, now, AT, BERLIN, closed, sent_of(kind, made, now), is_wall_time=is_wall_time)
            assert len(reports) <= SINGLY[kind] + 1
            covered += [day for one in reports for day in one.period.days]
            made += [(one.period.key, now) for one in reports]
    assert covered == sorted(set(covered))
    assert not covered or covered == latest_days(covered[0], covered[-1])


def latest_days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


@pytest.mark.parametrize(
    "period",
    [
        Period(DAILY, date(2026, 11, 28), date(2026, 11, 28)),
        Period(DAILY, date(2026, 11, 1), date(2026, 11, 28)),
        Period(MONTHLY, date(2026, 2, 1), date(2026, 2, 28)),
        Period(MONTHLY, date(2025, 12, 1), date(2026, 2, 28)),
    ],
    ids=lambda period: period.key,
)
def test_a_key_names_its_period(period: Period) -> None:
    assert period_of(period.key) == period
    assert period.is_summary is (".." in period.key)


@pytest.mark.parametrize("key", ["", "daily", "daily:2026-13-01", "weekly:2026-11-01", "daily:2026-11", "test:1"])
def test_what_is_no_key_counts_for_nothing(key: str) -> None:
    assert period_of(key) is None
    now = instant("2026-11-29T08:00")
    assert sent_of(DAILY, [(key, now)], now) == Sent()


def test_a_report_of_a_clock_that_was_ahead_holds_no_later_one_up() -> None:
    made = [("daily:2026-11-26", instant("2026-11-27T08:00")), ("daily:2026-11-27", instant("2027-11-28T08:00"))]
    sent = sent_of(DAILY, made, instant("2026-11-29T08:00"))
    assert sent == Sent(date(2026, 11, 27), instant("2026-11-27T08:00"))
    assert found("2026-11-29T08:00", "2026-11-28", sent) == ["daily:2026-11-28"]
    again = sent_of(DAILY, [*made, ("daily:2026-11-28", instant("2026-11-29T08:00"))], instant("2026-11-29T08:01"))
    assert found("2026-11-29T08:01", "2026-11-29", again) == [], "one a day all the same"


def test_a_month_to_look_at_is_as_far_as_it_is() -> None:
    assert latest(MONTHLY, date(2026, 11, 20)).key == "monthly:2026-11"
    assert latest(DAILY, date(2026, 11, 20)).key == "daily:2026-11-20"
