"""Looks for commands of the operator that were given to the database directly, while the interface was away (RM-5), on
a thread of its own. They are in force from their commit on; what is found here reaches the risk manager, which carries
out the rest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from actors.runtime.ports import HeldCommandsPort, StoreUnavailableError
from statemachines.messages.control import OperatorCommand

_log = logging.getLogger(__name__)

PERIOD_S = 0.25
"""A quarter of the second within which a command takes effect."""


class HeldWatch:
    """`found` takes a command, each once in this process."""

    def __init__(
        self, port: HeldCommandsPort, found: Callable[[OperatorCommand], None], period_s: float = PERIOD_S
    ) -> None:
        self._port, self._found, self._period_s = port, found, period_s
        self._seen: set[str] = set()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Look on a thread of its own until `stop`."""
        threading.Thread(target=self._keep, name="held commands", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def look(self) -> None:
        """Hand on what waits and was not handed on before. Raises StoreUnavailableError."""
        waiting = self._port.waiting()
        for command in waiting:
            if command.command_id not in self._seen:
                self._found(command)
                self._seen.add(command.command_id)
        self._seen &= {command.command_id for command in waiting}

    def _keep(self) -> None:
        while not self._stopped.wait(self._period_s):
            try:
                self.look()
            except StoreUnavailableError as error:
                _log.info("the commands in the database cannot be read now: %s", error)
            except Exception:  # noqa: BLE001 - the next look may succeed
                _log.exception("the commands in the database could not be read; it is tried again")
