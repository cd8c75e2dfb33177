"""A storm of alerts (RM-5): the notifier's work grows with their number, not with its square; pure."""

from __future__ import annotations

import time
from datetime import timedelta

from tests.statemachines.notifications.world import ALL, started

ALERTS = 2_000
MOST_CPU_S = 3.0
"""Measured 2026-11-29 on two cores: 0.13 s; 6.7 s when each alert was looked for among all deliveries."""


def test_thousands_of_alerts_that_no_channel_takes_are_repeated_changed_and_ended() -> None:
    world = started()
    world.broken = set(ALL)
    ids = [world.alert("critical", f"condition:{number}") for number in range(ALERTS)]
    world.turn()
    world.now += timedelta(seconds=world.rules.repeat_s + 1)
    used_s = 0.0

    def step() -> None:
        nonlocal used_s
        seen = world.unseen()[:500]
        began_s = time.process_time()
        decision = world.notifier.step(world.now, seen, world.market_ms, is_all=False)
        used_s += time.process_time() - began_s
        world.commit(decision)

    step()
    for one in ids[:500]:
        world.change(one)
    step()
    for one in ids[:500]:
        world.end(one)
    step()
    assert used_s < MOST_CPU_S
    assert {row.action for row in world.deliveries.values()} >= {"raise", "resolve"}
    assert [world.notices[one].state for one in ids[:500]] == ["ended"] * 500
