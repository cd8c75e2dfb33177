"""R3 on the real system: all derivatives are flattened while the order manager and the risk manager are killed, and
the exchange's own lists show that they are."""

from __future__ import annotations

import os
import signal
from datetime import date
from decimal import Decimal

import pytest

from statemachines.values import DERIVATIVE_ENGINES, ActorName
from tests.chaos.accounts import coins, held, history, open_orders, stages, switches
from tests.chaos.rig import drill_folder, make_config, running
from tests.simulation.whole import instant

pytestmark = [pytest.mark.ray, pytest.mark.drill, pytest.mark.timeout(600)]

PACE_S = Decimal("1.5")
"""Least seconds per market day: the market must last until the proof, which takes market time."""
LAST_DAY = date(2025, 2, 20)
HELD_FROM = "2025-01-02T04:00"
"""On the synthetic market all three engines hold derivatives then."""


def test_r3_all_derivatives_are_closed_and_proven_flat_though_actors_are_killed_meanwhile() -> None:
    with drill_folder() as folder, running(make_config(folder, LAST_DAY, pace_s=PACE_S)) as drill:
        drill.until(instant(HELD_FROM))
        drill.wait("positions of all three", lambda: all(held(drill, engine) for engine in DERIVATIVE_ENGINES))
        before = coins(drill)
        drill.control("flatten", "GLOBAL", "a drill")
        for name in (ActorName.ORDER_MANAGER, ActorName.RISK_MANAGER):
            os.kill(drill.pid(name), signal.SIGKILL)
        drill.wait("the proof", lambda: set(stages(drill)) == {"FLAT"} and len(stages(drill)) == 3)
        for engine in DERIVATIVE_ENGINES:
            assert held(drill, engine) == {} and open_orders(drill, engine) == []
        drill.advance(30)  # beyond a daily cycle and several settlements: nothing is opened again
        for engine in DERIVATIVE_ENGINES:
            assert held(drill, engine) == {} and open_orders(drill, engine) == []
        states = {row["scope"]: row["state"] for row in switches(drill)}
        assert {states[engine] for engine in DERIVATIVE_ENGINES} == {"HALTED"}
        assert coins(drill) >= before, "CORE-HODL is not part of it"
        assert history(drill) == [("flatten", "GLOBAL", "operator (drill)", "a drill")]
