"""The drill of issue 10 on the real system (`make drills`): the market falls 40 % in a day, the exchange is away for
ten minutes of it; the operator halts, flattens, restarts everything and resumes (RM-5, R3, OR-6).

The market is synthetic with the invented day of `tests/simulation/crash_day`, where the same drill runs in one process.
"""

from __future__ import annotations

import os
import signal
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from api.launch.keeper import Keeper
from api.launch.simulator_process import SimulatorProcess
from api.launch.system import System
from api.ledger.check import check_ledger
from api.ledger.exchange import exchange_records, lag_ms
from benchmarks.order_books import session_of
from infra.bybit.credentials import from_simulator
from statemachines.values import DERIVATIVE_ENGINES, Account, ActorName
from tests.chaos.accounts import held, history, is_well, open_orders, stages, switches
from tests.chaos.rig import Drill, drill_folder, make_config, running
from tests.simulation.whole import instant

pytestmark = [pytest.mark.ray, pytest.mark.drill, pytest.mark.timeout(600)]

CRASH_DAY = Path(__file__).parents[1] / "simulation" / "crash_day" / "crash-day.toml"
LAST_DAY = date(2025, 1, 20)
PACE_S = Decimal(3)
"""Least seconds per market day: it must last until the operator's commands have arrived."""

AWAY = instant("2025-01-03T12:55")
BACK = instant("2025-01-03T13:05")


class CrashDaySystem(System):
    """The launch with the exchange under the crash day's scenario."""

    def _make_keepers(self) -> list[Keeper]:
        keepers = super()._make_keepers()
        self._exchange = SimulatorProcess(
            self.config, self.run, self._granted, options=("--scenario", str(CRASH_DAY), "--no-rate-limits")
        )
        return keepers


def test_the_market_falls_40_percent_the_exchange_fails_and_the_operator_closes_restarts_and_resumes() -> None:
    with drill_folder() as folder:
        config = make_config(folder, LAST_DAY, pace_s=PACE_S)
        with running(config, launch=CrashDaySystem) as drill:
            outage(drill)
            flatten(drill)
        with running(config, launch=CrashDaySystem) as drill:
            resume(drill)
            judge(drill)


def outage(drill: Drill) -> None:
    """Market time stands still in lockstep while the streams are away: the drill itself lets ten minutes pass. What
    RM-4 reads of the exchange is measured by the wall clock alone (`tests/live`, and in process in `tests/layers`)."""
    drill.until(instant("2025-01-02T12:00"))
    drill.wait("positions of all three", lambda: all(held(drill, engine) for engine in DERIVATIVE_ENGINES))
    drill.wait("the outage", lambda: drill.exchange_ms() == AWAY)
    drill.wait("lockstep standing still", lambda: lockstep_state(drill) == "UNSETTLED")
    drill.control("halt", "GLOBAL", "the exchange is away")
    drill.let_pass(BACK)
    drill.wait("market time moving again", lambda: drill.market_ms() > instant("2025-01-03T14:00"))
    assert state_of(drill, "GLOBAL") == "HALTED"
    for engine in (ActorName.TREND_1, ActorName.TREND_2):
        assert held(drill, engine) == {} and open_orders(drill, engine) == [], "stops are filled unseen"


def flatten(drill: Drill) -> None:
    """Two actors die meanwhile; it is proven by the exchange's own lists."""
    drill.control("flatten", "GLOBAL", "a day like this")
    for name in (ActorName.ORDER_MANAGER, ActorName.FUNDING):
        os.kill(drill.pid(name), signal.SIGKILL)
    drill.wait("the proof", lambda: stages(drill) == ["FLAT"] * 3)
    for engine in DERIVATIVE_ENGINES:
        assert held(drill, engine) == {} and open_orders(drill, engine) == []
    drill.until(instant("2025-01-04T01:00"))


def resume(drill: Drill) -> None:
    """Everything was started anew: what was HALTED still is, and is lifted by the operator alone."""
    scopes = ["GLOBAL", *map(str, DERIVATIVE_ENGINES)]
    drill.advance(26)  # beyond a daily cycle
    assert [state_of(drill, scope) for scope in scopes] == ["HALTED"] * 4
    assert all(held(drill, engine) == {} for engine in DERIVATIVE_ENGINES)
    for scope in scopes:
        drill.control("normal", scope, "the day is over")
    since_ms = drill.market_ms()
    drill.wait("orders after it", lambda: orders_since(drill, since_ms) > 3)
    drill.advance(30)


def judge(drill: Drill) -> None:
    """The end state: ledger and transfers are the exchange's, HALTED was never left by itself."""
    assert {row["state"] for row in switches(drill)} == {"NORMAL"}
    exchange = drill.system.exchange
    assert exchange is not None
    credentials = from_simulator(exchange.keys_file)
    records = exchange_records(drill.system.config, credentials, exchange.url)
    report = check_ledger(drill.system.database_url, records, Account, lag_ms=lag_ms(drill.system.config))
    assert report.differences == [] and report.entries > 30
    with drill.database() as connection:
        left = connection.execute(
            "SELECT trigger FROM journal WHERE source = 'HALTED' AND dest <> 'HALTED' AND actor = 'risk-manager'"
        ).fetchall()
        done = connection.execute("SELECT transfer_id FROM transfers WHERE state = 'DONE'").fetchall()
    assert len(left) == 4 and {trigger for (trigger,) in left} == {"operator_normal"}
    assert sorted(transfers_made(drill)) == sorted(str(one) for (one,) in done)
    given = [(action, scope) for action, scope, _who, _why in history(drill)]
    assert {*given} >= {("halt", "GLOBAL"), ("flatten", "GLOBAL"), ("normal", "GLOBAL")} and len(given) == 6
    drill.wait("all being well", lambda: is_well(drill))


# --- what is there ---


def state_of(drill: Drill, scope: str) -> str:
    """The state as every commit that sends an order reads it."""
    with drill.database() as connection:
        row = connection.execute("SELECT state FROM switches WHERE scope = %s", (scope,)).fetchone()
    return "NORMAL" if row is None else str(row[0])


def lockstep_state(drill: Drill) -> str:
    """What the driver of market time does."""
    return str((drill.system.status.get("lockstep") or {}).get("state", ""))


def orders_since(drill: Drill, since_ms: int) -> int:
    """Executions after an instant."""
    with drill.database() as connection:
        row = connection.execute("SELECT count(*) FROM executions WHERE executed_ms > %s", (since_ms,)).fetchone()
    assert row is not None
    return int(row[0])


def transfers_made(drill: Drill) -> list[str]:
    """The ids of all transfers at the exchange."""
    exchange = drill.system.exchange
    assert exchange is not None
    session, cursor = session_of(exchange.url, exchange.keys_file, Account.MASTER), ""
    found: list[str] = []
    while True:
        asked: dict[str, int | str] = {"limit": 50, **({"cursor": cursor} if cursor else {})}
        answer = session.get_universal_transfer_records(**asked)["result"]
        found += [row["transferId"] for row in answer["list"] if row["status"] == "SUCCESS"]
        cursor = answer.get("nextPageCursor", "")
        if not cursor or not answer["list"]:
            return found
