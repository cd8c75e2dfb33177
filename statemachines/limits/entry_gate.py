"""RM-2, RM-3, F11: when new risk may be taken. Used by the engines, the daily cycle and the risk manager."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from statemachines.values import ActorName

ENTRY_STATES: frozenset[str] = frozenset({"NORMAL", "CAUTION"})
"""States in which new risk may be taken; in the others only cancels and reductions pass (RM-5)."""


GLOBAL_SCOPE = "GLOBAL"
"""The scope of the whole system."""


class ScopeState(NamedTuple):
    """One scope (GLOBAL or an engine): its risk state, and the end of its entry block."""

    scope: str
    state: str
    blocked_until_ms: int | None = None

    @property
    def is_barred_by_state(self) -> bool:
        """RM-2: the state itself permits no new risk."""
        return not permits_entries(self.state)


def scopes_of(engine: ActorName | str) -> tuple[str, str]:
    """The scopes whose states apply to an engine (RM-2)."""
    return GLOBAL_SCOPE, str(engine)


def permits_entries(state: str) -> bool:
    """Whether new risk may be taken in this risk state (RM-2)."""
    return state in ENTRY_STATES


def is_blocked(until_ms: int | None, at_ms: int) -> bool:
    """RM-3, F11: whether the block after a one-day fall is still in force; its end is excluded."""
    return until_ms is not None and at_ms < until_ms


def barring_scope(scopes: Iterable[ScopeState], at_ms: int) -> ScopeState | None:
    """The first scope that forbids new risk at `at_ms`; None when every one permits it."""
    for one in scopes:
        if one.is_barred_by_state or is_blocked(one.blocked_until_ms, at_ms):
            return one
    return None


def caution_factor(states: Iterable[str], factor: Decimal) -> Decimal:
    """R2: the factor on the size of an entry under these states, where an engine is given the states alone."""
    return factor if any(state == "CAUTION" for state in states) else Decimal(1)


def entry_size_factor(factors: Iterable[Decimal]) -> Decimal:
    """RM-3: the factor on the size of an entry: the smallest factor in force, never above 1."""
    return min((Decimal(1), *factors))
