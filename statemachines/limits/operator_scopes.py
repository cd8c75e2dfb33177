"""RM-5, R3: which scopes an operator's action is for, and which of them it sets to which state."""

from __future__ import annotations

from collections.abc import Mapping

from statemachines.limits.entry_gate import GLOBAL_SCOPE, permits_entries
from statemachines.values import DERIVATIVE_ENGINES, ENGINES

SCOPES: tuple[str, ...] = (GLOBAL_SCOPE, *(str(engine) for engine in ENGINES))
FLATTEN = "flatten"
"""The action that also closes what is held (R3); the state is HALTED, as after a halt."""

RESTRICTS: dict[str, str] = {"pause": "PAUSED", "reduce_only": "REDUCE_ONLY", "halt": "HALTED", FLATTEN: "HALTED"}
"""The actions that forbid new risk, with the least strict state that is in force after them."""


def allowed_scopes(action: str) -> tuple[str, ...]:
    """The scopes that an action may name: R3 flattens derivatives only."""
    return (GLOBAL_SCOPE, *DERIVATIVE_ENGINES) if action == FLATTEN else SCOPES


def why_not(action: str, scope: str) -> str:
    """Why a scope that exists is not one of this action's, as a sentence; "" when it is, or does not exist."""
    if scope not in SCOPES or scope in allowed_scopes(action):
        return ""
    return f"{scope} holds no derivatives, and flatten closes derivatives only (R3); halt forbids new risk"


def scopes_for(action: str, scope: str) -> tuple[str, ...]:
    """The scopes whose state a command sets; empty when the action is not for this scope. R3: flattening all
    derivatives halts the engines that hold them, and no other."""
    if scope not in allowed_scopes(action):
        return ()
    return DERIVATIVE_ENGINES if action == FLATTEN and scope == GLOBAL_SCOPE else (scope,)


LOOSENS = frozenset({"resume", "normal"})
"""The actions that end states: of their own scope, and of no other."""


def not_ended(action: str, scope: str, states: Mapping[str, str]) -> str:
    """What forbids new risk after a command that ends states, by a scope that it is not for; "" when there is nothing.
    `states`: state by scope; GLOBAL applies to every engine, and an engine's own state outlives that of GLOBAL (RM-2).
    """
    if action not in LOOSENS:
        return ""
    others = [one for one in SCOPES if one != scope and GLOBAL_SCOPE in (one, scope)]
    left = [f"{one} {states[one]}" for one in others if not permits_entries(states.get(one, "NORMAL"))]
    return ", ".join(left)
