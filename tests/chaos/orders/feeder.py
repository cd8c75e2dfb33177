"""Makes the engines signal: each signal is sent again until it is committed, so that none gets lost on the way in."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.launch.ray_process import LOOPBACK_SETTINGS
from api.launch.system import System
from statemachines.messages.control import OperatorCommand
from statemachines.values import ActorName
from tests.chaos.orders.engine import LOTS

_log = logging.getLogger(__name__)

ANSWER_S = 2.0
AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Shape:
    """A burst: so many waves, `pause_s` apart, in each of which every engine signals `count` orders together."""

    waves: int = 5
    count: int = 20
    pause_s: float = 0.1

    @property
    def orders(self) -> int:
        """Orders of a burst, over all engines."""
        return self.waves * self.count * len(LOTS)


class Feeder:
    """Sends bursts to the engines' actors over a connection of its own to Ray."""

    def __init__(self, system: System) -> None:
        _join_ray(system)
        self.signals: dict[ActorName, int] = dict.fromkeys(LOTS, 0)
        """Signals committed so far."""

        self._threads: list[threading.Thread] = []
        self._handles: dict[ActorName, Any] = {}
        self._is_over = threading.Event()

    def begin(self, shape: Shape) -> None:
        """Start a burst; returns at once. One engine's outage holds up no other."""
        begun = time.monotonic()
        self._threads = [
            threading.Thread(target=self._feed, args=(name, shape, begun), name=f"feeder-{name}", daemon=True)
            for name in LOTS
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_done(self) -> bool:
        """Whether every signal of the burst is committed."""
        return not any(thread.is_alive() for thread in self._threads)

    def end(self) -> None:
        """Send nothing more, and leave Ray before it is ended: a driver that loses it ends its whole process."""
        import ray

        self._is_over.set()
        for thread in self._threads:
            thread.join(ANSWER_S + AGAIN_S)
        ray.shutdown()

    def _feed(self, name: ActorName, shape: Shape, begun: float) -> None:
        for wave in range(shape.waves):
            if self._is_over.wait(max(begun + wave * shape.pause_s - time.monotonic(), 0.0)):
                return
            self._signal(name, shape.count)

    def _signal(self, name: ActorName, count: int) -> None:
        command_id = f"burst:{name}:{self.signals[name] + 1}"
        body = OperatorCommand(command_id=command_id, who="chaos", action="normal", scope="", reason=str(count))
        plain: Mapping[str, Any] = body.model_dump(mode="json")
        import ray

        while not self._is_over.is_set():
            try:
                reference = self._handle(name).command.remote(OperatorCommand.KIND, plain, command_id)
                ray.get(reference, timeout=ANSWER_S)
            except Exception as error:  # noqa: BLE001 - whatever was killed; the same signal is sent again
                _log.info("%s did not take %s: %s", name, command_id, type(error).__name__)
                self._handles.pop(name, None)
                self._is_over.wait(AGAIN_S)
            else:
                self.signals[name] += 1
                return

    def _handle(self, name: ActorName) -> Any:
        if name not in self._handles:
            from actors.runtime.ray_runtime import find

            found = find(name)
            if found is None:
                raise LookupError(f"Ray knows no actor {name}")
            self._handles[name] = found
        return self._handles[name]


def _join_ray(system: System) -> None:
    """As a driver of its own: the launch is no part of Ray, which reads its settings when it is imported."""
    os.environ |= {**LOOPBACK_SETTINGS, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(system.ray.token_file)}
    import ray

    from actors.runtime.ray_runtime import NAMESPACE

    if ray.is_initialized():
        ray.shutdown()
    ray.init(address=system.ray.address, namespace=NAMESPACE, log_to_driver=False)
