"""Looks for versions of the policy that are recorded while the system runs (RM-6), on a thread of its own.

The database says what is to be in force, so no command can be lost: a version that was recorded while the orchestrator,
the API or the database was away is found by the next look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.runtime.policies.ports import PolicyWatchPort, UnusablePolicyError
from orchestrator.watch import Watch
from statemachines.messages.control import PolicyRecorded

PERIOD_S = 1.0


class PolicyWatch(Watch):
    """`found` takes a version; `unusable` the sentence about one that this program cannot use."""

    ABOUT = "policy's versions"

    def __init__(
        self,
        port: PolicyWatchPort,
        found: Callable[[PolicyRecorded], None],
        unusable: Callable[[str], None],
        period_s: float = PERIOD_S,
    ) -> None:
        super().__init__(period_s)
        self._port, self._found, self._unusable = port, found, unusable

    def record(self, after: int, policy: Mapping[str, Any], who: str, reason: str, origin: str) -> bool:
        """Append a version for the operator, and look for it at once; False when `after` is not the newest any more.
        Raises StoreUnavailableError."""
        is_recorded = self._port.record(after, policy, who, reason, origin)
        self.want()
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
