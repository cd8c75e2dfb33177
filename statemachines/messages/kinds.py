"""Every kind of message by its name, and the only parser of bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from statemachines.messages import accounts, control, market, orders
from statemachines.messages.envelope import Body
from statemachines.messages.orders import ORDER_CHECKS, IntentDone, IntentEnded, OrderDenied, OrderRejected


def _all_kinds(base: type[Body]) -> dict[str, type[Body]]:
    kinds: dict[str, type[Body]] = {}
    for body in base.__subclasses__():
        if "KIND" in vars(body):
            kinds[body.KIND] = body
        kinds.update(_all_kinds(body))
    return kinds


DOMAINS = (market, orders, accounts, control)
"""The modules that define message kinds; a body defined elsewhere is not a message."""

BODIES: dict[str, type[Body]] = {
    kind: body for kind, body in _all_kinds(Body).items() if body.__module__ in {one.__name__ for one in DOMAINS}
}


Wire = tuple[str, dict[str, Any]]
"""Kind and body of a message as it is stored."""


def _denied_1(data: dict[str, Any]) -> Wire:
    return OrderDenied.KIND, data


def _intent_done_1(data: dict[str, Any]) -> Wire:
    """Version 1 used one message for every end of an intent, with a refusal's cause even where nothing was refused."""
    outcome, refusal = data.get("outcome"), {"refusal", "refusal_code"}
    if outcome == "REJECTED":
        return OrderRejected.KIND, {name: value for name, value in data.items() if name != "outcome"}
    if outcome == "DENIED":
        kept = {name: data[name] for name in IntentEnded.model_fields if name in data}
        return OrderDenied.KIND, kept | {
            "reasons": [f"{ORDER_CHECKS}: {data.get('reason', '')}"],
            "checks": [ORDER_CHECKS],
        }
    return IntentDone.KIND, {name: value for name, value in data.items() if name not in refusal}


UPCASTERS: dict[str, Callable[[dict[str, Any]], Wire]] = {"denied": _denied_1, "intent_done": _intent_done_1}
"""Upcasters for bodies that an earlier version may have left unacknowledged in an outbox, by their former kind."""


def parse_body(kind: str, data: dict[str, Any]) -> Body:
    """The body of a wire message, including one stored by an earlier version.

    Raises:
        ValueError: the kind is not known, or a field is missing, unknown or of the wrong type.
    """
    upcast = UPCASTERS.get(kind)
    if upcast is not None:
        kind, data = upcast(data)
    model = BODIES.get(kind)
    if model is None:
        raise ValueError(f"message kind {kind!r} is not known; allowed: {sorted(BODIES)}")
    return model.model_validate(data)
