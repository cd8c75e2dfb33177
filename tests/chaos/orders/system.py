"""The system under test: real in everything but the engines' decisions, on an exchange that runs by the wall clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from actors.runtime.actor_runner import Parts
from actors.runtime.outbox_dispatcher import Peers
from actors.runtime.ports import LockstepPort, MarketClock
from api.assembly import SystemAssembly
from api.launch.keeper import Keeper
from api.launch.simulator_process import SimulatorProcess
from api.launch.system import System
from infra.config import EternalConfig
from infra.config.sections import ExchangeConfig, RayConfig
from statemachines.actor_logic import ActorLogic
from statemachines.risk.parameters import RiskParameters
from statemachines.supervision.policy import SupervisionPolicy
from statemachines.values import ActorName
from tests.chaos.orders.engine import LOTS, BurstingEngine

REAL_SPEED = 1
EXCHANGE_OPTIONS = ("--no-rate-limits", "--impact", "0")
MAX_ORDERS_PER_MINUTE = 10_000

SUPERVISION = SupervisionPolicy(max_restarts=50, window_ms=15_000)
OVERRIDES = (
    f"supervision.window_ms {SUPERVISION.window_ms:,} and max_restarts {SUPERVISION.max_restarts} (shipped: 300,000 "
    "and 5): a run puts the faults of months into minutes, so that the shipped count would leave a component FAULTED, "
    "as it should, and the wait before a restart would grow to 15 s; here most kills are the first of their window and "
    "are followed by the shipped first wait",
    f"risk.max_orders_per_minute {MAX_ORDERS_PER_MINUTE:,} (shipped: 120; RM-1's breaker would deny the load itself)",
    "no rate limits of the venue (the paper profile's own default) and no price impact (fees and prices of the load "
    "must not reach a drawdown limit)",
)
PROBES = (
    "three engines signal on command in place of their own decisions; each keeps a durable tally of its intents' ends",
    "the exchange runs by the wall clock as in live: no lockstep, deadlines by its time",
)


def make_config(folder: Path, seed: int) -> EternalConfig:
    """The shipped paper profile in its own folder and on free ports, with `OVERRIDES`."""
    return EternalConfig(
        data_folder=folder / "data",
        exchange=ExchangeConfig(seed=seed),
        ray=RayConfig(dashboard_port=0),
        supervision=SUPERVISION,
        risk=RiskParameters(max_orders_per_minute=MAX_ORDERS_PER_MINUTE),
    )


class BurstAssembly(SystemAssembly):
    """The system's own parts with the bursting engines, without lockstep."""

    def logic(self, name: ActorName) -> ActorLogic:
        return BurstingEngine(name) if name in LOTS else super().logic(name)

    def parts(self, name: ActorName, peers: Peers) -> Parts:
        return replace(super().parts(name, peers), is_lockstep=False)

    def lockstep(self, name: ActorName) -> LockstepPort | None:
        return None

    def clock(self, name: ActorName) -> MarketClock:
        return self._live_clock()


class BurstSystem(System):
    """The launch with an exchange that runs by the wall clock."""

    def _make_keepers(self) -> list[Keeper]:
        keepers = super()._make_keepers()
        self._exchange = SimulatorProcess(self.config, self.run, self._granted, REAL_SPEED, EXCHANGE_OPTIONS)
        return keepers
