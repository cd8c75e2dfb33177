"""Looks for versions of the policy that are recorded while the system runs (RM-6), on a thread of its own.

The database says what is to be in force, so no command can be lost: a version that was recorded while the orchestrator,
the API or the database was away is found by the next look.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from actors.runtime.policies.ports import PolicyWatchPort, UnusablePolicyError
from actors.runtime.ports import StoreUnavailableError
from statemachines.messages.control import PolicyRecorded

_log = logging.getLogger(__name__)

PERIOD_S = 1.0


class PolicyWatch:
    """`found` takes a version; `unusable` the sentence about one that this program cannot use."""

    def __init__(
        self,
        port: PolicyWatchPort,
        found: Callable[[PolicyRecorded], None],
        unusable: Callable[[str], None],
        period_s: float = PERIOD_S,
    ) -> None:
        self._port, self._found, self._unusable, self._period_s = port, found, unusable, period_s
        self._stopped, self._wanted = threading.Event(), threading.Event()

    def start(self) -> None:
        """Look on a thread of its own until `stop`."""
        threading.Thread(target=self._keep, name="policies", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._wanted.set()

    def record(self, after: int, policy: Mapping[str, Any], who: str, reason: str, origin: str) -> bool:
        """Append a version for the operator, and look for it at once; False when `after` is not the newest any more.
        Raises StoreUnavailableError."""
        is_recorded = self._port.record(after, policy, who, reason, origin)
        self._wanted.set()
        return is_recorded

    def look(self) -> None:
        """Hand on the version that has been recorded since the last look. Raises StoreUnavailableError."""
        try:
            version = self._port.newer()
        except UnusablePolicyError as error:
            self._unusable(str(error))
            return
        if version is not None:
            self._found(version)

    def _keep(self) -> None:
        while True:
            self._wanted.wait(self._period_s)
            self._wanted.clear()
            if self._stopped.is_set():
                return
            try:
                self.look()
            except StoreUnavailableError as error:
                _log.info("the policy's versions cannot be read now: %s", error)
            except Exception:  # noqa: BLE001 - the next look may succeed
                _log.exception("the policy's versions could not be read; it is tried again")
