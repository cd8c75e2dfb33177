"""R3 on the real system: all derivatives are flattened while the order manager and the risk manager are killed, and
the exchange's own lists show that they are."""

from __future__ import annotations

import os
import signal
from datetime import date
from decimal import Decimal

import httpx
import pytest
from pybit.unified_trading import HTTP

from api.tokens import read_token
from benchmarks.order_books import session_of
from infra.simulator.venue.instruments import INSTRUMENTS
from statemachines.values import ACCOUNT_OF, DERIVATIVE_ENGINES, LINEAR, ActorName
from tests.chaos.rig import Drill, drill_folder, make_config, running
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
        drill.wait("positions of all three", lambda: all(_held(drill, engine) for engine in DERIVATIVE_ENGINES))
        coins = _coins(drill)
        drill.control("flatten", "GLOBAL", "a drill")
        for name in (ActorName.ORDER_MANAGER, ActorName.RISK_MANAGER):
            os.kill(drill.pid(name), signal.SIGKILL)
        drill.wait("the proof", lambda: set(_stages(drill)) == {"FLAT"} and len(_stages(drill)) == 3)
        for engine in DERIVATIVE_ENGINES:
            assert _held(drill, engine) == {} and _open_orders(drill, engine) == []
        drill.advance(30)  # beyond a daily cycle and several settlements: nothing is opened again
        for engine in DERIVATIVE_ENGINES:
            assert _held(drill, engine) == {} and _open_orders(drill, engine) == []
        states = {row["scope"]: row["state"] for row in _switches(drill)}
        assert {states[engine] for engine in DERIVATIVE_ENGINES} == {"HALTED"}
        assert _coins(drill) >= coins, "CORE-HODL is not part of it"
        assert _history(drill) == [("flatten", "GLOBAL", "operator (drill)", "a drill")]


def _held(drill: Drill, engine: ActorName) -> dict[str, Decimal]:
    """Positions of a lot or more at the exchange."""
    rows = _session(drill, engine).get_positions(category=LINEAR, settleCoin="USDT")["result"]["list"]
    sizes = {row["symbol"]: Decimal(row["size"]) for row in rows}
    return {symbol: size for symbol, size in sizes.items() if size >= Decimal(INSTRUMENTS[LINEAR, symbol].min_qty)}


def _open_orders(drill: Drill, engine: ActorName) -> list[str]:
    session = _session(drill, engine)
    linear = session.get_open_orders(category=LINEAR, settleCoin="USDT")["result"]["list"]
    return [row["orderLinkId"] for row in (*linear, *session.get_open_orders(category="spot")["result"]["list"])]


def _coins(drill: Drill) -> Decimal:
    wallet = _session(drill, ActorName.CORE_HODL).get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]
    return next((Decimal(row["walletBalance"]) for row in wallet["coin"] if row["coin"] == "BTC"), Decimal(0))


def _session(drill: Drill, engine: ActorName) -> HTTP:
    exchange = drill.system.exchange
    assert exchange is not None
    return session_of(exchange.url, exchange.keys_file, ACCOUNT_OF[engine])


def _ask(drill: Drill, path: str) -> object:
    headers = read_token(drill.system.config.token_file).header()
    return httpx.get(f"{drill.system.api_url}{path}", headers=headers, timeout=30, trust_env=False).json()


def _switches(drill: Drill) -> list[dict[str, str]]:
    found = _ask(drill, "/switches")
    assert isinstance(found, list)
    return found


def _stages(drill: Drill) -> list[str]:
    return [row["flatten"] for row in _switches(drill) if row["flatten"] is not None]


def _history(drill: Drill) -> list[tuple[str, ...]]:
    found = _ask(drill, "/control/history")
    assert isinstance(found, dict)
    return [tuple(row[name] for name in ("action", "scope", "who", "reason")) for row in found["rows"]]
