"""The notifier (RM-5): what people receive, in which order, how often; pure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statemachines.notifications.delivery import DeliveryState
from statemachines.notifications.message import ChannelName
from statemachines.notifications.parameters import NotificationRules
from statemachines.notifications.report import Report
from tests.statemachines.notifications.world import ALL, INSTALLATION, POINTS, World, started

TELEGRAM, EMAIL, PAGERDUTY, WEBHOOK = ALL


def test_an_alert_is_raised_changed_and_ended_over_its_channels() -> None:
    world = started()
    one = world.alert("critical")
    world.turn()
    assert {name: world.parts(name, one) for name in ALL} == {name: ["raise"] for name in ALL}
    world.now += timedelta(minutes=1)
    world.change(one)
    world.run(rules_s := world.rules.change_s)
    assert world.count(TELEGRAM, one, "change") == 1, f"within {rules_s} s"
    assert world.count(PAGERDUTY, one, "change") == 0, "an open incident keeps its text"
    world.end(one)
    world.run(60)
    assert {name: world.parts(name, one)[-1] for name in ALL} == dict.fromkeys(ALL, "resolve")
    assert world.open() == []


def test_every_message_names_the_alert_by_the_same_number() -> None:
    world = started()
    one = world.alert("critical")
    world.run(3_000)
    world.acknowledge(one)
    world.run(60)
    world.end(one)
    world.run(60)
    keys = {part.dedup_key for name in ALL for message in world.received[name] for part in message.parts}
    assert keys == {f"{INSTALLATION}:{one}"}


def test_several_alerts_of_one_moment_are_one_message_the_gravest_first() -> None:
    world = started()
    ids = [world.alert("warning"), world.alert("critical"), world.alert("info")]
    world.turn()
    (message,) = world.received[TELEGRAM]
    assert [part.alert_id for part in message.parts] == [ids[1], ids[0], ids[2]]
    assert message.severity == "critical"
    world.run(60)
    assert len(world.received[PAGERDUTY]) == 1


def test_a_storm_is_one_message_that_says_how_many_there_are() -> None:
    world = started()
    ids = [world.alert("warning") for _ in range(300)]
    world.run(1_000)
    (message,) = world.received[TELEGRAM]
    assert (len(message.parts), message.omitted) == (20, 280)
    assert len(world.received[EMAIL]) == 1
    assert [part.alert_id for one in world.received[WEBHOOK] for part in one.parts] == ids, "programs get all"
    assert world.open() == []


def test_what_is_critical_is_never_only_counted() -> None:
    world = started()
    ids = [world.alert("critical" if number < 45 else "info") for number in range(100)]
    world.run(300)
    found = [part.alert_id for message in world.received[TELEGRAM] for part in message.parts]
    assert set(ids[:45]) <= set(found)
    assert [one.omitted for one in world.received[TELEGRAM]] == [0, 0, 40]
    assert len(world.received[PAGERDUTY]) == 45


def test_messages_keep_a_gap() -> None:
    world = started(rules=NotificationRules(gap_s=30))
    for _ in range(10):
        world.alert("info")
        world.turn()
        world.now += timedelta(seconds=10)
    assert [len(message.parts) for message in world.received[TELEGRAM]] == [1, 3, 3, 3]


# --- repetition and acknowledging ---


def test_a_critical_alert_is_repeated_until_it_is_acknowledged() -> None:
    world = started(rules=NotificationRules(repeat_s=600))
    one = world.alert("critical")
    world.run(590)
    assert world.parts(TELEGRAM, one) == ["raise"]
    world.run(1_300)
    assert world.parts(TELEGRAM, one) == ["raise", "repeat", "repeat", "repeat"]
    assert world.parts(PAGERDUTY, one) == ["raise"], "PagerDuty repeats by its own rules"
    world.acknowledge(one)
    world.run(5_000)
    assert world.parts(TELEGRAM, one)[4:] == ["acknowledge"]
    assert world.parts(PAGERDUTY, one) == ["raise", "acknowledge"]
    assert "acknowledge" not in world.parts(EMAIL, one)


def test_a_critical_alert_is_repeated_until_it_has_ended() -> None:
    world = started(rules=NotificationRules(repeat_s=600))
    one = world.alert("critical")
    world.run(700)
    world.end(one)
    world.run(5_000)
    assert world.parts(TELEGRAM, one) == ["raise", "repeat", "resolve"]


@pytest.mark.parametrize("severity", ["info", "warning"])
def test_what_is_not_critical_is_not_repeated(severity: str) -> None:
    world = started()
    one = world.alert(severity)  # type: ignore[arg-type]
    world.run(5_000)
    assert world.parts(TELEGRAM, one) == ["raise"]


def test_a_critical_event_is_repeated_a_bounded_number_of_times() -> None:
    """It has no end of its own, and is open at PagerDuty until a person resolves it."""
    world = started(rules=NotificationRules(repeat_s=60))
    one = world.alert("critical", condition="")
    world.run(3_000)
    assert world.parts(TELEGRAM, one) == ["raise", *["repeat"] * 6]
    assert world.parts(PAGERDUTY, one) == ["raise"]
    other = world.alert("critical", condition="")
    world.run(90)
    world.acknowledge(other)
    world.run(3_000)
    assert world.parts(TELEGRAM, other) == ["raise", "repeat", "acknowledge"]


def test_a_channel_that_is_away_gets_no_pile_of_repeats() -> None:
    world = started(rules=NotificationRules(repeat_s=60))
    world.broken = {TELEGRAM}
    one = world.alert("critical")
    world.run(7_200)
    world.broken = set()
    world.run(600)
    assert world.parts(TELEGRAM, one)[:2] == ["raise", "repeat"]
    assert len(world.received[TELEGRAM]) < 15


def test_repetition_survives_a_restart() -> None:
    world = started(rules=NotificationRules(repeat_s=600))
    one = world.alert("critical")
    world.run(300)
    world.begin()
    world.run(310)
    assert world.parts(TELEGRAM, one) == ["raise", "repeat"]


def test_an_alert_that_becomes_critical_goes_further_at_once_and_is_repeated() -> None:
    world = started(rules=NotificationRules(repeat_s=600))
    one = world.alert("warning")
    world.turn()
    world.now += timedelta(seconds=10)
    world.change(one, "critical")
    world.turn()
    assert world.parts(TELEGRAM, one) == ["raise", "change"]
    assert world.parts(PAGERDUTY, one) == ["raise"]
    world.run(610)
    assert world.count(TELEGRAM, one, "repeat") == 1
    world.change(one, "warning")
    world.run(3_000)
    assert world.count(TELEGRAM, one, "repeat") == 1


# --- changes ---


def test_changes_are_sent_at_most_so_often_with_the_newest_text() -> None:
    world = started(rules=NotificationRules(change_s=900))
    one = world.alert("info")
    world.turn()
    for number in range(100):
        world.now += timedelta(seconds=9)
        world.change(one, text=f"text {number}")
        world.turn()
    world.run(10)
    texts = [part.text for message in world.received[TELEGRAM] for part in message.parts]
    assert len(texts) == 2
    assert texts[1] in ("text 98", "text 99")


def test_a_change_before_the_alert_left_only_changes_its_text() -> None:
    world = started(rules=NotificationRules(quiet_from="11:00", quiet_until="14:00"))
    one = world.alert("warning")
    world.turn()
    world.change(one, text="the newest")
    world.run(7_300, 60)
    (part,) = world.received[TELEGRAM][0].parts
    assert (part.action, part.text) == ("raise", "the newest")


# --- quiet hours ---


def test_quiet_hours_hold_everything_but_what_is_critical() -> None:
    world = started(rules=NotificationRules(quiet_from="11:00", quiet_until="14:00"))
    held, brief, critical = world.alert("warning"), world.alert("warning"), world.alert("critical")
    world.turn()
    assert [part.alert_id for part in world.received[TELEGRAM][0].parts] == [critical]
    world.end(brief)
    world.run(7_100, 60)
    assert world.parts(TELEGRAM, held) == []
    world.run(200, 60)
    assert world.parts(TELEGRAM, held) == ["raise"]
    assert world.parts(TELEGRAM, brief) == ["raise"], "one message says that it began and ended"
    (text,) = [part.text for one in world.received[TELEGRAM] for part in one.parts if part.alert_id == brief]
    assert "Ended" in text


def test_an_alert_in_quiet_hours_that_becomes_critical_leaves_at_once() -> None:
    world = started(rules=NotificationRules(quiet_from="11:00", quiet_until="14:00"))
    one = world.alert("warning")
    world.turn()
    world.change(one, "critical")
    world.turn()
    assert world.parts(TELEGRAM, one) == ["raise"]
    assert world.received[TELEGRAM][0].severity == "critical"


# --- the first start, new channels, channels that are gone ---


def test_the_first_start_sends_what_stands_and_only_counts_what_has_ended() -> None:
    world = World()
    for _ in range(200):
        world.end(world.alert("warning"))
    standing = world.alert("critical")
    world.run(30)
    (message,) = world.received[TELEGRAM]
    assert [part.alert_id for part in message.parts] == [standing, "earlier"]
    assert "200 alerts began and ended before that (200 warning)" in message.parts[1].text
    assert [part.alert_id for one in world.received[PAGERDUTY] for part in one.parts] == [standing]
    world.begin()
    world.run(60)
    assert len(world.received[TELEGRAM]) == 1


def test_a_first_start_without_alerts_sends_nothing() -> None:
    world = started()
    world.run(60)
    assert not any(world.received.values())


def test_what_happened_while_the_notifier_was_dead_is_sent() -> None:
    world = started()
    brief = world.alert("critical")
    world.end(brief)
    long = world.alert("info")
    world.now += timedelta(days=2)
    world.begin()
    world.run(60)
    assert world.parts(TELEGRAM, brief) == ["raise"]
    assert world.parts(PAGERDUTY, brief) == ["raise", "resolve"]
    assert world.parts(TELEGRAM, long) == ["raise"]


def test_a_row_that_commits_late_is_not_missed() -> None:
    """Its market time and its number lie before those of alerts that were sent already."""
    world = started()
    world.alert("info")
    world.turn()
    late = world.alert("info", market_ms=1, changed_ms=1)
    world.run(30)
    assert world.parts(TELEGRAM, late) == ["raise"]


def test_a_new_channel_gets_what_stands_and_one_that_is_gone_keeps_nothing() -> None:
    world = started(channels=(TELEGRAM,))
    standing, brief = world.alert("critical"), world.alert("critical")
    world.run(30)
    world.end(brief)
    world.broken = {TELEGRAM}
    world.run(30)
    world.channels = (EMAIL, PAGERDUTY)
    world.begin()
    world.run(60)
    assert world.parts(EMAIL, standing) == ["raise"]
    assert world.parts(PAGERDUTY, standing) == ["raise"]
    assert world.parts(EMAIL, brief) == []
    assert world.open() == []
    assert {row.state for row in world.deliveries.values() if row.channel == TELEGRAM} == {"DELIVERED", "EXPIRED"}


def test_without_channels_nothing_is_made() -> None:
    world = World(channels=())
    world.alert("critical")
    decision = world.notifier.step(world.now, (), 0)
    assert not decision.facts
    assert not decision.outgoing


# --- reports ---


def test_a_report_travels_alone_and_its_body_is_discarded() -> None:
    world = started()
    report = Report("daily:2026-11-28", "Day", "plain", "<html>", 5)
    world.alert("info")
    world.commit(world.notifier.report(world.now, report, EMAIL, 5))
    world.alert("warning")
    world.run(30)
    assert [(one.kind, one.html) for one in world.received[EMAIL]] == [("alert", None), ("report", "<html>")]
    row = world.deliveries[report.delivery_id(EMAIL)]
    assert (row.state, row.html) == (DeliveryState.DELIVERED, None)


# --- crashes ---


@pytest.mark.parametrize("name", [TELEGRAM, PAGERDUTY, WEBHOOK])
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_loses_nothing(point: str, name: ChannelName) -> None:
    """Only a crash between send and commit makes a repeat: it is the same message, with the same numbers."""
    world = started(channels=(name,))
    ids = [world.alert("critical"), world.alert("critical")]
    world.crash_at = point
    world.turn()
    world.alert("info")
    world.run(30)
    times = 2 if point == "after the send" else 1
    first = world.received[name][0]
    same = [one for one in world.received[name] if one.message_id == first.message_id]
    assert len(same) == times
    assert all(one == first for one in same)
    for alert_id in ids:
        assert world.count(name, alert_id, "raise") in (1, times)
    assert world.open() == []
