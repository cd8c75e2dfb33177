"""A busy system of which a part goes away for a while, in one process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from infra.simulator.faults.scenario import read_data
from statemachines.values import HOUR_MS, LINEAR, ActorName
from tests.simulation.crash_day.world import WatchedWorld
from tests.simulation.faults.database import DeathError
from tests.simulation.faults.invariants import Invariants
from tests.simulation.faults.world import opening
from tests.simulation.outside.mail import Mail
from tests.simulation.outside.supervision import FOR_EVER, EngineSupervision
from tests.simulation.whole import instant

BUSY = "the tranches are quoted again"
"""Trends with their stops, hedged pairs and resting quotes are there; the day closes four hours later."""

BEGIN = instant("2025-01-02T20:00")
CLOSE = instant("2025-01-03T00:00")
L3 = (
    ActorName.ORCHESTRATOR,
    ActorName.CORE_HODL,
    ActorName.TREND_1,
    ActorName.TREND_2,
    ActorName.FUNDING,
    ActorName.TACTICAL,
)
OF_L4 = frozenset({"risk", "risk_states", "stopped"})


class LayeredWorld(WatchedWorld):
    """Invariants are judged after each write and each instant."""

    def __init__(self, away_ms: int = CLOSE + 300 * HOUR_MS, begun: str = BUSY) -> None:
        """The exchange is away for ten minutes from `away_ms` on."""
        step = {"at": datetime.fromtimestamp(away_ms / 1_000, UTC), "for_s": 600, "fault": {"kind": "maintenance"}}
        scenario = read_data({"name": "away", "teaches": "The exchange is away for a while.", "step": [step]})
        super().__init__(opening(begun), scenario)
        self.invariants = Invariants()
        self.watch_write = self.invariants.at_each_write
        judge_flat = self.watch

        def judge(world: object) -> None:
            judge_flat(self)
            self.invariants.at_each_instant(self)

        self.watch = judge
        self.mail = Mail(self.store.memory, lambda: self.living, self.now_ms)
        self.engines = EngineSupervision(self.scheduler, self.mail.put)

    def take_away(self, *names: ActorName) -> None:
        """These die and are not replaced."""
        for name in names:
            self.scheduler.lose(DeathError(name))
            self.scheduler.down[name] = FOR_EVER

    def give_back(self, *names: ActorName) -> None:
        """These are started again."""
        for name in names:
            del self.scheduler.down[name]
        self._settle()

    def fault(self, *names: ActorName) -> None:
        """These engines are FAULTED (OR-8)."""
        for name in names:
            self.engines.fail(name)
        self._deliver()

    def reset(self, name: ActorName) -> None:
        """The operator resets a FAULTED engine; it has recovered when this returns."""
        self.engines.reset(name)
        self._deliver()

    def _deliver(self) -> None:
        """Until the orchestrator has committed what the supervision reports, also after it was replaced."""
        while not self.mail.is_empty or self.engines.is_starting:
            self._settle()
            self.engines.look()
            self.mail.deliver()
        self._settle()

    def rows_of_l3(self) -> Mapping[str, Any]:
        """The durable machines and rows of the orchestrator and the engines, less their copies of L4's state and the
        alerts that report it."""
        memory = self.store.memory
        found = {}
        for name in L3:
            rows = memory.load(name, memory._actors[name].epoch).states  # noqa: SLF001 - the one that holds it
            for key, row in rows.items():
                if key != "alerts":
                    data = {field: value for field, value in row.data.items() if field not in OF_L4}
                    found[f"{name} {key}"] = (row.state, data)
        return found

    def new_risk(self, since_ms: int) -> list[str]:
        """Orders for new risk that were created at the exchange since then."""
        return [
            order.link_id
            for account in self.exchange.venue.accounts.values()
            for order in account.orders.values()
            if order.created_ms > since_ms and not (order.category == LINEAR and order.reduce_only)
        ]

    def stops(self) -> frozenset[str]:
        """Stops that are open at the exchange."""
        accounts = self.exchange.venue.accounts.values()
        return frozenset(o.link_id for a in accounts for o in a.open.values() if o.status == "Untriggered")

    def fills_since(self, since_ms: int) -> set[ActorName]:
        """Engines whose orders were executed after an instant."""
        memory = self.store.memory
        return {fact.engine for fact in memory.facts("executions") if fact.executed_ms > since_ms}  # type: ignore[attr-defined]
