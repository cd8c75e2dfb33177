"""The operator's actions (RM-5, OR-8) and what each of them does, in a sentence. Loads nothing: the command line names
them before it loads anything else."""

from __future__ import annotations

RESET = "reset"
FLATTEN = "flatten"
EFFECTS: dict[str, str] = {
    "pause": "no new risk; open entry orders are cancelled, positions and their stops stay",
    "resume": "ends a pause and nothing else",
    "reduce_only": "no new risk; open entry orders are cancelled; positions and their stops stay; ends by 'normal'",
    "halt": "no new risk until your command 'normal'; open entry orders are cancelled, positions and their stops stay",
    FLATTEN: "a halt that also closes derivatives, and the coins hedged with them, at market; proven at the exchange",
    "normal": "ends every state of its scope; trading begins again and drawdowns are measured anew",
    RESET: "starts a FAULTED component again",
}
ACTIONS = tuple(action for action in EFFECTS if action != RESET)
"""Those that set a risk state; a reset is for a component."""

HISTORY = "history"
LEAST_REASON = 3
"""Characters that a reason has at least."""


def listed() -> str:
    """All actions with what they do, one per line."""
    return "\n".join(f"  {action:<12}{effect}" for action, effect in EFFECTS.items())
