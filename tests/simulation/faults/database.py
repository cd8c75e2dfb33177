"""The database that fails: the memory store with outages of each kind."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import Commit, Fence, FencedError, Loaded, StoreUnavailableError
from statemachines.facts import BarFact
from tests.simulation.faults.choices import Chooser
from tests.simulation.faults.points import Fault, Point


class DeathError(BaseException):
    """SIGKILL of one actor, or of all when `is_power_loss`. No handler of the production code may stop it."""

    def __init__(self, actor: str, is_power_loss: bool = False) -> None:
        super().__init__(actor)
        self.actor = actor
        self.is_power_loss = is_power_loss


class FailingStore:
    """Implements `ports.Store` on a memory store that survives it."""

    def __init__(self, memory: MemoryStore, chooser: Chooser) -> None:
        self.memory = memory
        self._chooser = chooser
        self._away: dict[tuple[str, Point], int] = {}

    def grant(self, actor: str, holder: str, under: int | None = None) -> int:
        return self.memory.grant(actor, holder, under)

    def load(self, actor: str, epoch: int) -> Loaded:
        self._may_fail(Point.LOADING, actor)
        return self.memory.load(actor, epoch)

    def commit(self, commit: Commit) -> frozenset[str]:
        fault = self._may_fail(Point.COMMIT, commit.actor)
        if fault is Fault.FENCED:
            self.memory.grant(commit.actor, "another")
        blocked = self.memory.commit(commit)
        if fault is Fault.LOST:
            raise StoreUnavailableError("closed the connection before it answered")
        return blocked

    def holds(self, actor: str, epoch: int) -> bool:
        if self._may_fail(Point.EPOCH, actor) is Fault.FENCED:
            self.memory.grant(actor, "another")
        return self.memory.holds(actor, epoch)

    def fence(self, actor: str, epoch: int, gates: Collection[str] = ()) -> Fence:
        return Fence(self.holds(actor, epoch), self.memory.fence(actor, epoch, gates).switches)

    def is_known(self, actor: str, natural_ids: Sequence[str]) -> frozenset[str]:
        self._may_fail(Point.IS_KNOWN, actor)
        return self.memory.is_known(actor, natural_ids)

    def closed_bars(
        self, category: str, symbol: str, interval: str, last_start_ms: int, count: int
    ) -> Sequence[BarFact]:
        self._may_fail(Point.WARMING, symbol)
        return self.memory.closed_bars(category, symbol, interval, last_start_ms, count)

    def _may_fail(self, point: Point, who: str) -> Fault | None:
        left = self._away.get((who, point), 0)
        if left:
            self._away[who, point] = left - 1
            raise StoreUnavailableError()
        choice = self._chooser.at(point, who)
        if choice is None:
            return None
        if choice.fault is Fault.CRASH:
            raise DeathError(who)
        if choice.fault is Fault.OUTAGE:
            self._away[who, point] = choice.extent
        if choice.fault in (Fault.OUTAGE, Fault.REFUSED):
            raise StoreUnavailableError()
        return choice.fault


__all__ = ["DeathError", "FailingStore", "FencedError"]
