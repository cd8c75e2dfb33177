"""How far a credential reaches."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """Each scope includes those before it."""

    READ = "read"
    """See everything."""
    CONTROL = "control"
    """Give the operator's commands (RM-5)."""
    ADMIN = "admin"
    """Decide who has access; the file `api-token` of the data folder has this scope."""

    def covers(self, needed: Scope) -> bool:
        """Whether this scope includes `needed`."""
        order = tuple(Scope)
        return order.index(self) >= order.index(needed)
