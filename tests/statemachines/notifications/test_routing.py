"""What goes where and when (RM-5): severities, routes, quiet hours with their zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from statemachines.notifications.message import ChannelName, Severity
from statemachines.notifications.parameters import NotificationRules, Route
from statemachines.notifications.routing import channels_of, not_before
from statemachines.notifications.seen import SeenAlert
from tests.statemachines.notifications.world import ALL

TELEGRAM, EMAIL, PAGERDUTY, WEBHOOK = ALL


def alert(severity: Severity = "warning", actor: str = "trend-1", condition: str = "exit:BTC") -> SeenAlert:
    return SeenAlert("a:1:0", actor, condition, severity, "Stop is missing", "x", "open", 0, 1, 1)


@pytest.mark.parametrize(
    ("severity", "expected"),
    [("info", {TELEGRAM, WEBHOOK}), ("warning", {TELEGRAM, EMAIL, WEBHOOK}), ("critical", set(ALL))],
)
def test_a_channel_takes_alerts_from_its_least_severity_on(severity: Severity, expected: set[ChannelName]) -> None:
    assert set(channels_of(alert(severity), NotificationRules(), ALL)) == expected
    assert set(channels_of(alert(severity), NotificationRules(), [EMAIL])) == expected & {EMAIL}


@pytest.mark.parametrize(
    ("route", "is_described"),
    [
        ({"actors": ("trend-1",)}, True),
        ({"actors": ("trend-2", "funding")}, False),
        ({"severities": ("warning",)}, True),
        ({"severities": ("info", "critical")}, False),
        ({"condition": "EXIT:"}, True),
        ({"condition": "stop is"}, True),
        ({"condition": "exits"}, False),
        ({"condition": "exit", "actors": ("funding",)}, False),
        ({"condition": "exit", "actors": ("trend-1",), "severities": ("warning",)}, True),
    ],
)
def test_a_route_describes_an_alert_by_all_that_it_names(route: dict[str, object], is_described: bool) -> None:
    rules = NotificationRules(routes=(Route.model_validate({**route, "channels": ("email",)}),))
    expected = (EMAIL,) if is_described else (TELEGRAM, EMAIL, WEBHOOK)
    assert channels_of(alert(), rules, ALL) == expected


def test_the_first_route_decides_and_may_send_it_nowhere() -> None:
    rules = NotificationRules(
        routes=(
            Route(actors=("trend-1",), channels=()),
            Route(severities=("warning",), channels=(ChannelName.PAGERDUTY,)),
        )
    )
    assert channels_of(alert(), rules, ALL) == ()
    assert channels_of(alert(actor="funding"), rules, ALL) == (PAGERDUTY,)


def test_an_alert_about_a_channel_goes_over_the_others() -> None:
    """Whatever the rules say: a person who mutes alerts of the notifier would not learn that nothing arrives."""
    rules = NotificationRules(routes=(Route(actors=("notifier",), channels=()),), email_from="critical")
    failing = alert(actor="notifier", condition="channel:telegram")
    assert channels_of(failing, rules, ALL) == (EMAIL, WEBHOOK)
    graver = alert("critical", actor="notifier", condition="channel:telegram")
    assert channels_of(graver, rules, ALL) == (EMAIL, PAGERDUTY, WEBHOOK)
    assert channels_of(graver, rules, [TELEGRAM]) == ()


BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = NotificationRules(quiet_from="22:00", quiet_until="07:00", time_zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-29T20:59:59", None),  # 21:59:59 in Berlin
        ("2026-11-29T21:00:00", "2026-11-30T06:00:00"),
        ("2026-11-29T23:30:00", "2026-11-30T06:00:00"),  # after midnight there
        ("2026-11-30T05:59:59", "2026-11-30T06:00:00"),
        ("2026-11-30T06:00:00", None),
        ("2026-03-28T21:30:00", "2026-03-29T05:00:00"),  # the clocks go forward in this night
        ("2026-10-24T21:30:00", "2026-10-25T06:00:00"),  # and back in this one
    ],
)
def test_quiet_hours_are_of_their_zone(now: str, expected: str | None) -> None:
    instant = datetime.fromisoformat(now).replace(tzinfo=UTC)
    until = instant if expected is None else datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert not_before(NIGHT, "warning", instant, BERLIN) == until
    assert not_before(NIGHT, "critical", instant, BERLIN) == instant


def test_quiet_hours_within_one_day() -> None:
    noon = NotificationRules(quiet_from="12:00", quiet_until="13:00")
    inside, after = datetime(2026, 1, 1, 12, 30, tzinfo=UTC), datetime(2026, 1, 1, 13, 0, tzinfo=UTC)
    assert not_before(noon, "info", inside, UTC) == after
    assert not_before(noon, "info", after, UTC) == after
    assert not_before(NotificationRules(), "info", inside, UTC) == inside


@pytest.mark.parametrize(
    "values",
    [
        {"quiet_from": "24:00", "quiet_until": "07:00"},
        {"quiet_from": "7:00", "quiet_until": "08:00"},
        {"quiet_from": "22:00"},
        {"quiet_from": "22:00", "quiet_until": "22:00"},
        {"repeat_s": 59},
        {"gap_s": 0},
        {"time_zone": "../etc/passwd"},
        {"routes": [{"channels": ["email"]}]},
        {"routes": [{"actors": ["stranger"], "channels": ["email"]}]},
        {"routes": [{"actors": ["api"], "channels": ["fax"]}]},
    ],
)
def test_rules_that_contradict_themselves_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NotificationRules.model_validate(values)
