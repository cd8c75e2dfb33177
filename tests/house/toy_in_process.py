"""Run inside the extended house: what becomes of the toy in process, as JSON on standard output."""

# mypy: disable-error-code="index"

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any

from actors.runtime.memory_store import MemoryStore
from actors.runtime.registry import START_ORDER, TURN_ORDER
from actors.runtime.routing import TABLE
from api import machines
from api.backtests import options
from api.logics import logics
from api.views import lists
from infra.backtest.plan import BacktestPlan
from infra.backtest.system import InProcessSystem
from infra.config import ConfigurationError, EternalConfig, load_config
from infra.config.example import example
from infra.simulator.api import Exchange
from infra.simulator.config import with_further
from statemachines.execution.orders.order_ids import client_order_id, parse_client_order_id
from statemachines.values import DAY_MS, Account, ActorName
from tests.kit.journals import from_memory
from tests.simulation.whole import INSTALLATION, synthetic

TOY = ActorName("toy-1")
DAYS = 5


def journalled() -> dict[str, Any]:
    """Five days in process; in the middle the toy is lost, as by a crash, and restarted from what is durable."""
    plan = BacktestPlan(synthetic(DAYS), EternalConfig())
    store, exchange = MemoryStore(), Exchange(synthetic(DAYS), plan.exchange())
    system = InProcessSystem(exchange, logics(EternalConfig(), INSTALLATION), store)
    system.start()
    system.run(exchange.market_time + 3 * DAY_MS // 2)
    system.runtime.stop_actor(TOY)
    system.runtime.start_actor(TOY, exchange.market_time)
    system.run()
    lines = from_memory(store)[str(TOY)]
    states = {row.key: (row.state, dict(row.data)) for row in store.load(TOY, store.grant(TOY, "test")).states.values()}
    return {"journal": [str(line) for line in lines], "states": states}


def traded() -> dict[str, Any]:
    """Five days with a twentieth of the capital, taken from TACTICAL: its order, its fill, its wallet."""
    weights = EternalConfig().orchestrator.weights | {TOY: Decimal("0.05"), ActorName.TACTICAL: Decimal(0)}
    plan = BacktestPlan(
        synthetic(DAYS), EternalConfig.model_validate({"orchestrator": {"weights": weights}}), engines=tuple(weights)
    )
    store, exchange = MemoryStore(), Exchange(synthetic(DAYS), plan.exchange())
    system = InProcessSystem(exchange, logics(plan.configured(), INSTALLATION), store)
    system.start()
    system.run()
    fills = [fact.model_dump(mode="json") for fact in store.facts("executions")]
    return {
        "fills": [[fill["account"], fill["engine"], fill["quantity"]] for fill in fills if fill["engine"] == TOY],
        "discrepancies": len(store.facts("discrepancies")),
    }


def configured() -> dict[str, Any]:
    """The toy wherever the configuration means an engine, and what is said while it has no capital."""
    config = load_config(
        settings=[
            'orchestrator.cycle=["toy-1"]',
            'orchestrator.protective=["toy-1"]',
            'risk.fall_blocks=["toy-1"]',
            "orchestrator.weights.TOY_1=0.05",
            "orchestrator.weights.tactical=0",
            "risk.engines.toy-1.max_order_of_equity=0.5",
            "toy.enough=3",
        ]
    )
    try:
        BacktestPlan(synthetic(1), EternalConfig(), engines=(TOY,))
        told = ""
    except ConfigurationError as error:
        told = str(error)
    return {
        "configured": [config.orchestrator.cycle, config.risk.fall_blocks, str(config.orchestrator.weights[TOY])],
        "enough": config.in_force("engines.toy_1").enough,
        "without_capital": told,
    }


def main() -> None:
    config = EternalConfig()
    json.dump(
        {
            "start_order": START_ORDER,
            "turns": TURN_ORDER,
            "routes": sorted(kind for kind, routes in TABLE.items() if any(one.recipient == TOY for one in routes)),
            "account": Account("TOY-1"),
            "accounts": [one.name for one in with_further(BacktestPlan(synthetic(1), config).exchange().accounts, ())],
            "weight": str(config.orchestrator.weights[TOY]),
            "cycle": config.orchestrator.cycle,
            "universe": sorted(config.risk.engines[TOY].universe),
            "capital": str(sum(config.orchestrator.weights.values(), Decimal(0))),
            "section": "[engines.toy_1]" in example(),
            "order_id": parse_client_order_id("abcdef", client_order_id("abcdef", "toy-1-z", 1)),
            "api_actors": lists.ACTORS,
            "api_engines": sorted(lists.ENGINE_NAMES),
            "backtest_engines": sorted(options.NAMES),
            "diagram": machines.mermaid("toy"),
            "document": "## toy" in machines.markdown(),
            "machine_of": machines.MACHINE_OF[TOY],
            **configured(),
            **journalled(),
            **traded(),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
