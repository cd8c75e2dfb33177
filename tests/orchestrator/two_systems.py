"""Two systems on one database, each with launch, orchestrator and actors of its own, on one clock: what either of them
does is written down with who had the lease at that instant.

The supervising loop, the supervisor, the lease and the register are the production ones; Ray, the processes and the
exchange are played. A run is drawn from a seed: when the second system begins, and what is killed, frozen, cut off from
the database or ended in order.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import ActorGoneError, Claimant, Commit, FencedError, LeaseHeldError, StoreUnavailableError
from orchestrator import supervision
from orchestrator.lease import LEASE_S, RENEW_S, Lease
from orchestrator.supervision import Supervision
from statemachines.supervision.life import ComponentState
from statemachines.supervision.policy import SupervisionPolicy
from statemachines.supervision.supervisor import Changed, Supervisor
from statemachines.values import ActorName

ACTORS = (ActorName.MARKET_DATA, ActorName.TREND_1, ActorName.ORDER_MANAGER)
TURN_S = 0.1
POLICY = SupervisionPolicy(max_restarts=1_000)


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done, by the system of this name, and whose lease it was then."""

    at_s: float
    system: str
    what: str
    lease_of: str


@dataclass(slots=True)
class World:
    """The clock, the database and what was done."""

    now_s: float = 1_000.0
    deeds: list[Deed] = field(default_factory=list)
    written: dict[ActorName, list[int]] = field(default_factory=lambda: {name: [] for name in ACTORS})
    """Per actor the epochs under which orders reached the exchange, in order."""

    store: MemoryStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = MemoryStore(now_s=lambda: self.now_s)

    @property
    def holder(self) -> str:
        """The system that claimed the lease last, "" after a release: until another one does, its actors' epochs are
        the newest."""
        return self.store._lease.run.partition("/")[0]  # noqa: SLF001 - the register tells nobody but the claimants

    def did(self, system: str, what: str) -> None:
        self.deeds.append(Deed(self.now_s, system, what, self.holder))


class Reach:
    """The database as one system reaches it, or not."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self.is_cut_off = False

    def _store(self) -> MemoryStore:
        if self.is_cut_off:
            raise StoreUnavailableError
        return self._world.store

    def grant(self, actor: str, holder: str, under: int | None = None) -> int:
        epoch = self._store().grant(actor, holder, under)
        self._world.did(self._name, f"grant {actor}")
        return epoch

    def holds(self, actor: str, epoch: int) -> bool:
        return self._store().holds(actor, epoch)

    def commit(self, commit: Commit) -> frozenset[str]:
        return self._store().commit(commit)

    def claim(self, claimant: Claimant, seconds: float) -> None:
        self._store().claim(claimant, seconds)

    def succeed(self, run: str, seconds: float) -> int:
        epoch = self._store().succeed(run, seconds)
        self._world.did(self._name, "grant orchestrator")
        return epoch

    def renew(self, epoch: int, seconds: float) -> None:
        self._store().renew(epoch, seconds)

    def release(self, run: str) -> None:
        self._store().release(run)


@dataclass(slots=True)
class Process:
    """One incarnation of an actor."""

    epoch: int = 0
    number: int = 0
    turns: int = 0


class Cluster:
    """Where one system's actors live: `supervision.ActorLauncher`."""

    def __init__(self, world: World, name: str, reach: Reach) -> None:
        self._world = world
        self._name = name
        self._reach = reach
        self.living: dict[ActorName, Process] = {}

    def find(self, name: ActorName) -> bool:
        return name in self.living

    def spawn(self, name: ActorName) -> None:
        self._world.did(self._name, f"spawn {name}")
        self.living.setdefault(name, Process())

    def kill(self, name: ActorName) -> None:
        self._world.did(self._name, f"kill {name}")
        self.living.pop(name, None)

    def is_frozen(self, pid: int) -> bool:
        return False

    def call(self, name: ActorName, method: str, *arguments: object) -> Answer:
        process = self.living.get(name)
        if process is None:
            return Answer(ActorGoneError(f"{name} is gone"))
        if method == "start":
            process.epoch = int(str(arguments[0]))
            try:
                process.number = self._world.store.load(name, process.epoch).number
            except FencedError as error:
                return Answer(error)
            return Answer({})
        state = "RUNNING" if process.epoch else "CREATED"
        health = {"state": state, "pid": 1, "progress": process.turns, "is_busy": False, "epoch": process.epoch}
        return Answer(health)

    def work(self) -> None:
        """Every actor commits, and then sends an order if its incarnation is the newest (DESIGN 1)."""
        for name, process in tuple(self.living.items()):
            process.turns += 1
            if not process.epoch:
                continue
            try:
                self._reach.commit(Commit(name, process.epoch, process.number + 1, 0, 1))
                process.number += 1
                if self._reach.holds(name, process.epoch):
                    self._world.written[name].append(process.epoch)
                    self._world.did(self._name, f"order of {name}")
            except FencedError:
                del self.living[name]
            except StoreUnavailableError:
                continue


@dataclass(slots=True)
class Answer:
    """A call that is answered at once."""

    found: Any

    def ready(self) -> bool:
        return True

    def value(self) -> Any:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Orchestrator:
    """One incarnation: it does nothing until it has the lease, and nothing once it has lost it."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._renewed_s = 0.0
        self.is_over = False
        self.thaws_s = 0.0
        self.lease = system.make_lease()
        self.loop: Supervision | None = None
        self.supervisor = Supervisor(ACTORS, POLICY)

    def turn(self, now_s: float) -> None:
        if self.is_over or now_s < self.thaws_s:
            return
        if self.loop is None:
            self._begin(now_s)
        elif now_s - self._renewed_s >= RENEW_S:
            self._renew(now_s)
        if self.loop is not None and not self.is_over:
            try:
                self.loop.turn()
            except FencedError as error:
                self._fenced(str(error))
            except StoreUnavailableError:
                pass

    def _begin(self, now_s: float) -> None:
        try:
            self.lease.succeed()
        except (LeaseHeldError, StoreUnavailableError):
            return
        self._renewed_s = now_s
        system = self._system
        waits: dict[ActorName, Sequence[ActorName]] = dict.fromkeys(ACTORS, ())
        store: Any = system.reach
        self.loop = Supervision(
            waits, self.supervisor, system.cluster, store, self, lambda: 0, self.lease, self._fenced
        )

    def _renew(self, now_s: float) -> None:
        self._renewed_s = now_s
        try:
            self.lease.renew()
        except FencedError as error:
            self._fenced(str(error))
        except StoreUnavailableError:
            pass

    def _fenced(self, _why: str) -> None:
        self.is_over = True

    def component_changed(self, change: Changed) -> None:
        pass

    def alert(self, name: ActorName, severity: Literal["info", "warning", "critical"], text: str) -> None:
        pass

    def heard(self, healths: Sequence[Mapping[str, Any]]) -> None:
        pass

    @property
    def are_all_up(self) -> bool:
        return all(self.supervisor.state(name) is ComponentState.RUNNING for name in ACTORS)


class System:
    """A launch, its orchestrators (more than one after a restart while the old one was only frozen) and its cluster."""

    def __init__(self, world: World, name: str, lease: type[Lease] = Lease) -> None:
        self.world = world
        self.name = name
        self._lease = lease
        self.reach = Reach(world, name)
        self.cluster = Cluster(world, name, self.reach)
        self.claimant = Claimant(f"{name}/1", f"place of {name}", f"host of {name}")
        self.orchestrators: list[Orchestrator] = []
        self.is_running = False
        self._claimed_s = 0.0

    def make_lease(self) -> Lease:
        return self._lease(self.reach, self.claimant.run, lambda: self.world.now_s)

    def start(self) -> None:
        self.is_running = True
        self.orchestrators.append(Orchestrator(self))

    def end_in_order(self) -> None:
        """Actors first, then the lease is released."""
        self.vanish()
        if not self.reach.is_cut_off:
            self.reach.release(self.claimant.run)

    def vanish(self) -> None:
        """The machine is gone."""
        self.is_running = False
        self.orchestrators.clear()
        self.cluster.living.clear()

    def replace_orchestrator(self) -> None:
        """Ray restarts it; the old one may only have been frozen."""
        self.orchestrators.append(Orchestrator(self))

    def turn(self) -> None:
        if not self.is_running:
            return
        now_s = self.world.now_s
        if now_s - self._claimed_s >= (RENEW_S if self.orchestrators[-1].loop else 0.5):
            self._claimed_s = now_s
            with suppress(LeaseHeldError, StoreUnavailableError):
                self.reach.claim(self.claimant, LEASE_S)
        for one in tuple(self.orchestrators):
            one.turn(now_s)
            if one.is_over:
                self.orchestrators.remove(one)
        if not self.orchestrators:
            self.replace_orchestrator()
        self.cluster.work()

    @property
    def is_well(self) -> bool:
        return self.is_running and self.orchestrators[-1].are_all_up


class Trial:
    """One seed: two systems and what happens to them, then peace."""

    STORM_S = 60.0
    PEACE_S = 40.0

    def __init__(self, seed: int, monkeypatch: Any, lease: type[Lease] = Lease) -> None:
        self._dice = random.Random(seed)
        self.world = World()
        self.first, self.second = (System(self.world, name, lease) for name in ("first", "second"))
        self.events: list[str] = []
        monkeypatch.setattr(supervision, "_now_ms", lambda: int(self.world.now_s * 1_000))

    def run(self) -> None:
        begins_s = self.world.now_s + self._dice.uniform(0.0, self.STORM_S / 2)
        ends_s = self.world.now_s + self.STORM_S
        self.first.start()
        while self.world.now_s < ends_s:
            if self.world.now_s >= begins_s and not self.second.is_running and not self.events.count("second begins"):
                self.events.append("second begins")
                self.second.start()
            if self._dice.random() < 0.02:
                self._strike(self._dice.choice((self.first, self.first, self.second)))
            self._pass()
        for system in (self.first, self.second):
            system.reach.is_cut_off = False
            for one in system.orchestrators:
                one.thaws_s = 0.0
        ends_s = self.world.now_s + self.PEACE_S
        while self.world.now_s < ends_s:
            self._pass()

    def _pass(self) -> None:
        self.world.now_s += TURN_S
        for system in self._dice.sample((self.first, self.second), 2):
            system.turn()

    def _strike(self, system: System) -> None:
        if not system.is_running:
            return
        what = self._dice.choice(("actor", "freeze", "frozen and replaced", "cut off", "heal", "vanish", "end"))
        if what in ("vanish", "end") and self._dice.random() < 0.6:
            return
        self.events.append(f"{self.world.now_s:.1f} {system.name}: {what}")
        newest = system.orchestrators[-1]
        match what:
            case "actor":
                system.cluster.living.pop(self._dice.choice(ACTORS), None)
            case "freeze":
                newest.thaws_s = self.world.now_s + self._dice.uniform(0.5, 2.5 * LEASE_S)
            case "frozen and replaced":
                newest.thaws_s = self.world.now_s + self._dice.uniform(0.5, 2.5 * LEASE_S)
                system.replace_orchestrator()
            case "cut off":
                system.reach.is_cut_off = True
            case "heal":
                system.reach.is_cut_off = False
            case "vanish":
                system.vanish()
            case "end":
                system.end_in_order()

    def faults(self) -> list[str]:
        """What must not be: each a sentence."""
        found = [
            f"at {deed.at_s:.1f} {deed.system} did {deed.what!r}, the lease was of {deed.lease_of or 'nobody'}"
            for deed in self.world.deeds
            if deed.lease_of != deed.system
        ]
        for actor, epochs in self.world.written.items():
            if epochs != sorted(epochs):
                found.append(f"an old incarnation of {actor} reached the exchange after its successor: {epochs}")
        living = [system for system in (self.first, self.second) if system.is_running]
        if living and [system.is_well for system in living].count(True) != 1:
            found.append(f"at rest exactly one of {[one.name for one in living]} must work")
        return found
