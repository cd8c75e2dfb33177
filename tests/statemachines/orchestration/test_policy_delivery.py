"""RM-6: a version goes to the actors between two daily cycles, once, with a restart at every point."""

from __future__ import annotations

import pytest

from statemachines.commands import JournalEntry, Send
from statemachines.messages.control import CycleDone, ParametersChanged, PolicyRecorded
from statemachines.orchestration.daily_cycle import Stage
from statemachines.orchestration.policy_delivery import KEY, PolicyDelivery
from statemachines.values import ActorName
from tests.statemachines.orchestration.test_logic import World


def recorded(version: int) -> PolicyRecorded:
    return PolicyRecorded(version=version, policy={"risk": {}}, who="ada", reason="a test")


def delivered(world: World) -> list[int]:
    return [c.body.version for c in world.log if isinstance(c, Send) and isinstance(c.body, ParametersChanged)]


@pytest.mark.parametrize("stage", list(Stage))
def test_it_is_due_while_no_cycle_is_under_way(stage: Stage) -> None:
    delivery = PolicyDelivery()
    assert not delivery.is_due(stage)
    delivery.take(recorded(2))
    assert delivery.is_due(stage) is (stage is Stage.IDLE)


@pytest.mark.parametrize(("version", "waits"), [(3, 4), (4, 4), (5, 5)], ids=["older", "the same", "newer"])
def test_of_two_recorded_versions_the_later_one_is_delivered(version: int, waits: int) -> None:
    delivery = PolicyDelivery()
    delivery.take(recorded(4))
    delivery.take(recorded(version))
    again = PolicyDelivery()
    again.restore(delivery.row().state, delivery.row().data)
    _, send = again.deliver()
    assert isinstance(send, Send) and isinstance(send.body, ParametersChanged) and send.body.version == waits
    assert not again.is_due(Stage.IDLE)
    assert not isinstance(again.take(recorded(waits))[0], JournalEntry), "a repeat is not delivered again"


def test_between_cycles_it_is_delivered_at_once() -> None:
    world = World().open()
    world.tell(recorded(2))
    assert delivered(world) == [2]


@pytest.mark.parametrize("restart_at", range(40))
def test_in_the_middle_of_a_cycle_it_waits_for_its_end_and_precedes_the_next_one(restart_at: int) -> None:
    world = World(lambda step: step == restart_at).open()
    world.silent = {ActorName.TREND_1}
    world.close_day()
    world.tell(recorded(2), recorded(2))
    assert delivered(world) == [], "a cycle is decided under one version"
    world.silent = set()
    world.tell(CycleDone(day_ms=world.now_ms - 86_400_000, engine=ActorName.TREND_1, summary="done"))
    assert delivered(world) == [2]
    world.close_day()
    assert delivered(world) == [2] and len(world.summaries()) == 2
    kinds = [
        c.machine if isinstance(c, JournalEntry) else "changed"
        for c in world.log
        if (isinstance(c, JournalEntry) and c.trigger in ("summarised", "day_closed", "deliver"))
    ]
    assert kinds == ["daily-cycle", "daily-cycle", KEY, "daily-cycle", "daily-cycle"]


def test_a_version_and_a_closed_day_at_once_the_version_is_first() -> None:
    world = World()
    world.tell(recorded(2))
    assert delivered(world) == [2], "no cycle is under way before the first reconciliation either"
