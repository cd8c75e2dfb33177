"""RM-6 on the real system: a version recorded while it runs reaches every actor without a restart, and a killed actor
returns with it."""

from __future__ import annotations

import os
import signal
from datetime import date
from decimal import Decimal

import pytest

from actors.runtime.registry import START_ORDER
from api.policies import by_settings, holders_of, record
from statemachines.values import ActorName
from tests.chaos.rig import Drill, drill_folder, make_config, running
from tests.simulation.whole import instant

pytestmark = [pytest.mark.ray, pytest.mark.drill, pytest.mark.timeout(600)]

PACE_S = Decimal("0.5")
"""Least seconds per market day: the market must last until the last order."""
LAST_DAY = date(2025, 3, 20)
CHANGED_FROM = "2025-01-04T04:00"


def test_a_limit_set_while_the_system_runs_refuses_the_next_order_also_after_the_risk_manager_was_killed() -> None:
    with drill_folder() as folder, running(make_config(folder, LAST_DAY, pace_s=PACE_S)) as drill:
        drill.until(instant(CHANGED_FROM))
        url = drill.system.database_url
        config = drill.system.config
        record(url, by_settings(url, config, ["risk.capital_limit_usdt=1000"]), "ada", "a drill")
        drill.wait("the version at every actor", lambda: _versions(drill) == dict.fromkeys(map(str, START_ORDER), 2))

        os.kill(drill.pid(ActorName.RISK_MANAGER), signal.SIGKILL)
        drill.wait("a refusal after the change", lambda: _refusals(drill, 2) > 0)
        drill.advance(48)
        assert _versions(drill)[ActorName.RISK_MANAGER] == 2
        assert _refusals(drill, 1) == 0 and _approvals_of_new_risk(drill, 2) == 0


def _versions(drill: Drill) -> dict[str, int]:
    return {one["actor"]: one["version"] for one in holders_of(drill.system.database_url)}


def _count(drill: Drill, condition: str, version: int) -> int:
    with drill.database() as connection:
        row = connection.execute(
            f"SELECT count(*) FROM journal WHERE actor = 'risk-manager' AND {condition} "
            "AND data ->> 'policy_version' = %s",
            (str(version),),
        ).fetchone()
    assert row is not None
    return int(row[0])


def _refusals(drill: Drill, version: int) -> int:
    return _count(drill, "trigger = 'deny' AND reason LIKE '%%capital_limit%%'", version)


def _approvals_of_new_risk(drill: Drill, version: int) -> int:
    return _count(drill, "trigger = 'approve' AND reason LIKE '%%new risk%%'", version)
