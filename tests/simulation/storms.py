"""Runs in process in which actors crash: one that keeps crashing beside living ones, or all at once."""

from __future__ import annotations

import random
from collections import Counter

from actors.runtime.memory_store import MemoryStore
from infra.backtest.system import InProcessSystem
from infra.simulator.market.port import Market
from statemachines.values import HOUR_MS, ActorName
from tests.simulation.whole import build

QUIET_END_MS = 12 * HOUR_MS
"""So long before the market's end crashes cease: a recovery at the very end reads the day that a calm run, which ends
with the market's last step, does not come to see."""


class CrashError(Exception):
    """Stands for SIGKILL of `actor` between two steps of the durable actor's protocol."""

    def __init__(self, actor: ActorName) -> None:
        super().__init__(actor)
        self.actor = actor


class Storm:
    """One run with crashes. `victim` None: whoever crashes takes all others along, as when the machine loses power."""

    def __init__(self, market: Market, seed: str, likelihood: float, victim: ActorName | None = None) -> None:
        self.store = MemoryStore()
        self.points: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._likelihood = likelihood
        self._victim = victim
        self._until_ms = market.end_ms - QUIET_END_MS
        self._system = build(market, self.store, probe=self._probe)
        self._down: set[ActorName] = set()
        self._is_started = False

    def run(self) -> MemoryStore:
        """To the market's end; returns what is durable then."""
        while True:
            try:
                self._bring_up()
                self._system.run()
                return self.store
            except CrashError as crash:
                self._lose(crash.actor)

    def _probe(self, actor: ActorName, point: str) -> None:
        is_hit = self._victim is None or actor is self._victim
        if is_hit and self._system.exchange.market_time < self._until_ms and self._chance.random() < self._likelihood:
            self.points[point] += 1
            raise CrashError(actor)

    def _bring_up(self) -> None:
        if not self._is_started:
            self._system.start()
            self._is_started = True
        for actor in sorted(self._down):
            self._system.runtime.start_actor(actor, self._system.exchange.market_time)
            self._down.discard(actor)

    def _lose(self, actor: ActorName) -> None:
        if self._victim is None or not self._is_started:
            _lose_all(self._system)
            self._is_started = False
            return
        self._system.runtime.stop_actor(actor)
        self._down.add(actor)
        if self._chance.random() < 0.5:
            # The others go on for a while before it is replaced: frames and messages for it come to nobody.
            self._system.runtime.settle()


def _lose_all(system: InProcessSystem) -> None:
    """Everything dies at once; the exchange and the database live on."""
    for name in tuple(system.runtime.durables):
        system.runtime.stop_actor(name)
    system.lose_frames()
