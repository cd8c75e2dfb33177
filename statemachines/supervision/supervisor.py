"""The supervisor (OR-8): receives the events of the components and returns the orders that follow. Pure.

Every event carries wall time (monotonic, ms; the caller slows it down on an overloaded machine). The caller defines
the start order and how a component is started.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from statemachines.commands import JournalEntry
from statemachines.supervision.life import ALIVE, ComponentLife, ComponentState
from statemachines.supervision.policy import SupervisionPolicy
from statemachines.values import ActorName

_C = ComponentState


@dataclass(frozen=True, slots=True)
class StartActor:
    """Create a new incarnation of the component by name."""

    component: ActorName


@dataclass(frozen=True, slots=True)
class ResumeActor:
    """Make the new incarnation recover and work."""

    component: ActorName


@dataclass(frozen=True, slots=True)
class KillActor:
    """Ensure that no process of the component is left (even if it appears to have died)."""

    component: ActorName
    reason: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The component has a new state: inform the others (`ComponentChanged`) and write `note` to the journal."""

    component: ActorName
    state: ComponentState
    reason: str
    note: JournalEntry


@dataclass(frozen=True, slots=True)
class RaiseAlert:
    """A text for the operator."""

    component: ActorName
    severity: Literal["info", "warning", "critical"]
    text: str


Order = StartActor | ResumeActor | KillActor | Changed | RaiseAlert
Orders = list[Order]


@dataclass(slots=True)
class _Component:
    name: ActorName
    life: ComponentLife
    since_ms: int = 0
    restarts_ms: list[int] = field(default_factory=list)
    restart_at_ms: int | None = None
    misses: int = 0
    progress: int | None = None
    progress_ms: int = 0

    @property
    def state(self) -> ComponentState:
        return self.life.state


class Supervisor:
    """Supervises `components`. It is the only restart authority: nothing else restarts them."""

    def __init__(self, components: Sequence[ActorName], policy: SupervisionPolicy | None = None) -> None:
        self.policy = policy or SupervisionPolicy()
        self._components = {name: _Component(name, ComponentLife(str(name))) for name in components}

    # --- state ---

    def state(self, component: ActorName) -> ComponentState:
        """The component's state."""
        return self._components[component].state

    def restarts(self, component: ActorName) -> int:
        """Restarts within the window, as of the last event."""
        return len(self._components[component].restarts_ms)

    def deadline_ms(self) -> int | None:
        """Wall time at which `tick` must be called; None when nothing is due."""
        return min((due for c in self._components.values() if (due := self._due_ms(c)) is not None), default=None)

    # --- the operator and the run ---

    def start(self, component: ActorName, wall_ms: int) -> Orders:
        """The component is required. A FAULTED one stays FAULTED until the operator resets it."""
        if self.state(component) is not _C.STOPPED:
            return []
        return [self._move(component, "start", "the component is required", wall_ms), StartActor(component)]

    def adopt(self, component: ActorName, wall_ms: int) -> Orders:
        """A restarted orchestrator has found the component alive by name."""
        if self.state(component) is not _C.STOPPED:
            return []
        return [self._move(component, "adopt", "found alive by name", wall_ms)]

    def stop(self, component: ActorName, wall_ms: int) -> Orders:
        """The component is no longer required."""
        state = self.state(component)
        if state is _C.STOPPED:
            return []
        moved = self._move(component, "stop", "the component is no longer required", wall_ms)
        return [moved, KillActor(component, "stopped")] if state in ALIVE else [moved]

    def reset(self, component: ActorName, who: str, wall_ms: int) -> Orders:
        """The operator requests a restart of a FAULTED component; its restart count is cleared."""
        if self.state(component) is not _C.FAULTED:
            return []
        self._components[component].restarts_ms.clear()
        return [self._move(component, "reset", f"{who} requested a restart", wall_ms), StartActor(component)]

    # --- events ---

    def started(self, component: ActorName, wall_ms: int) -> Orders:
        """The new incarnation exists."""
        if self.state(component) is not _C.STARTING:
            return []
        return [self._move(component, "created", "the new incarnation exists", wall_ms), ResumeActor(component)]

    def resumed(self, component: ActorName, wall_ms: int) -> Orders:
        """It has loaded its state, reconciled and is working."""
        if self.state(component) is not _C.RECOVERING:
            return []
        return [self._move(component, "resumed", "recovered; it is working", wall_ms)]

    def recovering(self, component: ActorName, progress: int, wall_ms: int) -> None:
        """A health report during recovery: `progress` counts its commits. A recovery that makes progress may take as
        long as it needs; `recover_ms` limits only the time without progress."""
        c = self._components[component]
        if c.state is _C.RECOVERING and progress != c.progress:
            c.progress, c.progress_ms = progress, wall_ms

    def healthy(self, component: ActorName, progress: int, is_busy: bool, wall_ms: int) -> Orders:
        """A health report: `progress` counts iterations of its working loop, `is_busy` is whether work is pending.

        A component that reports health but makes no progress for `stuck_ms` while work is pending has failed.
        """
        c = self._components[component]
        if c.state not in (_C.RUNNING, _C.SUSPECT):
            return []
        if c.progress != progress or not is_busy:
            c.progress, c.progress_ms = progress, wall_ms
        stuck_ms = wall_ms - c.progress_ms
        if stuck_ms > self.policy.stuck_ms:
            return self._fail(component, f"hung: {stuck_ms} ms without progress while work is pending", wall_ms)
        c.misses = 0
        if c.state is _C.RUNNING:
            return []
        return [self._move(component, "answer", f"it responds, progress {progress}", wall_ms)]

    def missed(self, component: ActorName, wall_ms: int) -> Orders:
        """It did not respond in time."""
        c = self._components[component]
        if c.state not in (_C.RUNNING, _C.SUSPECT):
            return []
        c.misses += 1
        if c.misses >= self.policy.misses:
            return self._fail(component, f"hung: {c.misses} health reports in a row are missing", wall_ms)
        if c.state is _C.SUSPECT:
            return []
        return [self._move(component, "miss", "a health report is missing", wall_ms)]

    def died(self, component: ActorName, reason: str, wall_ms: int) -> Orders:
        """It is gone, or its start or recovery raised."""
        if self.state(component) not in ALIVE:
            return []
        return self._fail(component, f"died: {reason}", wall_ms)

    def frozen(self, component: ActorName, wall_ms: int) -> Orders:
        """The operating system has stopped its process, which will not resume by itself."""
        if self.state(component) not in ALIVE:
            return []
        return self._fail(component, "its process is frozen", wall_ms)

    def tick(self, wall_ms: int) -> Orders:
        """Handle delays that have ended and starts or recoveries that take too long."""
        orders: Orders = []
        for c in self._components.values():
            due_ms = self._due_ms(c)
            if due_ms is None or due_ms > wall_ms:
                continue
            if c.state is _C.BACKOFF:
                c.restart_at_ms = None
                number = len(c.restarts_ms)
                orders.append(self._move(c.name, "delay_over", f"restart {number} in the window", wall_ms))
                orders.append(StartActor(c.name))
            else:
                stood = wall_ms - (c.since_ms if c.state is _C.STARTING else c.progress_ms)
                orders += self._fail(c.name, f"too slow: {c.state} without progress for {stood} ms", wall_ms)
        return orders

    # --- internals ---

    def _due_ms(self, c: _Component) -> int | None:
        if c.state is _C.BACKOFF:
            return c.restart_at_ms
        if c.state is _C.STARTING:
            return c.since_ms + self.policy.start_ms
        if c.state is _C.RECOVERING:
            return c.progress_ms + self.policy.recover_ms
        return None

    def _fail(self, component: ActorName, reason: str, wall_ms: int) -> Orders:
        """Every failure kills first: a hung or half-dead process must not run beside its successor."""
        c = self._components[component]
        orders: Orders = [self._move(component, "fail", reason, wall_ms), KillActor(component, reason)]
        c.restarts_ms = [at for at in c.restarts_ms if wall_ms - at < self.policy.window_ms]
        if len(c.restarts_ms) >= self.policy.max_restarts:
            text = f"{len(c.restarts_ms)} restarts within {self.policy.window_ms} ms are the limit; last: {reason}"
            return orders + self._exhaust(component, text, wall_ms)
        delay_ms = self.policy.delay_ms(len(c.restarts_ms))
        text = f"{component} failed ({reason}); it is restarted in {delay_ms} ms. No action is required."
        return [*orders, self._delay(c, delay_ms, wall_ms), RaiseAlert(component, "warning", text)]

    def _delay(self, c: _Component, delay_ms: int, wall_ms: int) -> Changed:
        c.restarts_ms.append(wall_ms)
        c.restart_at_ms = wall_ms + delay_ms
        return self._move(c.name, "delay", f"restart {len(c.restarts_ms)} in {delay_ms} ms", wall_ms)

    def _exhaust(self, component: ActorName, reason: str, wall_ms: int) -> Orders:
        if component in self.policy.tireless:
            delay_ms = self.policy.tireless_delay_ms
            text = (
                f"{component} fails repeatedly: {reason}. Trading continues; a restart is attempted automatically "
                f"every {delay_ms // 1000} s. Find the cause in the log."
            )
            delayed = self._delay(self._components[component], delay_ms, wall_ms)
            return [delayed, RaiseAlert(component, "critical", text)]
        text = (
            f"{component} is FAULTED and not restarted: {reason}. The other components continue; the sub-account of a "
            "FAULTED engine is reduce-only. Find the cause, reset the component, then set its risk state to normal."
        )
        moved = self._move(component, "exhaust", reason, wall_ms)
        return [moved, RaiseAlert(component, "critical", text)]

    def _move(self, component: ActorName, trigger: str, reason: str, wall_ms: int) -> Changed:
        c = self._components[component]
        note = c.life.fire(trigger, reason, {"wall_ms": wall_ms})
        c.since_ms = wall_ms
        if c.state in (_C.STARTING, _C.RECOVERING) or trigger == "adopt":
            c.misses, c.progress, c.progress_ms = 0, None, wall_ms
        return Changed(component, c.state, reason, note)

    # --- durability ---

    def to_data(self) -> dict[str, Any]:
        """The durable state: which components are FAULTED. Wall times are meaningless in another process."""
        return {"faulted": sorted(c.name for c in self._components.values() if c.state is _C.FAULTED)}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore from the result of `to_data`; all other components begin as STOPPED and are started or adopted."""
        for name in data["faulted"]:
            if name in self._components and name not in self.policy.tireless:
                self._components[ActorName(name)].life = ComponentLife.restored(name, _C.FAULTED.value)
