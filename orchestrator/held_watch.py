"""Looks for commands of the operator that were given to the database directly, while the interface was away (RM-5), on
a thread of its own. They are in force from their commit on; what is found here reaches the risk manager, which carries
out the rest."""

from __future__ import annotations

from collections.abc import Callable

from actors.runtime.ports import HeldCommandsPort
from orchestrator.watch import Watch
from statemachines.messages.control import OperatorCommand

PERIOD_S = 0.25
"""A quarter of the second within which a command takes effect."""


class HeldWatch(Watch):
    """`found` takes a command, each once in this process."""

    ABOUT = "commands in the database"

    def __init__(
        self, port: HeldCommandsPort, found: Callable[[OperatorCommand], None], period_s: float = PERIOD_S
    ) -> None:
        super().__init__(period_s)
        self._port, self._found = port, found
        self._seen: set[str] = set()

    def look(self) -> None:
        """Hand on what waits and was not handed on before. Raises StoreUnavailableError."""
        waiting = self._port.waiting()
        for command in waiting:
            if command.command_id not in self._seen:
                self._found(command)
                self._seen.add(command.command_id)
        self._seen &= {command.command_id for command in waiting}
