"""The whole system in process, for tests: market, logics, memory store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from actors.runtime.memory_store import MemoryStore
from api.logics import logics
from infra.backtest.system import InProcessSystem
from infra.config import EternalConfig
from infra.simulator.api import Exchange
from infra.simulator.config import SimConfig
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.port import Market
from infra.simulator.market.synthetic import DEFAULT_SEED, SyntheticMarket
from statemachines.values import ActorName

INSTALLATION = "test01"


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def recorded(folder: Path, first: str, end: str) -> Market:
    """The recorded market from `first` to `end` (exclusive)."""
    return HistoryMarket(folder, instant(first), instant(end))


def synthetic(days: int, seed: int = DEFAULT_SEED) -> Market:
    return SyntheticMarket(seed, instant("2025-01-01"), days)


def build(
    market: Market,
    store: MemoryStore,
    installation: str = INSTALLATION,
    probe: Callable[[ActorName, str], None] | None = None,
    config: SimConfig | None = None,
) -> InProcessSystem:
    exchange = Exchange(market, config or SimConfig(rate_limits=False))
    return InProcessSystem(exchange, logics(EternalConfig(), installation), store, probe)


def run(market: Market, installation: str = INSTALLATION) -> tuple[MemoryStore, InProcessSystem]:
    """A calm run from the market's start to its end."""
    store = MemoryStore()
    system = build(market, store, installation)
    system.start()
    system.run()
    return store, system
