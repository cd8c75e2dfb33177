"""Failed attempts as a condition (ADR 0016): begins, changes, ends; what it says; how it reaches the orchestrator."""

from __future__ import annotations

from typing import Any

import pytest

from api.access.alarm import RESTARTED, AccessAlarm
from api.access.failures import ALERT_FROM, Condition, FailureDesk, FailureWatch, place_of
from api.access.pace import CALM_S
from statemachines.conditions import Conditions
from statemachines.messages.control import AccessFailures
from statemachines.orchestration.component_reports import alert_of
from statemachines.values import ActorName


def fail(watch: FailureWatch, count: int, now_s: float = 0.0, kind: str = "token", person: str = "") -> None:
    for number in range(count):
        watch.failed(kind, f"192.0.2.{number % 4}", person, now_s)


def opened(found: Condition | None) -> Condition:
    assert found is not None and found.is_open
    return found


@pytest.mark.parametrize(("count", "is_open"), [(ALERT_FROM - 1, False), (ALERT_FROM, True), (ALERT_FROM + 1, True)])
def test_some_failures_are_a_condition_and_a_mistyped_token_is_none(count: int, is_open: bool) -> None:
    watch = FailureWatch()
    fail(watch, count)
    assert (watch.look(0) is not None) is is_open


def test_the_text_says_how_many_from_where_what_was_done_and_what_is_required() -> None:
    watch = FailureWatch()
    fail(watch, 5)
    fail(watch, 2, 120.0, "login")
    found = opened(watch.look(120.0))
    for part in (
        "7 attempts to get in failed within 2 min (5 wrong tokens, 2 failed logins)",
        "from 192.0.2.0 (3), 192.0.2.1 (2), 192.0.2.2 (1) and 1 more",
        "All were refused",
        "waits up to 60 s",
        "Required action: none if it was a mistake",
    ):
        assert part in found.text
    assert not found.is_critical


def test_wrong_codes_mean_that_a_token_is_in_other_hands() -> None:
    watch = FailureWatch()
    fail(watch, 5, kind="code", person="alice")
    found = opened(watch.look(0))
    assert found.is_critical and "ask alice" in found.text and "eternal access rotate" in found.text


def test_it_changes_with_each_doubling_and_ends_once_after_a_calm_time() -> None:
    watch, told = FailureWatch(), []
    for number in range(45):
        watch.failed("token", "192.0.2.1", "", float(number))
        if (news := watch.look(float(number))) is not None:
            told.append((number + 1, news.is_open))
    assert told == [(5, True), (10, True), (20, True), (40, True)]
    assert watch.look(44 + CALM_S) is None
    ended = watch.look(44 + CALM_S + 1)
    assert ended is not None and not ended.is_open and "45 in all" in ended.text
    assert watch.look(44 + CALM_S + 2) is None
    fail(watch, ALERT_FROM - 1, 10_000.0)
    assert watch.look(10_000.0) is None, "it counts anew"
    fail(watch, 1, 10_000.0)
    assert "5 attempts" in opened(watch.look(10_000.0)).text


def test_single_mistakes_over_the_day_are_no_condition() -> None:
    watch = FailureWatch()
    for number in range(50):
        now_s = number * (CALM_S + 1)
        watch.failed("login", "192.0.2.1", "", now_s)
        assert watch.look(now_s) is None


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("testclient", "testclient", True),
        ("", "x", False),
    ],
)
def test_what_is_slowed_as_one(one: str, other: str, is_same: bool) -> None:
    assert (place_of(one) == place_of(other)) is is_same


# --- to the orchestrator ---


class Orchestrator:
    """Takes reports into the register of conditions as the actor does; `is_away` refuses."""

    def __init__(self) -> None:
        self.is_away = False
        self.seen: dict[str, AccessFailures] = {}
        self.conditions = Conditions(ActorName.ORCHESTRATOR)
        self.facts: list[Any] = []

    def report(self, body: AccessFailures, natural_id: str) -> None:
        if self.is_away:
            raise LookupError("there is no orchestrator")
        if natural_id not in self.seen:
            self.seen[natural_id] = body
            fact = self.conditions.take(alert_of(body), f"a{len(self.seen)}", len(self.seen))
            self.facts += [] if fact is None else [fact]


def test_the_operator_is_alerted_once_and_the_alert_ends() -> None:
    clock = [0.0]
    desk, orchestrator = FailureDesk(lambda: clock[0]), Orchestrator()
    alarm = AccessAlarm(desk, orchestrator.report)
    alarm.look()
    assert orchestrator.facts == [], "what was not open does not end"
    for _ in range(ALERT_FROM):
        desk.failed("login", "192.0.2.1")
    for _ in range(3):
        alarm.look()
    (fact,) = orchestrator.facts
    assert (fact.state, fact.severity) == ("open", "warning") and "5 failed logins" in fact.text
    clock[0] = CALM_S + 1
    alarm.look()
    assert [one.state for one in orchestrator.facts] == ["open", "ended"]


def test_an_orchestrator_that_is_away_learns_it_later_and_in_order() -> None:
    clock = [0.0]
    desk, orchestrator = FailureDesk(lambda: clock[0]), Orchestrator()
    alarm = AccessAlarm(desk, orchestrator.report)
    orchestrator.is_away = True
    for number in range(20):
        desk.failed("token", f"192.0.2.{number}")
        alarm.look()
    clock[0] = CALM_S + 1
    alarm.look()
    orchestrator.is_away = False
    alarm.look()
    assert [(one.is_open, one.text[:2]) for one in orchestrator.seen.values()] == [
        (False, RESTARTED[:2]),
        (True, "20"),
        (False, "th"),
    ]
    assert [one.state for one in orchestrator.facts] == ["open", "ended"]


def test_a_restarted_interface_ends_what_was_left_open() -> None:
    orchestrator = Orchestrator()
    for _ in range(2):
        desk = FailureDesk(lambda: 0.0)
        alarm = AccessAlarm(desk, orchestrator.report)
        alarm.look()
        for _ in range(ALERT_FROM):
            desk.failed("token", "192.0.2.1")
        alarm.look()
    assert [one.state for one in orchestrator.facts] == ["open", "ended", "open"]
    assert RESTARTED in orchestrator.facts[1].text
