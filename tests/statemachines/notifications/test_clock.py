"""A wall clock that is wrong for a while (RM-5): no message is lost by it, and none waits for its time; pure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statemachines.notifications.parameters import NotificationRules
from tests.statemachines.notifications.world import ALL, World, started

TELEGRAM, EMAIL, PAGERDUTY, WEBHOOK = ALL
AHEAD = timedelta(days=30)


def ahead_for_a_turn(world: World, by: timedelta = AHEAD) -> None:
    world.now += by
    world.turn()
    world.now -= by


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_channel_does_not_wait_for_a_time_that_was_wrong(is_restarted: bool) -> None:
    world = started(channels=(TELEGRAM,))
    world.alert("info")
    ahead_for_a_turn(world)
    if is_restarted:
        world.begin()
    one = world.alert("critical")
    world.run(60)
    assert world.count(TELEGRAM, one, "raise") == 1


@pytest.mark.parametrize("minutes", [0, 1, 59, 60])
def test_a_pause_lasts_no_longer_than_the_longest(minutes: int) -> None:
    world = started(channels=(TELEGRAM,))
    world.alert("info")
    ahead_for_a_turn(world, timedelta(minutes=minutes))
    one = world.alert("critical")
    world.run(3_600)
    assert world.count(TELEGRAM, one, "raise") == 1


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_fails_while_the_clock_is_ahead_is_not_lost(is_restarted: bool) -> None:
    world = started(channels=(TELEGRAM,))
    world.broken = {TELEGRAM}
    ids = [world.alert("critical", ""), world.alert("warning")]
    world.run(120)
    ahead_for_a_turn(world, timedelta(days=8))
    if is_restarted:
        world.begin()
    world.broken = set()
    world.run(700)
    assert [world.count(TELEGRAM, one, "raise") for one in ids] == [1, 1]


def test_what_was_raised_while_the_clock_was_ahead_is_sent_and_repeated() -> None:
    world = started(channels=(TELEGRAM,), rules=NotificationRules(repeat_s=600))
    world.broken = {TELEGRAM}
    one = world.alert("critical")
    ahead_for_a_turn(world)
    world.broken = set()
    world.run(60)
    assert world.count(TELEGRAM, one, "raise") == 1
    world.run(3_600)
    assert world.count(TELEGRAM, one, "repeat") == 6


def test_a_change_does_not_wait_for_a_time_that_was_wrong() -> None:
    world = started(channels=(EMAIL,), rules=NotificationRules(change_s=900))
    one = world.alert("warning")
    ahead_for_a_turn(world)
    world.change(one)
    world.run(890)
    assert world.parts(EMAIL, one) == ["raise"]
    world.run(10)
    assert world.parts(EMAIL, one) == ["raise", "change"]


@pytest.mark.parametrize(("step_s", "count"), [(1, 0), (3_600, 0), (3_700, 1)])
def test_quiet_hours_are_kept_when_the_clock_is_set_back_a_little(step_s: int, count: int) -> None:
    world = started(channels=(TELEGRAM,), rules=NotificationRules(quiet_from="11:00", quiet_until="20:00"))
    one = world.alert("info")
    ahead_for_a_turn(world, timedelta(seconds=step_s))
    world.run(60)
    assert len(world.parts(TELEGRAM, one)) == count
