"""The event bus (IF-1): a static table from message kinds to recipients, derived from the specs; no broker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from actors.runtime.registry import SPECS
from actors.runtime.spec import EVERY_ACTOR, ActorSpec
from statemachines.commands import Send
from statemachines.messages.envelope import Body
from statemachines.values import ENGINE_OF, Account, ActorName


class Route(NamedTuple):
    """Who takes a kind, in the start order: all its messages, or those that concern the actor."""

    recipient: ActorName
    is_own: bool


Routes = dict[str, tuple[Route, ...]]


def routes_of(specs: Iterable[ActorSpec]) -> Routes:
    """The table that follows from what the actors subscribe to."""
    found: dict[str, tuple[Route, ...]] = {}
    for spec in specs:
        everyones = EVERY_ACTOR if spec.logic is not None else ()
        for kinds, is_own in ((spec.subscribes, False), (spec.subscribes_own, True), (everyones, False)):
            for kind in kinds:
                found[kind.KIND] = (*found.get(kind.KIND, ()), Route(spec.name, is_own))
    return found


TABLE: Routes = routes_of(SPECS)

MAY_SEND: dict[ActorName, frozenset[str]] = {spec.name: frozenset(kind.KIND for kind in spec.sends) for spec in SPECS}

EPHEMERAL: frozenset[str] = frozenset({"quotes_seen", "quote_frame"})
"""Kinds that are never committed: held in memory only, the newest wins (DESIGN 1)."""


class UnroutableError(Exception):
    """A message that its sender may not send, or that has no recipient: a programming error."""


def recipients(send: Send, sender: ActorName) -> tuple[ActorName, ...]:
    """Who takes this message, in the start order, without the sender.

    Raises:
        UnroutableError: the sender's spec does not name this kind, or it has no subscriber and the command names no
            recipient.
    """
    kind = send.body.KIND
    if kind not in MAY_SEND[sender]:
        raise UnroutableError(f"{sender} sends message kind {kind!r}, which its spec does not name")
    if send.to:
        return send.to
    routes = TABLE.get(kind)
    if routes is None:
        raise UnroutableError(f"message kind {kind!r} of {sender} has no route and names no recipient")
    concerned = _concerned(send.body)
    return tuple(
        route.recipient
        for route in routes
        if route.recipient is not sender and (not route.is_own or route.recipient in concerned)
    )


def _concerned(body: Body) -> frozenset[ActorName]:
    """The actors that the body names, itself or by their accounts."""
    engine = getattr(body, "engine", None)
    if engine is not None:
        return frozenset({ActorName(engine)})
    accounts = (getattr(body, name, None) for name in ("account", "from_account", "to_account"))
    return frozenset(ENGINE_OF[one] for one in accounts if isinstance(one, Account) and one in ENGINE_OF)
