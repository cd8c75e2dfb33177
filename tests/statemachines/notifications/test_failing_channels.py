"""Channels that fail (RM-5): what waits is not lost, the pace is kept, and the others report it; pure."""

from __future__ import annotations

from itertools import pairwise

import pytest

from statemachines.notifications.channel import ChannelState
from statemachines.notifications.delivery import DeliveryState
from statemachines.notifications.machine import NotifierState
from statemachines.notifications.message import Delivered, Message, Outcome, RefusedForGood, TryAgain
from statemachines.notifications.parameters import NotificationRules
from statemachines.notifications.report import Report
from tests.statemachines.notifications.world import ALL, START, started

TELEGRAM, EMAIL, PAGERDUTY, WEBHOOK = ALL


def test_a_failing_channel_is_reported_over_the_others_and_the_report_ends() -> None:
    world = started(rules=NotificationRules(failed_tries=3))
    world.broken = {TELEGRAM}
    one = world.alert("warning")
    world.run(15)
    assert not [alert for alert in world.alerts.values() if alert.actor == "notifier"], "two tries are no failure yet"
    world.run(60)
    (report,) = [alert for alert in world.alerts.values() if alert.actor == "notifier"]
    assert (report.severity, report.condition) == ("warning", "channel:telegram")
    assert world.parts(EMAIL, report.alert_id) == ["raise"]
    assert world.parts(WEBHOOK, report.alert_id) == ["raise"]
    assert world.parts(PAGERDUTY, report.alert_id) == []
    world.broken = set()
    world.run(1_300)
    assert world.parts(TELEGRAM, one) == ["raise"]
    assert world.parts(TELEGRAM, report.alert_id) == []
    assert world.parts(EMAIL, report.alert_id) == ["raise", "resolve"]


def test_critical_alerts_that_wait_for_a_failing_channel_make_it_critical() -> None:
    world = started()
    world.broken = {TELEGRAM}
    world.alert("warning")
    world.run(120)
    (report,) = [alert for alert in world.alerts.values() if alert.actor == "notifier"]
    assert world.parts(PAGERDUTY, report.alert_id) == []
    one = world.alert("critical")
    world.run(60)
    changed = world.alerts[report.alert_id]
    assert changed.severity == "critical"
    assert f"Title {one}" in changed.text
    assert world.parts(PAGERDUTY, report.alert_id) == ["raise"]
    texts = changed.changes
    world.run(7_200, 30)
    assert world.alerts[report.alert_id].changes == texts, "each further try is no news"


def test_a_pace_that_is_asked_for_is_kept_and_is_no_failure() -> None:
    asked: list[float] = []

    def slow(message: Message) -> Outcome:
        asked.append((world.now - START).total_seconds())
        return TryAgain("slower", 120.0, is_pace=True) if len(asked) < 5 else Delivered()

    world = started()
    world.answers[TELEGRAM] = slow
    world.alert("info")
    world.run(900)
    assert asked == [0, 120, 240, 360, 480]
    assert world.notifier.channels[TELEGRAM].state is ChannelState.WORKING
    assert world.open() == []


def test_pauses_grow_and_are_bounded() -> None:
    times: list[float] = []

    def away(message: Message) -> Outcome:
        times.append((world.now - START).total_seconds())
        return TryAgain("away")

    world = started(channels=(TELEGRAM,))
    world.answers[TELEGRAM] = away
    world.alert("info")
    world.run(3_600)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == [5, 15, 30, 60, 120, 240, 480, 600, 600, 600, 600][: len(pauses)]
    assert len(pauses) > 8


def test_what_is_refused_for_good_is_not_tried_again_and_is_reported() -> None:
    """At the first time: a single message that is lost on a channel that works otherwise is seen by no one else."""
    world = started()
    world.answers[TELEGRAM] = lambda message: RefusedForGood("text is too long")
    one = world.alert("info")
    world.run(60)
    (row,) = [row for row in world.deliveries.values() if row.alert_id == one and row.channel == TELEGRAM]
    assert (row.state, row.reason, row.attempts) == (DeliveryState.REFUSED, "text is too long", 1)
    (report,) = [alert for alert in world.alerts.values() if alert.actor == "notifier"]
    assert "text is too long" in report.text
    assert f"It refuses for good, so that they are not tried again: Title {one}." in report.text
    assert world.parts(EMAIL, report.alert_id) == ["raise"]
    assert world.parts(TELEGRAM, report.alert_id) == []
    del world.answers[TELEGRAM]
    world.alert("info")
    world.run(60)
    assert world.parts(EMAIL, report.alert_id) == ["raise", "resolve"]


def test_one_alert_that_is_refused_costs_no_other() -> None:
    def answer(message: Message) -> Outcome:
        if any("POISON" in part.title for part in message.parts):
            return RefusedForGood("HTTP status 413")
        world.received[TELEGRAM].append(message)
        return Delivered()

    world = started(channels=(TELEGRAM, EMAIL))
    world.answers[TELEGRAM] = answer
    bad = world.alert("info", title="POISON")
    others = [world.alert("warning"), world.alert("critical"), *(world.alert("info") for _ in range(30))]
    world.run(300)
    assert [world.parts(TELEGRAM, one) for one in others] == [["raise"]] * len(others)
    rows = {row.alert_id: row for row in world.deliveries.values() if row.channel == TELEGRAM}
    assert [one for one, row in rows.items() if row.state == DeliveryState.REFUSED] == [bad]
    assert rows[bad].attempts == 2
    (report,) = [alert for alert in world.alerts.values() if alert.actor == "notifier"]
    assert "they are not tried again: POISON." in report.text
    assert world.parts(EMAIL, report.alert_id)


def test_an_alert_that_comes_while_refused_ones_go_alone_is_not_held_up() -> None:
    world = started(channels=(WEBHOOK,))
    world.answers[WEBHOOK] = lambda message: RefusedForGood("no") if len(message.parts) > 1 else TryAgain("timeout")
    for _ in range(2):
        world.alert("warning")
    world.run(20)
    seen: list[Message] = []

    def away(message: Message) -> Outcome:
        seen.append(message)
        return TryAgain("timeout")

    world.answers[WEBHOOK] = away
    one = world.alert("critical")
    world.run(60)
    assert [part.alert_id for part in seen[0].parts] == [one]


def test_a_refused_critical_alert_is_not_held_up_by_a_stream_of_milder_ones() -> None:
    world = started(channels=(WEBHOOK,))
    answers = iter([RefusedForGood("no")])

    def answer(message: Message) -> Outcome:
        world.received[WEBHOOK].append(message)
        return next(answers, Delivered())

    world.answers[WEBHOOK] = answer
    one = world.alert("critical")
    for _ in range(6):
        world.alert("info")
        world.run(5)
    assert [part.alert_id for part in world.received[WEBHOOK][1].parts] == [one]


ODD = "gate\x00way\nsays \ud800\u202ex " + "x" * 9_000


@pytest.mark.parametrize("outcome", [Delivered(ODD), RefusedForGood(ODD), TryAgain(ODD), TryAgain(ODD, is_pace=True)])
def test_what_a_receiver_says_fits_into_a_row(outcome: Outcome) -> None:
    """PostgreSQL takes neither NUL nor half a character: the notifier would die of it at every start."""
    world = started(channels=(TELEGRAM, EMAIL))
    world.answers[TELEGRAM] = lambda message: outcome
    world.alert("warning")
    world.run(60)
    deliveries, channels = list(world.deliveries.values()), list(world.states.values())
    said = [f"{one.reason}{one.remote_id}" for one in deliveries]
    said += [str(one.data.get("last_error")) for one in channels]
    assert any("gate way says \ufffdx xxx" in one for one in said)
    written = list(map(repr, [*deliveries, *channels, *world.journal, *world.alerts.values()]))
    assert not [one for one in written for odd in ("\\x00", "\\ud800", "\\u202e", "\\n", "x" * 301) if odd in one]


@pytest.mark.parametrize("failing", ["report", "alert"])
def test_neither_a_report_nor_an_alert_that_fails_holds_the_other_up(failing: str) -> None:
    def answer(message: Message) -> Outcome:
        if message.kind == failing:
            return TryAgain("no answer within 30 s")
        world.received[EMAIL].append(message)
        return Delivered()

    world = started(channels=(EMAIL,))
    world.answers[EMAIL] = answer
    first = world.alert("critical")
    world.commit(world.notifier.report(world.now, Report("daily:2026-11-28", "Day", "plain", None, 5), EMAIL, 5))
    world.run(60)
    later = world.alert("critical")
    world.commit(world.notifier.report(world.now, Report("daily:2026-11-29", "Day", "plain", None, 6), EMAIL, 6))
    world.run(700)
    alerts = {part.alert_id for one in world.received[EMAIL] if one.kind == "alert" for part in one.parts}
    reports = [one for one in world.received[EMAIL] if one.kind == "report"]
    assert (alerts, len(reports)) == (({first, later}, 0) if failing == "report" else (set(), 2))


def test_one_report_that_fails_does_not_hold_up_the_next() -> None:
    def answer(message: Message) -> Outcome:
        world.received[EMAIL].append(message)
        return TryAgain("no answer") if message.parts[0].text == "poison" else Delivered()

    world = started(channels=(EMAIL,))
    world.answers[EMAIL] = answer
    for day, text in enumerate(("poison", "plain")):
        report = Report(f"daily:2026-11-2{day}", "Day", text, None, 5)
        world.commit(world.notifier.report(world.now, report, EMAIL, 5))
    world.run(60)
    assert [one.parts[0].text for one in world.received[EMAIL]][:3] == ["poison", "plain", "poison"]


def test_what_cannot_be_delivered_for_days_has_an_end() -> None:
    world = started(rules=NotificationRules(keep_days=1))
    world.broken = {EMAIL}
    one = world.alert("warning", "")
    kept = [world.alert("warning"), world.alert("critical", "")]
    world.run(86_400 + 700, 300)
    assert {row.alert_id for row in world.open() if row.channel == EMAIL} == set(kept)
    (row,) = [row for row in world.deliveries.values() if row.alert_id == one and row.channel == EMAIL]
    assert row.state == DeliveryState.EXPIRED
    assert "1 days" in row.reason


def test_the_notifiers_own_machine_follows() -> None:
    world = started(channels=(TELEGRAM, EMAIL))
    assert world.states["notifier"].state == NotifierState.IDLE
    world.broken = {TELEGRAM, EMAIL}
    world.alert("warning")
    world.turn()
    assert world.states["notifier"].state == NotifierState.DELIVERING
    world.run(120)
    assert world.states["notifier"].state == NotifierState.CUT_OFF
    world.broken = set()
    world.run(700)
    assert world.states["notifier"].state == NotifierState.IDLE
    assert all(line.is_bookkeeping for line in world.journal)
