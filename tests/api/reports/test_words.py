"""IF-4: what a report says; what is not known is said, and never zero."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from api.reports.curves import Look, svg, ticks
from api.reports.facts import Facts, Listed, falls, growth, missing_days, ms_of, period_return
from api.reports.page import page, text
from api.reports.words import percent, subject_of, usdt, words_of
from statemachines.notifications.plain import BIDI
from statemachines.reports.schedule import Period, ReportKind
from tests.api.reports.samples import LAST, OVERVIEW, alert, day, facts, result

DAILY, MONTHLY = ReportKind.DAILY, ReportKind.MONTHLY
MOVE = {
    "requested_ms": ms_of(LAST),
    "from_account": "MASTER",
    "to_account": "TREND-1",
    "amount": "1234.5",
    "coin": "USDT",
    "state": "DONE",
    "purpose": "OR-4",
}
COMMAND = {
    "given_ms": ms_of(LAST),
    "action": "halt",
    "scope": "GLOBAL",
    "who": "alice",
    "reason": "<script>alert(1)</script>",
}
LINE = Look("Equity", "#000", lambda value: f"{value:.0f}")


def both(found: Facts) -> str:
    return page(found) + text(found)


def section(found: Facts, title: str) -> Any:
    return next(one for one in words_of(found).sections if one.title == title)


def test_a_good_day_says_that_nothing_is_expected() -> None:
    found = facts()
    assert section(found, "What is expected of you").text.startswith("Nothing")
    assert subject_of(found) == "Daily report · 28 November 2026: equity 100,000.00 USDT (+0.10 %)"
    for part in (
        "100,000.00 USDT",
        "−61.70 USDT",
        "+0.10 % without flows",
        "−3.00 %",
        "TREND-1",
        "09:00 (Europe/Berlin)",
    ):
        assert part in page(found) and part in text(found)
    assert "no moves of capital and no alerts and no commands" in both(found)


def expecting(*items: tuple[str, str, str | None]) -> dict[str, Any]:
    rows = [{"urgency": urgency, "text": said, "alert_id": number} for urgency, said, number in items]
    return {**OVERVIEW, "expected": {"urgency": rows[0]["urgency"], "items": rows}}


def test_what_waits_comes_first_and_is_in_the_subject() -> None:
    overview = expecting(("act", "trend-1 is HALTED: by alice", None), ("read", "A stop. Gone.", "risk-manager:1:1"))
    found = facts(overview=overview)
    expected = section(found, "What is expected of you")
    assert expected.is_urgent and expected.items[0] == "trend-1 is HALTED: by alice"
    assert "risk-manager:1:1" in expected.items[1] and len(expected.items) == 2
    assert subject_of(found).endswith("action required")
    assert words_of(found).sections[0] is not None and words_of(found).sections[0].title == expected.title


def test_what_is_only_to_be_read_makes_no_red_box_and_no_subject() -> None:
    """A warning made the report's box red, the page's amber, and `eternal status` said that all is well."""
    found = facts(overview=expecting(("read", "CORE-HODL has fallen. RM-3.", "risk-manager:1:1")))
    expected = section(found, "What is expected of you")
    assert not expected.is_urgent and "nothing of it urgent" in expected.text and len(expected.items) == 1
    assert "action required" not in subject_of(found) and 'class="card act"' not in page(found)


def test_a_state_that_could_not_be_read_is_said() -> None:
    found = facts(overview=None, open_alerts=[alert(1)])
    assert len(section(found, "What is expected of you").items) == 2 and subject_of(found).endswith("action required")
    assert "could not be read" in both(found) and "not known" in both(found)


@pytest.mark.parametrize("gone", [[], [day(3, 99_000.0, 0.01)]], ids=["no record at all", "none of this day"])
def test_without_records_nothing_is_zero(gone: list[dict[str, Any]]) -> None:
    found = facts(days=gone, results=[], windows=[])
    assert missing_days(found) == [LAST] and period_return(found) is None
    said = both(found)
    assert "have no record (2026-11-28)" in said and "not known" in said
    assert subject_of(found) == "Daily report · 28 November 2026: equity not known"
    assert "0.00" not in str(words_of(found).tiles) and section(found, "Engines").table is None
    assert gone or "0.00" not in said


def test_a_day_without_a_day_before_has_no_result() -> None:
    results = [result("total", "100000", "0", days_counted=0)]
    found = facts(days=[day(0, 100_000.0, None)], results=results, windows=[])
    tiles = {name: value for name, value, _ in words_of(found).tiles}
    assert tiles["Result"] == "not known" and tiles["Drawdown"] == "not known"
    rows = {row[0]: row for row in section(found, "Engines").table.rows}
    assert rows["TOTAL"][2] == "–" and rows["TREND-1"][1] == "–"


def test_the_first_month_says_since_when_it_counts() -> None:
    """It said "return not known", for the first day has no day before, and counted the days before the system as
    missing."""
    began = date(2026, 11, 10)
    days = [day(back, 100_000.0, 0.01 if back < 20 else None, date(2026, 11, 30)) for back in range(21)]
    month = Period(MONTHLY, date(2026, 11, 1), date(2026, 11, 30))
    found = facts(month, days, first_day=began, months=[result("total")])
    assert missing_days(found) == []
    assert period_return(found) == (pytest.approx(1.01**20 - 1), began)
    remark = {name: remark for name, _, remark in words_of(found).tiles}["Result"]
    assert remark == "+22.02 % without flows, since the close of 10 November 2026"
    assert "(+22.02 % since 10 November 2026)" in subject_of(found)
    assert "The system began on 10 November 2026" in both(found)


@pytest.mark.parametrize("gap", [1, 10, 19])
def test_a_first_month_with_a_gap_has_no_return(gap: int) -> None:
    days = [day(back, 1.0, 0.01 if back < 20 else None, date(2026, 11, 30)) for back in range(21) if back != gap]
    month = Period(MONTHLY, date(2026, 11, 1), date(2026, 11, 30))
    found = facts(month, days, first_day=date(2026, 11, 10))
    assert period_return(found) is None and len(missing_days(found)) == 1


def test_a_month_without_its_first_days_return_is_not_counted_from_elsewhere() -> None:
    """Only the system's own first day may lack one."""
    days = [day(back, 1.0, 0.01 if back < 29 else None, date(2026, 11, 30)) for back in range(30)]
    found = facts(Period(MONTHLY, date(2026, 11, 1), date(2026, 11, 30)), days, first_day=date(2026, 9, 1))
    assert period_return(found) is None


def test_fees_have_one_sign_in_reports_and_lists() -> None:
    """A report showed −1.50 where the command line and the console show 1.50: paid, in all of them."""
    content = section(facts(), "Engines").table
    at = [name for name, _ in content.heads].index("Fees paid")
    assert {row[at] for row in content.rows} == {"1.50"}


def drawdown(found: Facts) -> tuple[str, str]:
    """Value and remark of the tile."""
    return next((value, remark) for name, value, remark in words_of(found).tiles if name == "Drawdown")


def test_the_first_month_knows_its_drawdown_as_its_curve_does() -> None:
    """It said "not known" above a curve and a deepest fall that knew it."""
    end = date(2026, 11, 30)
    returns = {0: -0.05, 20: None}
    days = [day(back, 100_000.0, returns.get(back, 0.01), end) for back in range(21)]
    month = Period(MONTHLY, date(2026, 11, 1), end)
    found = facts(month, days, first_day=date(2026, 11, 10), windows=[], months=[result("total")])
    assert drawdown(found) == ("−5.00 %", "below the highest close so far")
    assert "Deepest fall of this time: −5.00 % on 2026-11-30" in both(found)
    found = facts(month, [one for one in days if one is not days[5]], windows=[], months=[result("total")])
    assert drawdown(found)[0] == "not known", "what happened on the missing day is not known"


def test_a_drawdown_of_another_day_is_not_shown_as_this_ones() -> None:
    """A late report: the figures over all days end with a later day."""
    period = Period(DAILY, LAST - timedelta(days=2), LAST - timedelta(days=2))
    found = facts(period, [day(back, 100_000.0, 0.001) for back in range(2, 9)], is_late=True)
    assert drawdown(found) == ("0.00 %", "below the highest close since 2026-11-20"), "of its own curve"
    assert "This report is late" in both(found) and subject_of(found).endswith("late")


def test_a_summary_and_a_simulated_market_say_so() -> None:
    overview = {**OVERVIEW, "market": {**OVERVIEW["market"], "is_simulated": True, "label": "synthetic, seed 2"}}
    found = facts(Period(DAILY, LAST - timedelta(days=19), LAST), overview=overview)
    assert "20 market days in one report" in both(found)
    assert "Simulated exchange: no real money" in both(found) and "synthetic, seed 2" in both(found)
    assert "Simulated exchange: no real money" in both(facts(overview=None, profile="paper"))
    assert "Simulated exchange" not in both(facts())
    assert words_of(found).title == "Daily report · 9 November 2026 to 28 November 2026"


def test_a_month_has_its_months() -> None:
    months = [result("total", period=f"2026-{month:02d}") for month in (11, 10, 9)]
    found = facts(Period(MONTHLY, date(2026, 11, 1), date(2026, 11, 30)), months=months)
    assert words_of(found).title == "Monthly report · November 2026"
    assert [row[0] for row in section(found, "Months").table.rows] == ["2026-11", "2026-10", "2026-09"]
    assert "The month is not over" not in both(found)
    assert "The month is not over" in both(facts(Period(MONTHLY, date(2026, 11, 1), LAST), months=months))


def test_lists_are_bounded_counted_and_escaped() -> None:
    alerts = Listed([alert(number, title=f"alert {number}") for number in range(20)], True)
    found = facts(alerts=alerts, moves=Listed([MOVE], False), commands=Listed([COMMAND], False))
    assert "There are at least 20; the first 15 are shown." in both(found)
    assert "1,234.50 USDT" in both(found) and "MASTER → TREND-1" in both(found)
    assert "<script" not in page(found) and "&lt;script&gt;" in page(found)


def test_what_turns_the_direction_of_text_around_is_left_out() -> None:
    """Planted: a reader would see another order of words and figures than what is there."""
    title = "sold \u202e\u2066 000,1 bought\u202c"
    found = facts(alerts=Listed([alert(1, title=title)], False), commands=Listed([{**COMMAND, "reason": title}], False))
    assert "sold  000,1 bought" in page(found) and "sold  000,1 bought" in text(found)
    assert not any(ord(character) in BIDI for character in page(found) + text(found))


def test_alerts_of_one_kind_are_one_row_with_the_gravest_first() -> None:
    raised = [
        alert(1, "warning", "restarted", state="ended"),
        alert(2),
        alert(3, "warning", "restarted", state="ended"),
    ]
    rows = section(facts(alerts=Listed(raised, False)), "Alerts").table.rows
    assert [(row[0], row[2], row[4]) for row in rows] == [("critical", "1", "open"), ("warning", "2", "ended")]


class Addresses(HTMLParser):
    """What a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loading = {"src", "href", "data", "poster", "srcset", "background", "action"}
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in loading]
        self.loads += [tag] if tag in {"script", "link", "iframe", "object", "img"} else []


def test_the_page_loads_nothing_from_outside() -> None:
    found = Addresses()
    found.feed(page(facts()))
    assert found.loads == [] and "url(" not in page(facts()) and "@import" not in page(facts())
    planted = Addresses()
    planted.feed('<img src="https://example.org/x.png"><script></script>')
    assert planted.loads == ["img src", "img", "script"]


# --- figures ---


@pytest.mark.parametrize(
    ("value", "shown"),
    [("0", "0.00"), ("-0.001", "0.00"), ("1234567.891", "1,234,567.89"), ("-5", "−5.00"), (None, "–")],
)
def test_amounts_are_written_as_people_read_them(value: str | None, shown: str) -> None:
    assert usdt(value) == shown


def test_signs_and_per_cent() -> None:
    assert usdt("5", is_signed=True) == "+5.00" and usdt("0", is_signed=True) == "0.00"
    assert percent("0.1234") == "12.34 %" and percent(-0.05, is_signed=True) == "−5.00 %" and percent(None) == "–"


def test_a_missing_day_interrupts_the_curves() -> None:
    days = [day(0, 110.0, 0.10), day(2, 90.0, -0.10), day(3, 100.0, None)]
    assert [value for _, value in growth(days)] == [None, pytest.approx(0.9), None, pytest.approx(0.99)]
    assert [value for _, value in falls(days)] == [None, pytest.approx(-0.1), None, pytest.approx(-0.01)]
    assert [one[0] for one in growth(days)] == [LAST - timedelta(days=back) for back in (3, 2, 1, 0)]


def test_the_return_of_a_period_needs_every_day() -> None:
    period = Period(DAILY, LAST - timedelta(days=1), LAST)
    found = period_return(facts(period, [day(0, 1.0, 0.1), day(1, 1.0, 0.1)]))
    assert found is not None and found.value == pytest.approx(0.21) and found.since is None
    assert period_return(facts(period, [day(0, 1.0, 0.1), day(1, 1.0, None)])) is None
    assert period_return(facts(period, [day(0, 1.0, 0.1)])) is None


# --- drawings ---


def points(*values: float | None) -> list[tuple[date, float | None]]:
    return [(LAST + timedelta(days=number), value) for number, value in enumerate(values)]


def test_a_curve_has_a_text_for_those_who_do_not_see_it() -> None:
    drawn = svg(points(1.0, 3.0, 2.0), LINE)
    assert 'role="img"' in drawn and "first 1, last 2, lowest 1, highest 3" in drawn
    assert drawn.count("<polyline") == 1


def test_a_gap_is_not_drawn_over() -> None:
    assert svg(points(1.0, 2.0, None, 2.0, 1.0), LINE).count("<polyline") == 2


@pytest.mark.parametrize("values", [(), (1.0,), (None, None, 1.0)])
def test_too_few_days_are_a_sentence(values: tuple[float | None, ...]) -> None:
    drawn = svg(points(*values), LINE)
    assert "<svg" not in drawn and "fewer than two days" in drawn


@pytest.mark.parametrize("values", [(5.0, 5.0), (0.0, 0.0), (-1e-9, 1e9)], ids=["flat", "zero", "far"])
def test_every_curve_stays_within_its_drawing(values: tuple[float, float]) -> None:
    for is_from_zero in (False, True):
        drawn = svg(points(*values), LINE._replace(is_from_zero=is_from_zero))
        places = [float(y) for y in re.findall(r"[\d.]+,(-?[\d.]+)", drawn)]
        assert all(0 <= y <= LINE.height for y in places) and "nan" not in drawn


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (87_620.0, 102_746.0, [85_000.0, 90_000.0, 95_000.0, 100_000.0, 105_000.0]),
    ],
)
def test_the_lines_of_the_grid_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high, 4) == pytest.approx(expected)
