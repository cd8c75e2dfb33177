"""Any order of alerts, changes, ends, acknowledgements, outages and crashes (RM-5): every alert that the rules route is
delivered at least once over every channel that works again, under one number; what is critical is repeated until it is
acknowledged or has ended. Faults that are planted are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statemachines.notifications.intake import Intake
from statemachines.notifications.message import SEVERITIES, ChannelName
from statemachines.notifications.notifier import Notifier
from statemachines.notifications.outbox import Outbox
from statemachines.notifications.parameters import NotificationRules
from statemachines.notifications.routing import channels_of
from tests.statemachines.notifications.world import ALL, INSTALLATION, POINTS, World

RULES = NotificationRules(repeat_s=300, change_s=60, quiet_from="13:00", quiet_until="13:20")
SETTLING_S = 2_400
"""Longer than the longest pause, the quiet hours and two repetitions."""

Step = tuple[Any, ...]
STEPS = st.one_of(
    st.tuples(st.just("alert"), st.sampled_from(SEVERITIES), st.booleans()),
    st.tuples(st.just("change"), st.integers(0, 5), st.sampled_from(SEVERITIES)),
    st.tuples(st.just("end"), st.integers(0, 5)),
    st.tuples(st.just("acknowledge"), st.integers(0, 5)),
    st.tuples(st.just("break"), st.sampled_from(ALL)),
    st.tuples(st.just("repair"), st.sampled_from(ALL)),
    st.tuples(st.just("crash"), st.sampled_from(POINTS)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("pass"), st.sampled_from([1, 30, 400, 2_000])),
)


class Lived:
    """A world after some steps, with what ought to have come of them."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.world = World(rules=RULES)
        self.world.turn()
        self.routed: dict[str, set[ChannelName]] = {}
        self.ids: list[str] = []
        for step in steps:
            before = set(self.world.notices)
            self._take(step)
            self.world.turn()
            self._expect(before)
        self.world.broken = set()
        self.world.run(SETTLING_S, 20)

    def _take(self, step: Step) -> None:
        world, ids = self.world, self.ids
        match step:
            case ("alert", severity, is_event):
                ids.append(world.alert(severity, "" if is_event else f"condition:{len(ids)}"))
            case ("change", index, severity) if ids:
                world.change(ids[index % len(ids)], severity)
            case ("end", index) if ids:
                world.end(ids[index % len(ids)])
            case ("acknowledge", index) if ids:
                world.acknowledge(ids[index % len(ids)])
            case ("break", name):
                world.broken.add(name)
            case ("repair", name):
                world.broken.discard(name)
            case ("crash", point):
                world.crash_at = point
            case ("restart",):
                world.begin()
            case ("pass", seconds):
                world.run(seconds, max(seconds / 20, 1))

    def _expect(self, before: set[str]) -> None:
        """Where the versions go that were taken: one that a crash kept from being taken may be followed by a milder."""
        for one in self.ids:
            alert, notice = self.world.alerts[one], self.world.notices.get(one)
            is_taken = notice is not None and (notice.state, notice.changes) == (alert.state, alert.changes)
            if is_taken and (alert.is_standing or one not in before):
                self.routed.setdefault(one, set()).update(channels_of(alert, RULES, ALL))

    # --- what must hold ---

    def faults(self) -> list[str]:
        """What does not, as sentences."""
        return [*self._lost(), *self._renumbered(), *self._unrepeated(), *self._incidents(), *self._unfinished()]

    def _lost(self) -> list[str]:
        return [
            f"{alert_id} never came over {name}"
            for alert_id, names in self.routed.items()
            for name in names
            if not self.world.parts(name, alert_id)
        ]

    def _renumbered(self) -> list[str]:
        return [
            f"{part.alert_id} came as {part.dedup_key}"
            for messages in self.world.received.values()
            for message in messages
            for part in message.parts
            if part.dedup_key != f"{INSTALLATION}:{part.alert_id}"
        ]

    def _unrepeated(self) -> list[str]:
        """Over the next hour exactly those are repeated that are critical, stand, and are not acknowledged."""
        world, before = self.world, {one: self._repeats(one) for one in self.ids}
        world.run(RULES.repeat_s * 3, 20)
        found = []
        for one in self.ids:
            alert, more = world.alerts[one], self._repeats(one) - before[one]
            is_due = alert.is_standing and alert.severity == "critical" and one not in world.acknowledged
            if is_due and not more:
                found.append(f"{one} is not repeated")
            if more and not is_due and not (alert.is_event and one not in world.acknowledged):
                found.append(f"{one} is repeated")
        return found

    def _repeats(self, alert_id: str) -> int:
        return self.world.count(ChannelName.TELEGRAM, alert_id, "repeat")

    def _incidents(self) -> list[str]:
        """What has ended is resolved at PagerDuty; its last word about it is that."""
        found = []
        for one in self.ids:
            told, alert = self.world.parts(ChannelName.PAGERDUTY, one), self.world.alerts[one]
            if told and not alert.is_event and not alert.is_standing and told[-1] != "resolve":
                found.append(f"the incident of {one} stays open: {told}")
            if told and told[0] != "raise":
                found.append(f"the incident of {one} begins with {told[0]}")
        return found

    def _unfinished(self) -> list[str]:
        return [f"{row.delivery_id} is {row.state}" for row in self.world.open() if row.action != "repeat"]


@settings(max_examples=settings().max_examples // 2)
@given(st.lists(STEPS, max_size=14))
def test_any_order_of_events(steps: list[Step]) -> None:
    assert Lived(steps).faults() == []


CRITICAL: Step = ("alert", "critical", False)
DEFECTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], list[Step], str]] = {}


def defect(steps: list[Step], found: str) -> Callable[[Callable[[pytest.MonkeyPatch], None]], None]:
    """A wrong change, steps under which it matters, and what is found."""

    def add(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
        DEFECTS[plant.__name__] = plant, steps, found

    return add


@defect([CRITICAL, ("restart",)], "is not repeated")
def _standing_alerts_are_not_restored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Intake, "restore", lambda self, standing, new, now: None)


@defect([("crash", POINTS[1]), CRITICAL], "never came over")
def _what_was_under_way_counts_as_delivered(patch: pytest.MonkeyPatch) -> None:
    whole = Outbox.restore

    def restore(self: Outbox, facts: Any, configured: Any, now: datetime) -> None:
        whole(self, [one for one in facts if one.state != "SENDING"], configured, now)

    patch.setattr(Outbox, "restore", restore)


@defect([("break", ChannelName.EMAIL), ("alert", "warning", False)], "never came over email")
def _a_failure_is_for_good(patch: pytest.MonkeyPatch) -> None:
    from tests.statemachines.notifications.world import START

    patch.setattr(Outbox, "failed", lambda self, message_id, reason: self.refused(message_id, reason, START))


@defect([CRITICAL, ("acknowledge", 0), ("pass", 400)], "is repeated")
def _an_acknowledgement_does_not_end_the_repetition(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Intake,
        "_acknowledge",
        lambda self, alert, notice, now: notice.model_copy(update={"is_acknowledged": True}),
    )


@defect([CRITICAL, ("restart",), ("end", 0)], "stays open")
def _an_end_is_not_said(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Intake,
        "_end",
        lambda self, alert, notice, now: notice.model_copy(
            update={"state": alert.state, "changes": alert.changes, "repeat_at": None}
        ),
    )


@defect([CRITICAL], "came as")
def _every_repeat_has_another_number(patch: pytest.MonkeyPatch) -> None:
    from statemachines.notifications import outbox

    whole = vars(outbox)["_part"]
    patch.setattr(outbox, "_part", lambda fact: _renamed(whole(fact), fact.number))


def _renamed(part: Any, number: int) -> Any:
    from dataclasses import replace

    return replace(part, dedup_key=f"{part.dedup_key}:{number}")


@defect([("alert", "warning", False), ("change", 0, "critical")], "never came over pagerduty")
def _what_becomes_graver_goes_no_further(patch: pytest.MonkeyPatch) -> None:
    from statemachines.notifications import intake

    patch.setattr(intake, "graver", lambda one, other: False)


@defect([("break", ChannelName.TELEGRAM), ("alert", "info", False)], "is RETRY")
def _a_failing_channel_is_given_up(patch: pytest.MonkeyPatch) -> None:
    from statemachines.notifications.channel import Channel

    whole = Channel.failed

    def failed(self: Channel, now: datetime, *rest: Any) -> Any:
        found = whole(self, now, *rest)
        self.next_at = now + timedelta(hours=1)
        return found

    patch.setattr(Channel, "failed", failed)


@defect([("alert", "warning", False)], "never came over")
def _the_first_look_is_forever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Notifier, "_end_settling", lambda self, now, market_ms: None)


@pytest.mark.parametrize("name", list(DEFECTS))
def test_a_planted_defect_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, steps, found = DEFECTS[name]
    assert Lived(steps).faults() == []
    plant(monkeypatch)
    assert any(found in fault for fault in Lived(steps).faults())
