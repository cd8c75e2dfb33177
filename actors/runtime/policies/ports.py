"""What the runtime needs of policies: implemented above, where the configuration is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from statemachines.actor_logic import ActorLogic
from statemachines.messages.control import PolicyRecorded
from statemachines.values import ActorName

Document = Mapping[str, Any] | None
"""A policy as JSON values; None: that of the configuration that the system was started with."""


class UnusablePolicyError(ValueError):
    """No logic can be made under a policy: this program's configuration does not take it."""


class PolicyPort(Protocol):
    """Makes logics under a policy."""

    version: int
    """The version that the system was started with."""

    def logic(self, actor: ActorName, policy: Document) -> ActorLogic:
        """A new logic with the actor's parameters under the policy. Raises UnusablePolicyError."""
        ...

    def concerns(self, actor: ActorName, before: Document, after: Document) -> bool:
        """Whether the actor's own parameters differ under the two. Raises UnusablePolicyError."""
        ...


class PolicyWatchPort(Protocol):
    """The versions that are recorded while the system runs, for the orchestrator."""

    def newer(self) -> PolicyRecorded | None:
        """The newest version, if it is newer than any that this has returned and than the system's start.

        Raises:
            UnusablePolicyError: it is one that this program cannot use; raised once per version.
            StoreUnavailableError: the database cannot be read now.
        """
        ...

    def record(self, after: int, policy: Mapping[str, Any], who: str, reason: str, origin: str) -> bool:
        """Append the version that follows `after`; False when that is not the newest one any more.

        Raises StoreUnavailableError: not recorded as far as known.
        """
        ...
