"""The event bus (IF-1): a static table from kinds of messages to those who take them; no broker.

`OWNER` stands for the engine a message concerns, found in its body.
"""

from __future__ import annotations

from enum import Enum

from statemachines.commands import Send
from statemachines.messages import Body
from statemachines.values import ENGINE_OF, ENGINES, Account, ActorName


class Concerned(Enum):
    """Recipients that depend on the body."""

    OWNER = "the engine named in the body"
    BOTH_ENGINES = "the engines of both accounts of a transfer"


Recipient = ActorName | Concerned

_ALL = (*ENGINES,)
_RISK = ActorName.RISK_MANAGER
_ORDERS = ActorName.ORDER_MANAGER
_CHIEF = ActorName.ORCHESTRATOR
_OWNER = Concerned.OWNER

TABLE: dict[str, tuple[Recipient, ...]] = {
    "bars_closed": (_RISK, ActorName.FUNDING),
    "day_closed": (_RISK, _ORDERS, *_ALL, _CHIEF),
    "funding_settled": (_RISK, ActorName.TREND_1, ActorName.TREND_2, ActorName.FUNDING, ActorName.TACTICAL),
    "insurance_seen": (_RISK, ActorName.FUNDING),
    "quotes_seen": (_ORDERS, ActorName.FUNDING),
    "data_unusable": (_RISK,),
    "filters_refused": (ActorName.MARKET_DATA,),
    "instruments_known": (_RISK, _ORDERS, *_ALL),
    "intent": (_RISK,),
    "withdraw": (_RISK,),
    "move_stop": (_RISK,),
    "approved": (_ORDERS,),
    "fill": (_RISK, _OWNER, _CHIEF),
    "intent_done": (_RISK, _OWNER, _CHIEF),
    "order_denied": (_RISK, _OWNER, _CHIEF),
    "order_rejected": (_RISK, _OWNER, _CHIEF),
    "intent_working": (_OWNER,),
    "funding_paid": (_RISK, _OWNER, _CHIEF),
    "balances_known": (_RISK, _OWNER),
    "reconciled": (_RISK, _CHIEF),
    "portfolio": (*_ALL, _CHIEF),
    "risk_state": (*_ALL, _CHIEF),
    "assess_risk": (_RISK,),
    "risk_assessed": (_CHIEF,),
    "run_cycle": (_OWNER,),
    "cycle_done": (_CHIEF,),
    "transfer_wanted": (_CHIEF,),
    "transfer_ordered": (_ORDERS,),
    "transfer_ended": (_RISK, Concerned.BOTH_ENGINES, _CHIEF),
    "component_changed": (_RISK,),
    "component_alert": (_CHIEF,),
    "operator_command": (_RISK,),
}

EPHEMERAL: frozenset[str] = frozenset({"quotes_seen", "quote_frame"})
"""Kinds that are never committed: held in memory only, the newest wins (DESIGN 1)."""


class UnroutableError(Exception):
    """A message has no recipient: a programming error, found by the routing test of every kind."""


def recipients(send: Send, sender: ActorName) -> tuple[ActorName, ...]:
    """Who takes this message, in a fixed order, without the sender and without repeats.

    Raises:
        UnroutableError: the kind is in no table and the command names nobody.
    """
    if send.to:
        return send.to
    routes = TABLE.get(send.body.KIND)
    if routes is None:
        raise UnroutableError(f"message kind {send.body.KIND!r} of {sender} has no route and names no recipient")
    found: dict[ActorName, None] = {}
    for route in routes:
        for name in _resolve(route, send.body):
            if name is not sender:
                found[name] = None
    return tuple(found)


def _resolve(route: Recipient, body: Body) -> tuple[ActorName, ...]:
    if isinstance(route, ActorName):
        return (route,)
    if route is Concerned.BOTH_ENGINES:
        accounts = (getattr(body, "from_account", None), getattr(body, "to_account", None))
        return tuple(ENGINE_OF[account] for account in accounts if account in ENGINE_OF)
    engine = getattr(body, "engine", None)
    if engine is not None:
        return (ActorName(engine),)
    account = getattr(body, "account", None)
    return (ENGINE_OF[account],) if isinstance(account, Account) and account in ENGINE_OF else ()
