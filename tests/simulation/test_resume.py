"""One run interrupted at a hundred random points, each time rebuilt from what is durable, ends in the same state to the
last unit: decisions of the engines, orders, fills, transfers, ledger, and the exchange's own books (P3, OR-9).

DE-4: no instance keeps state outside the database.
"""

from __future__ import annotations

import json
import pickle
import random
from typing import Any

from actors.runtime.memory_store import MemoryStore
from api.logics import logics
from infra.backtest.system import InProcessSystem
from infra.config import EternalConfig
from infra.simulator.api import Exchange
from infra.simulator.config import SimConfig
from statemachines.values import HOUR_MS
from tests.kit.journals import from_memory
from tests.simulation.books import assert_same_run, books_in_memory
from tests.simulation.whole import INSTALLATION, run, synthetic

DAYS = 40
INTERRUPTIONS = 100
QUIET_END_MS = 12 * HOUR_MS
"""An interruption at the very end would read the day that a calm run, which ends there, does not come to see."""


def rebuilt(store: MemoryStore, state: dict[str, Any] | None) -> tuple[MemoryStore, InProcessSystem]:
    """A new process: the store through pickle, the exchange through JSON, nothing else."""
    durable: MemoryStore = pickle.loads(pickle.dumps(store))
    config = SimConfig(rate_limits=False)
    exchange = Exchange(synthetic(DAYS), config, state=None if state is None else json.loads(json.dumps(state)))
    system = InProcessSystem(exchange, logics(EternalConfig(), INSTALLATION), durable)
    system.start()
    return durable, system


def test_a_hundred_interruptions_leave_no_trace(eighth_unless_soaking: int) -> None:
    interruptions = INTERRUPTIONS // eighth_unless_soaking
    calm, straight = run(synthetic(DAYS))
    steps = straight.exchange.step
    dice = random.Random("a hundred interruptions")
    cuts = sorted(dice.sample(range(1, steps), interruptions))
    store, system = rebuilt(MemoryStore(), None)
    done = 0
    market = synthetic(DAYS)
    while True:
        if cuts and system.exchange.step >= cuts[0] and system.exchange.market_time < market.end_ms - QUIET_END_MS:
            cuts.pop(0)
            done += 1
            if dice.random() < 0.5:
                system.runtime.settle()  # at rest; otherwise what the step sent is lost on its way
            store, system = rebuilt(store, system.exchange.dump())
        system.runtime.settle()
        if not system.step():
            break
    system.runtime.settle()
    assert done > interruptions * 0.9, "recoveries shift steps: a few of the last cuts may fall behind the end"
    assert_same_run(calm, from_memory(store), books_in_memory(store))
    ours, theirs = system.exchange.dump(), straight.exchange.dump()
    assert {key: value for key, value in ours.items() if key != "step"} == {
        key: value for key, value in theirs.items() if key != "step"
    }
