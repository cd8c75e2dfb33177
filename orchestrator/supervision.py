"""The supervising loop: carries out the supervisor's orders on real actors (OR-8, OR-9).

One restart authority. Each pass is guarded; nothing in it waits for an actor: calls are in flight, answers are
collected when they are there. What to do is decided by the pure `Supervisor`.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from actors.runtime.granted_time import GrantedTime
from actors.runtime.ports import ActorGoneError, FencedError, Store, StoreUnavailableError
from statemachines.supervision.life import ALIVE, COMPONENT_TABLE, ComponentState
from statemachines.supervision.supervisor import (
    Changed,
    KillActor,
    Orders,
    RaiseAlert,
    ResumeActor,
    StartActor,
    Supervisor,
)
from statemachines.values import ActorName

_log = logging.getLogger(__name__)

PERIOD_S = 0.1
SNAPSHOT_WAIT_S = 0.3
HEALTH_PERIOD_MS = 300
HEALTH_TIMEOUT_MS = 1_500
RESUME_AGAIN_MS = 1_000
"""A recovery that the database did not let begin is tried again after so long."""

FROZEN_MS = 500
"""A process that is stopped for so long is not slow: no answer of its is waited for."""


class Pending(Protocol):
    """A call in flight."""

    def ready(self) -> bool: ...

    def value(self) -> Any:
        """The answer; raises what the call raised, `ActorGoneError` when the actor is dead."""
        ...


class ActorLauncher(Protocol):
    """Where actors are made and ended; Ray in production."""

    def find(self, name: ActorName) -> bool:
        """Whether an actor of this name seems to live; life must be proven by an answer."""
        ...

    def spawn(self, name: ActorName) -> None: ...

    def kill(self, name: ActorName) -> None: ...

    def is_frozen(self, pid: int) -> bool:
        """Whether the operating system says that the process is stopped; False where that cannot be seen."""
        ...

    def call(self, name: ActorName, method: str, *arguments: object) -> Pending: ...


class HeldLease(Protocol):
    """The orchestrator's lease on the database (`orchestrator.lease`)."""

    @property
    def epoch(self) -> int: ...

    @property
    def is_held(self) -> bool: ...

    def confirm(self) -> None: ...


class HealthReader(Protocol):
    """The receivers of what the supervisor sees and does."""

    def component_changed(self, change: Changed) -> None: ...

    def alert(self, name: ActorName, severity: Literal["info", "warning", "critical"], text: str) -> None: ...

    def heard(self, healths: Sequence[Mapping[str, Any]]) -> None:
        """The newest health of every component that lives, after each pass."""
        ...


@dataclass(slots=True)
class _Watch:
    """What is in flight for one component."""

    asked_ms: int = 0
    health_call: Pending | None = None
    start_call: Pending | None = None
    health: Mapping[str, Any] = field(default_factory=dict)
    pid: int = 0
    frozen_since_ms: int | None = None
    since_ms: int = 0
    reason: str = ""
    restarts: int = 0
    fault_ms: int = 0
    recovered_in_ms: int | None = None
    resume_at_ms: int | None = None
    waits: int = 0
    is_adopted: bool = False
    """Found alive, and not yet known to be of the newest epoch."""


class Supervision:
    """Runs the loop on its own thread from `start` to `stop`, and does nothing without the lease. `components` in the
    order in which they start, each with those for whose recovery it waits. `on_fenced`: the lease is another
    orchestrator's; the loop has ended."""

    def __init__(
        self,
        components: Mapping[ActorName, Sequence[ActorName]],
        supervisor: Supervisor,
        launcher: ActorLauncher,
        store: Store,
        reader: HealthReader,
        market_ms: Callable[[], int],
        lease: HeldLease,
        on_fenced: Callable[[str], None],
    ) -> None:
        self._order = tuple(components)
        self._waits_for = {name: tuple(first) for name, first in components.items()}
        self._supervisor = supervisor
        self._launcher = launcher
        self._store = store
        self._reader = reader
        self._market_ms = market_ms
        self._lease = lease
        self._on_fenced = on_fenced
        self._has_lapsed = False
        self._watches = {name: _Watch() for name in components}
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._lock = threading.RLock()
        self._shown: list[dict[str, Any]] = []
        self._stopped = threading.Event()

    # --- from outside ---

    def start(self) -> None:
        threading.Thread(target=self._run, name="supervision", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def reset(self, name: ActorName, who: str) -> None:
        """The operator's request to try a FAULTED component again."""
        with self._lock:
            self._carry_out(self._supervisor.reset(name, who, _now_ms()))

    def all_up(self) -> bool:
        """Whether every component works, apart from those that are FAULTED; answers at once."""
        return all(
            self._supervisor.state(name) in (ComponentState.RUNNING, ComponentState.SUSPECT, ComponentState.FAULTED)
            for name in self._order
        )

    def snapshot(self) -> list[dict[str, Any]]:
        """Every component with its state, newest health, restarts and the time its last recovery took. While a pass
        waits for the database (an incarnation is granted there) it is the picture before: to be silent meanwhile would
        count as a death of the orchestrator."""
        if self._lock.acquire(timeout=SNAPSHOT_WAIT_S):
            try:
                now = _now_ms()
                self._shown = [self._row(name, watch, now) for name, watch in self._watches.items()]
            finally:
                self._lock.release()
        return self._shown

    def _row(self, name: ActorName, watch: _Watch, now: int) -> dict[str, Any]:
        state = self._supervisor.state(name)
        return {
            "name": str(name),
            "state": state.value,
            "state_ru": COMPONENT_TABLE.russian[state],
            "since_s": (now - watch.since_ms) / 1000 if watch.since_ms else None,
            "reason": watch.reason,
            "restarts": watch.restarts,
            "recovered_in_ms": watch.recovered_in_ms,
            "health": dict(watch.health),
        }

    # --- the loop ---

    def _run(self) -> None:
        while not self._stopped.wait(PERIOD_S):
            try:
                self.turn()
            except StoreUnavailableError as error:
                _log.warning("supervision waits for the database: %s", error)
            except FencedError as error:
                self._on_fenced(str(error))
                return
            except Exception:  # noqa: BLE001 - see below
                # The loop must outlive every single failure: it is what repairs the others.
                _log.exception("a pass of the supervision failed; the next one follows")

    def turn(self) -> None:
        """One pass over everything; without the lease only what is known already is shown.

        Raises FencedError: the lease is another orchestrator's.
        """
        with self._lock:
            now = _now_ms()
            if not self._has_lease(now):
                self._reader.heard(self._alive())
                return
            self._begin(now)
            for name, watch in self._watches.items():
                self._hear(name, watch, now)
                self._resume_again(name, watch, now)
                self._look(name, watch, now)
                self._ask(name, watch, now)
            self._carry_out(self._supervisor.tick(now))
            alive = self._alive()
        self._reader.heard(alive)

    def _alive(self) -> list[Mapping[str, Any]]:
        return [watch.health for name, watch in self._watches.items() if self._supervisor.state(name) in ALIVE]

    def _has_lease(self, now: int) -> bool:
        """While the lease cannot be renewed no actor is asked, so afterwards none has missed an answer."""
        if self._lease.is_held:
            if self._has_lapsed:
                self._has_lapsed = False
                _log.warning("the lease is held again")
                for name, watch in self._watches.items():
                    watch.health_call, watch.asked_ms = None, 0
                    watch.waits += 1
                    self._supervisor.recovering(name, -watch.waits, now)
            return True
        if not self._has_lapsed:
            self._has_lapsed = True
            _log.warning("the lease could not be renewed in time: nothing is done until it is held again")
        return False

    def _begin(self, now: int) -> None:
        """Start what is wanted, adopt what lives already. Processes come up side by side; recovery has its order."""
        for name in self._order:
            if self._supervisor.state(name) is ComponentState.STOPPED:
                is_alive = self._launcher.find(name)
                self._watches[name].is_adopted = is_alive
                begin = self._supervisor.adopt if is_alive else self._supervisor.start
                self._carry_out(begin(name, now))

    def _may_recover(self, name: ActorName) -> bool:
        """Whether no actor that it waits for is still starting; one that has failed is not waited for."""
        return all(
            self._supervisor.state(first) not in (ComponentState.STARTING, ComponentState.RECOVERING)
            for first in self._waits_for[name]
        )

    def _hear(self, name: ActorName, watch: _Watch, now: int) -> None:
        if watch.start_call is not None and watch.start_call.ready():
            call, watch.start_call = watch.start_call, None
            try:
                call.value()
            except StoreUnavailableError as error:
                self._wait_for_the_database(name, error, now)
            except Exception as error:  # noqa: BLE001 - whatever start raised, the policy decides what follows
                self._carry_out(self._supervisor.died(name, f"start failed: {error}", now))
        if watch.health_call is None:
            return
        if watch.health_call.ready():
            call, watch.health_call = watch.health_call, None
            try:
                watch.health = call.value()
            except ActorGoneError as error:
                self._carry_out(self._supervisor.died(name, str(error), now))
            except Exception as error:  # noqa: BLE001 - an answer that failed is a missing answer
                _log.info("%s did not answer: %s", name, error)
                self._carry_out(self._supervisor.missed(name, now))
            else:
                self._judge(name, watch, now)
        elif now - watch.asked_ms > HEALTH_TIMEOUT_MS:
            watch.health_call = None
            self._carry_out(self._supervisor.missed(name, now))

    def _look(self, name: ActorName, watch: _Watch, now: int) -> None:
        if not watch.pid or not self._launcher.is_frozen(watch.pid):
            watch.frozen_since_ms = None
        elif watch.frozen_since_ms is None:
            watch.frozen_since_ms = now
        elif now - watch.frozen_since_ms >= FROZEN_MS:
            self._carry_out(self._supervisor.frozen(name, now))

    def _judge(self, name: ActorName, watch: _Watch, now: int) -> None:
        reported, watch.pid = watch.health["state"], int(watch.health.get("pid", 0))
        state = self._supervisor.state(name)
        if reported == "FAILED" and state in ALIVE:
            self._carry_out(self._supervisor.died(name, str(watch.health.get("last_error", "")), now))
        elif state is ComponentState.STARTING:
            if self._may_recover(name):
                self._carry_out(self._supervisor.started(name, now))
        elif state is ComponentState.RECOVERING and reported == "RUNNING":
            self._carry_out(self._supervisor.resumed(name, now))
        elif state is ComponentState.RECOVERING:
            self._supervisor.recovering(name, int(watch.health.get("commits", 0)), now)
        elif state is ComponentState.SUSPECT and reported == "CREATED":
            # Adopted before it was ever started: its orchestrator died in between.
            self._carry_out(self._supervisor.died(name, "it was created but never started", now))
        elif watch.is_adopted and not self._store.holds(name, int(watch.health.get("epoch", 0))):
            self._carry_out(self._supervisor.died(name, "it was found alive, but is of an earlier run", now))
        else:
            watch.is_adopted = False
            progress, is_busy = int(watch.health["progress"]), bool(watch.health["is_busy"])
            self._carry_out(self._supervisor.healthy(name, progress, is_busy, now))

    def _ask(self, name: ActorName, watch: _Watch, now: int) -> None:
        is_time = watch.health_call is None and now - watch.asked_ms >= HEALTH_PERIOD_MS
        if is_time and self._supervisor.state(name) in ALIVE:
            watch.asked_ms = now
            watch.health_call = self._launcher.call(name, "health")

    # --- orders ---

    def _carry_out(self, orders: Orders) -> None:
        for order in orders:
            match order:
                case StartActor(component):
                    self._lease.confirm()
                    self._launcher.spawn(component)
                    self._watches[component].asked_ms, self._watches[component].is_adopted = 0, False
                case ResumeActor(component):
                    self._resume(component)
                case KillActor(component):
                    watch = self._watches[component]
                    watch.health_call = watch.start_call = watch.frozen_since_ms = None
                    watch.resume_at_ms = None
                    watch.pid = 0  # a frozen process outlives its end by some seconds, beside its successor
                    self._lease.confirm()
                    self._launcher.kill(component)
                case Changed():
                    self._note(order)
                case RaiseAlert(component, severity, text):
                    self._reader.alert(component, severity, text)

    def _resume(self, component: ActorName) -> None:
        try:
            epoch = self._store.grant(component, self._holder, self._lease.epoch)
        except StoreUnavailableError as error:
            self._wait_for_the_database(component, error, _now_ms())
            return
        call = self._launcher.call(component, "start", epoch, self._market_ms())
        self._watches[component].start_call = call

    def _wait_for_the_database(self, component: ActorName, error: StoreUnavailableError, now: int) -> None:
        """An outage is no failure of the component: it is let recover again, however long that takes."""
        watch = self._watches[component]
        watch.resume_at_ms = now + RESUME_AGAIN_MS
        watch.waits += 1
        self._supervisor.recovering(component, -watch.waits, now)
        _log.info("%s waits for the database: %s", component, error)

    def _resume_again(self, name: ActorName, watch: _Watch, now: int) -> None:
        if watch.resume_at_ms is not None and now >= watch.resume_at_ms:
            watch.resume_at_ms = None
            if self._supervisor.state(name) is ComponentState.RECOVERING:
                self._resume(name)

    def _note(self, change: Changed) -> None:
        watch = self._watches[change.component]
        now = _now_ms()
        watch.since_ms, watch.reason = now, change.reason
        if change.state is ComponentState.FAILED:
            watch.fault_ms = now
        elif change.state is ComponentState.STARTING and watch.fault_ms:
            watch.restarts += 1
        elif change.state is ComponentState.RUNNING and watch.fault_ms:
            watch.recovered_in_ms, watch.fault_ms = now - watch.fault_ms, 0
        _log.info("%s: %s (%s)", change.component, change.state.value, change.reason)
        self._reader.component_changed(change)


_granted = GrantedTime()


def _now_ms() -> int:
    """Granted time: on a starving machine the limits of the supervision stretch with it."""
    return int(_granted.now_s() * 1000)
