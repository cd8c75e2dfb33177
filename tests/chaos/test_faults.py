"""Faults on the real system (DESIGN 8, level 6; P1, OR-8, OR-9, EX-5): nothing lost or doubled, same decisions."""

from __future__ import annotations

import os
import signal
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from infra.backtest.journals import first_difference, from_database, from_memory, without_versions
from statemachines.component.policy import SupervisionPolicy
from statemachines.facts import ExecutionFact
from statemachines.values import DAY_MS, ActorName
from tests.chaos.rig import Drill, make_config, running
from tests.simulation.whole import instant, run, synthetic

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1000)]

DAYS = 12
COMPONENTS = frozenset({"order-manager", "risk-manager", "orchestrator", "market-data"})
ACTORS = (
    ActorName.MARKET_DATA,
    ActorName.CORE_HODL,
    ActorName.TREND_1,
    ActorName.TREND_2,
    ActorName.FUNDING,
    ActorName.TACTICAL,
    ActorName.RISK_MANAGER,
    ActorName.ORDER_MANAGER,
    ActorName.API,
)


def _fills(drill: Drill) -> list[tuple[Any, ...]]:
    query = "SELECT executed_ms, account, symbol, side, quantity, price, fee FROM executions"
    with drill.database() as connection:
        return sorted(connection.execute(query).fetchall())


def _unsound(drill: Drill) -> list[Any]:
    with drill.database() as connection:
        crooked = connection.execute(
            "SELECT posting_id FROM posting_lines GROUP BY posting_id, coin HAVING sum(amount) <> 0"
        ).fetchall()
        differing = connection.execute(
            "SELECT * FROM discrepancies WHERE resolution <> 'booked from the exchange''s list'"
        ).fetchall()
        mismatched = connection.execute(
            """SELECT o.link_id FROM orders o LEFT JOIN executions e USING (link_id)
               GROUP BY o.link_id, o.executed_quantity HAVING o.executed_quantity <> coalesce(sum(e.quantity), 0)"""
        ).fetchall()
    return [*crooked, *differing, *mismatched]


def test_every_process_is_killed_in_turn_and_the_run_ends_as_if_nothing_had_happened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(make_config(tmp_path / "data", date(2025, 1, 1 + DAYS))) as drill:
        for actor in ACTORS:
            drill.strike(actor)
            drill.advance(3)
        drill.strike(ActorName.TREND_2, signal.SIGSTOP)  # a hang: alive, but it never answers again
        drill.advance(3)
        drill.strike(ActorName.ORCHESTRATOR)
        drill.advance(3)
        _kill_the_exchange(drill)
        drill.advance(3)
        _kill_the_database(drill)
        drill.to_the_end()
        journals, fills, unsound = from_database(drill.system.database_url), _fills(drill), _unsound(drill)
        installation = drill.installation()
    with capsys.disabled():
        print("\nseconds from fault to healthy:", {k: round(v, 1) for k, v in drill.recoveries.items()})  # noqa: T201
    calm, _ = run(synthetic(DAYS), installation)
    until_ms = instant("2025-01-01") + DAYS * DAY_MS
    difference = first_difference(
        without_versions(from_memory(calm)), without_versions(journals), until_ms, leave_out=COMPONENTS
    )
    assert difference == ""
    expected = sorted(
        (f.executed_ms, f.account, f.symbol, f.side.value, f.quantity, f.price, f.fee)
        for f in calm.facts("executions")
        if isinstance(f, ExecutionFact)
    )
    assert fills == expected
    assert fills, "a run that traded nothing proves nothing"
    assert unsound == []


def _kill_the_exchange(drill: Drill) -> None:
    exchange = drill.system.exchange
    assert exchange is not None and exchange.pid is not None
    pid, begun = exchange.pid, time.monotonic()
    os.kill(pid, signal.SIGKILL)
    drill.wait("a new exchange process", lambda: exchange.pid not in (None, pid))
    goal = drill.market_ms()
    drill.wait("market time moving again", lambda: drill.market_ms() > goal)
    drill.recoveries["exchange SIGKILL"] = time.monotonic() - begun


def _kill_the_database(drill: Drill) -> None:
    server = drill.system.database.server
    assert server is not None and server.pid is not None
    pid, begun = server.pid, time.monotonic()
    os.kill(pid, signal.SIGKILL)
    drill.wait("a new database server", lambda: server.pid not in (None, pid))
    goal = drill.market_ms()
    drill.wait("market time moving again", lambda: drill.market_ms() > goal or drill.system.has_ended)
    drill.recoveries["database SIGKILL"] = time.monotonic() - begun


def test_with_one_engine_faulted_the_others_trade_on(tmp_path: Path) -> None:
    """P1, OR-8: past the restart limit the engine is FAULTED; the days go on and are summarised."""
    policy = SupervisionPolicy(max_restarts=0)
    with running(make_config(tmp_path / "data", date(2025, 1, 5), supervision=policy)) as drill:
        os.kill(drill.pid(ActorName.FUNDING), signal.SIGKILL)
        drill.wait("FAULTED", lambda: drill.component(ActorName.FUNDING).get("state") == "FAULTED")
        drill.to_the_end()
        with drill.database() as connection:
            days = connection.execute("SELECT count(*) FROM daily_summaries").fetchone()
            engines = {row[0] for row in connection.execute("SELECT DISTINCT engine FROM executions")}
            switch = connection.execute("SELECT state FROM switches WHERE scope = 'funding'").fetchone()
            alerts = connection.execute("SELECT text FROM alerts WHERE severity = 'critical'").fetchall()
    assert days == (3,)
    assert {"core-hodl", "trend-1", "trend-2"} <= engines
    assert switch == ("REDUCE_ONLY",)
    assert any("FAULTED" in text for (text,) in alerts)
