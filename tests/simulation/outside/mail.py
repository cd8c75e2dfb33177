"""Facts for the orchestrator from outside: handed over until they are committed, as their senders do it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from actors.runtime.memory_store import MemoryStore
from statemachines.messages.envelope import Body
from statemachines.values import ActorName
from tests.simulation.faults.scheduler import Living


class Mail:
    """One after the other; a fact that died with the orchestrator is given to its next incarnation."""

    def __init__(
        self, memory: MemoryStore, living: Callable[[], Mapping[ActorName, Living]], now_ms: Callable[[], int]
    ) -> None:
        self._memory = memory
        self._living = living
        self._now_ms = now_ms
        self._waiting: deque[tuple[Body, str]] = deque()
        self._count = 0
        self._handed_to = 0

    def put(self, body: Body) -> None:
        """Send a fact."""
        self._count += 1
        self._waiting.append((body, f"outside:{self._count}"))
        self.deliver()

    @property
    def is_empty(self) -> bool:
        """Whether everything sent is committed."""
        return not self._waiting

    def deliver(self) -> None:
        """After every act: hand over the oldest that is not committed."""
        while self._waiting:
            body, identity = self._waiting[0]
            if self._memory.is_known(ActorName.ORCHESTRATOR, [identity]):
                self._waiting.popleft()
                self._handed_to = 0
                continue
            living = self._living().get(ActorName.ORCHESTRATOR)
            if living is not None and living.durable.epoch != self._handed_to:
                self._handed_to = living.durable.epoch
                living.durable.take_fact(body, identity, self._now_ms())
            return
