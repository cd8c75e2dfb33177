"""RM-5, R3: which scopes an operator's action is for, and which of them it sets to which state."""

from __future__ import annotations

from statemachines.limits.entry_gate import GLOBAL_SCOPE
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
