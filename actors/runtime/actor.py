"""A stateful actor as its runtime sees it: a plain class; Ray is applied where it is launched (`ray_runtime.spawn`)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from statemachines.messages.kinds import parse_body
from statemachines.values import ActorName

if TYPE_CHECKING:
    from actors.runtime.actor_runner import ActorRunner
    from actors.runtime.ports import EnvelopeDict
    from actors.runtime.ray_runtime import Assembly

Method = TypeVar("Method", bound=Callable[..., Any])


def in_group(group: str) -> Callable[[Method], Method]:
    """Run the method in this concurrency group of the actor: what `ray.method` does, without loading Ray."""

    def mark(method: Method) -> Method:
        vars(method)["__ray_concurrency_group__"] = group
        return method

    return mark


def shown(health: Mapping[str, Any]) -> str:
    """An actor in one line, its `repr`: "trend-1 (RUNNING, epoch 12)".

    Ray asks for it once, when it has made the process, and shows that text for good (`repr_name`, the dashboard). So
    the state before the start carries its time; the present state is in the metric `eternal_component_state`.
    """
    name, state = health["name"], health["state"]
    if not health.get("epoch"):
        return f"{name} ({state} at {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC)"
    return f"{name} ({state}, epoch {health['epoch']})"


class Actor:
    """The constructor is cheap and cannot fail; `start` does the work. Subclasses add a name for Ray's dashboard."""

    def __init__(self, assembly: Assembly, name: str) -> None:
        self._assembly = assembly
        self.name = ActorName(name)
        self._runner: ActorRunner | None = None

    def __repr__(self) -> str:
        return shown(self.health())

    def start(self, epoch: int, now_ms: int) -> None:
        """Begin work as incarnation `epoch`; errors reach the supervisor."""
        from actors.runtime.actor_runner import ActorRunner
        from actors.runtime.metrics import publish
        from actors.runtime.ray_runtime import RayPeers, collect_less, end_process

        runner = ActorRunner(self.name, self._assembly.parts(self.name, RayPeers()), end_process)
        runner.start(epoch, now_ms)
        self._runner = runner
        collect_less()
        publish.start(runner)

    @in_group("inbox")
    def deliver(self, batch: list[EnvelopeDict]) -> dict[str, int]:
        return self._started().deliver(batch)

    @in_group("inbox")
    def notify(self, envelope: EnvelopeDict) -> dict[str, int]:
        return self._started().notify(envelope)

    @in_group("operator")
    def command(self, kind: str, body: dict[str, Any], natural_id: str) -> None:
        self._started().command(parse_body(kind, body), natural_id)

    @in_group("control")
    def tick(self, now_ms: int) -> None:
        self._started().tick(now_ms)

    @in_group("control")
    def report_again(self) -> None:
        if self._runner is not None:
            self._runner.report_again()

    @in_group("health")
    def health(self) -> dict[str, Any]:
        if self._runner is None:
            return {"name": str(self.name), "state": "CREATED", "pid": os.getpid(), "progress": 0, "is_busy": False}
        return self._runner.health()

    @in_group("control")
    def stop(self) -> None:
        if self._runner is not None:
            self._runner.stop()

    def _started(self) -> ActorRunner:
        if self._runner is None:
            raise RuntimeError(f"{self.name} has not been started yet")
        return self._runner
