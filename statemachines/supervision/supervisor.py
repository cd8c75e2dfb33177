"""The supervisor (OR-8): told what happens to the components, it answers what to do. Pure.

Every event carries wall time (monotonic, ms; the caller stretches it on a starving machine). Start order and what
starting means are the caller's.
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
    """Let the new incarnation recover and work."""

    component: ActorName


@dataclass(frozen=True, slots=True)
class KillActor:
    """Make sure that no process of the component is left (also after it seems to have died)."""

    component: ActorName
    reason: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The component is in a new state: tell the others (`ComponentChanged`) and journal `note`."""

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
    """Watches over `components`. One restart authority: nobody else restarts them."""

    def __init__(self, components: Sequence[ActorName], policy: SupervisionPolicy | None = None) -> None:
        self.policy = policy or SupervisionPolicy()
        self._components = {name: _Component(name, ComponentLife(str(name))) for name in components}

    # --- what it knows ---

    def state(self, component: ActorName) -> ComponentState:
        """Where the component stands."""
        return self._components[component].state

    def restarts(self, component: ActorName) -> int:
        """Restarts within the window, as of the last event."""
        return len(self._components[component].restarts_ms)

    def deadline_ms(self) -> int | None:
        """Wall time at which `tick` has something to do."""
        return min((due for c in self._components.values() if (due := self._due_ms(c)) is not None), default=None)

    # --- the operator and the run ---

    def start(self, component: ActorName, wall_ms: int) -> Orders:
        """The component is wanted. A FAULTED one stays so: the operator resets it."""
        if self.state(component) is not _C.STOPPED:
            return []
        return [self._move(component, "start", "the component is wanted", wall_ms), StartActor(component)]

    def adopt(self, component: ActorName, wall_ms: int) -> Orders:
        """A restarted orchestrator has found the component alive by name."""
        if self.state(component) is not _C.STOPPED:
            return []
        return [self._move(component, "adopt", "found alive by name", wall_ms)]

    def stop(self, component: ActorName, wall_ms: int) -> Orders:
        """The component is not wanted any more."""
        state = self.state(component)
        if state is _C.STOPPED:
            return []
        moved = self._move(component, "stop", "the component is not wanted", wall_ms)
        return [moved, KillActor(component, "stopped")] if state in ALIVE else [moved]

    def reset(self, component: ActorName, who: str, wall_ms: int) -> Orders:
        """The operator wants a FAULTED component tried again; its restarts are forgotten."""
        if self.state(component) is not _C.FAULTED:
            return []
        self._components[component].restarts_ms.clear()
        return [self._move(component, "reset", f"{who} wants it tried again", wall_ms), StartActor(component)]

    # --- what happens ---

    def started(self, component: ActorName, wall_ms: int) -> Orders:
        """The new incarnation exists."""
        if self.state(component) is not _C.STARTING:
            return []
        return [self._move(component, "created", "the new incarnation exists", wall_ms), ResumeActor(component)]

    def resumed(self, component: ActorName, wall_ms: int) -> Orders:
        """It has loaded its state, reconciled and works."""
        if self.state(component) is not _C.RECOVERING:
            return []
        return [self._move(component, "resumed", "recovered; it works", wall_ms)]

    def recovering(self, component: ActorName, progress: int, wall_ms: int) -> None:
        """It answers while it recovers: `progress` counts what it has committed. A recovery that gets on is given the
        time it needs; `recover_ms` is the longest that it may stand still."""
        c = self._components[component]
        if c.state is _C.RECOVERING and progress != c.progress:
            c.progress, c.progress_ms = progress, wall_ms

    def healthy(self, component: ActorName, progress: int, is_busy: bool, wall_ms: int) -> Orders:
        """It answered: `progress` counts turns of its working loop, `is_busy` tells that work lies before it.

        An answer without progress while there is work is a miss: hung counts as failed.
        """
        c = self._components[component]
        if c.state not in (_C.RUNNING, _C.SUSPECT):
            return []
        if c.progress != progress or not is_busy:
            c.progress, c.progress_ms = progress, wall_ms
        stuck_ms = wall_ms - c.progress_ms
        if stuck_ms > self.policy.stuck_ms:
            return self._fail(component, f"hung: {stuck_ms} ms without progress with work before it", wall_ms)
        c.misses = 0
        if c.state is _C.RUNNING:
            return []
        return [self._move(component, "answer", f"it answers, progress {progress}", wall_ms)]

    def missed(self, component: ActorName, wall_ms: int) -> Orders:
        """It did not answer in time."""
        c = self._components[component]
        if c.state not in (_C.RUNNING, _C.SUSPECT):
            return []
        c.misses += 1
        if c.misses >= self.policy.misses:
            return self._fail(component, f"hung: {c.misses} answers in a row are missing", wall_ms)
        if c.state is _C.SUSPECT:
            return []
        return [self._move(component, "miss", "an answer is missing", wall_ms)]

    def died(self, component: ActorName, reason: str, wall_ms: int) -> Orders:
        """It is gone, or its start or recovery raised."""
        if self.state(component) not in ALIVE:
            return []
        return self._fail(component, f"died: {reason}", wall_ms)

    def frozen(self, component: ActorName, wall_ms: int) -> Orders:
        """The operating system has stopped its process: it will not go on by itself."""
        if self.state(component) not in ALIVE:
            return []
        return self._fail(component, "its process is frozen", wall_ms)

    def tick(self, wall_ms: int) -> Orders:
        """Delays that are over, starts and recoveries that take too long."""
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

    # --- inside ---

    def _due_ms(self, c: _Component) -> int | None:
        if c.state is _C.BACKOFF:
            return c.restart_at_ms
        if c.state is _C.STARTING:
            return c.since_ms + self.policy.start_ms
        if c.state is _C.RECOVERING:
            return c.progress_ms + self.policy.recover_ms
        return None

    def _fail(self, component: ActorName, reason: str, wall_ms: int) -> Orders:
        """Every failure kills first: a hung or half-dead process must not live beside its successor."""
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
                f"{component} fails again and again: {reason}. Trading continues; it is tried again every "
                f"{delay_ms // 1000} s by itself. Find the cause in the log."
            )
            delayed = self._delay(self._components[component], delay_ms, wall_ms)
            return [delayed, RaiseAlert(component, "critical", text)]
        text = (
            f"{component} is FAULTED and not restarted: {reason}. The others go on; an engine's sub-account only "
            "reduces. Find the cause, reset the component, then set its risk state to normal."
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
        """What outlives the supervisor: who is FAULTED. Wall times mean nothing to another process."""
        return {"faulted": sorted(c.name for c in self._components.values() if c.state is _C.FAULTED)}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take back `to_data`; everything else starts as STOPPED and is started or adopted."""
        for name in data["faulted"]:
            if name in self._components and name not in self.policy.tireless:
                self._components[ActorName(name)].life = ComponentLife.restored(name, _C.FAULTED.value)
