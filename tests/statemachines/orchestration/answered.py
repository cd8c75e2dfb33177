"""The orchestrator's logic between actors that answer at once: what they answer is told in its turn."""

from __future__ import annotations

from collections.abc import Callable

from statemachines.commands import Commands
from statemachines.messages.envelope import Body
from statemachines.orchestration.logic import OrchestratorLogic
from tests.kit.core import Core


class Answered(Core[OrchestratorLogic]):
    """A subclass puts the answers into `inbox`. `restart_before(n)`: whether the logic is rebuilt from its rows before
    its n-th step."""

    def __init__(
        self, make: Callable[[], OrchestratorLogic], now_ms: int, restart_before: Callable[[int], bool]
    ) -> None:
        self.inbox: list[Body] = []
        self.steps = 0
        self._restart_before = restart_before
        super().__init__(make, now_ms)

    def tell(self, *bodies: Body) -> None:
        self.inbox += bodies
        self._drain()
        self.run_due(between=self._drain)

    def _drain(self) -> None:
        while self.inbox:
            self.deliver(self.inbox.pop(0))

    def step(self, decide: Callable[[], Commands]) -> Commands:
        self.steps += 1
        if self._restart_before(self.steps):
            self.restart()
            self.logic.begin(self.now_ms)
        return super().step(decide)
