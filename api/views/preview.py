"""What a command of the operator would do now (RM-5): read before it is given, nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from api.views.arguments import BadValueError, one_of
from api.views.lists import open_orders
from api.views.positions import position_views
from api.views.reading import Reading, Row
from infra.database.reading import money
from statemachines.limits.entry_gate import GLOBAL_SCOPE
from statemachines.limits.operator_actions import ACTIONS, EFFECTS, FLATTEN
from statemachines.limits.operator_scopes import RESTRICTS, SCOPES, allowed_scopes, scopes_for, why_not
from statemachines.risk.machine import STRICTNESS
from statemachines.values import ENGINES, SPOT

ZERO = Decimal(0)


class Preview:
    """Raises BadValueError and DatabaseAwayError."""

    def __init__(self, reading: Reading, open_states: Sequence[str]) -> None:
        self._reading = reading
        self._queries = reading.queries
        self._open_states = list(open_states)

    async def control(self, action: str, scope: str) -> Row:
        """The command's effect on orders, positions and states as they are."""
        one_of("action", action, frozenset(ACTIONS))
        if why := why_not(action, scope):
            raise BadValueError("scope", scope, allowed_scopes(action), why)
        one_of("scope", scope, frozenset(SCOPES))
        found: Row = (await self._reading.rows(lambda: [self._look(action, scope)]))[0]
        return found

    def _look(self, action: str, scope: str) -> Row:
        positions = position_views(
            self._queries.positions(),
            self._queries.portfolio(),
            self._queries.rows(money.STOPS, states=self._open_states),
            self._queries.rows(money.INSTRUMENTS),
        )
        states = {row["scope"]: row["state"] for row in self._queries.switches()}
        return effect_of(action, scope, open_orders(self._queries), positions, states)


def effect_of(
    action: str,
    scope: str,
    orders: Sequence[Mapping[str, Any]],
    positions: Sequence[Mapping[str, Any]],
    states: Mapping[str, str],
) -> Row:
    """The effect on what is there. Pure; `states` are those in force by scope, NORMAL where there is none."""
    set_to = scopes_for(action, scope)
    engines = {str(engine) for engine in ENGINES} if GLOBAL_SCOPE in set_to else set(set_to)
    restricts = RESTRICTS.get(action)
    own = [order for order in orders if order["engine"] in engines]
    kept = [order for order in own if restricts is None or _only_reduces(order)]
    held = [one for one in positions if one["engine"] in engines]
    return {
        "action": action,
        "scope": scope,
        "effect": EFFECTS[action],
        "engines": sorted(engines),
        "states": [
            {"scope": one, "before": states.get(one, "NORMAL"), "after": _after(action, states.get(one, "NORMAL"))}
            for one in set_to
        ],
        "orders_cancelled": [_order(order) for order in own if order not in kept],
        "orders_kept": [_order(order) for order in kept],
        "positions_closed": held if action == FLATTEN else [],
        "positions_kept": [] if action == FLATTEN else held,
        "ends_by": _ends_by(action),
    }


def _only_reduces(order: Mapping[str, Any]) -> bool:
    """A stop or another reduce-only order, or a sale of coins: what only makes smaller is never cancelled."""
    return bool(order["reduce_only"]) or (order["category"] == SPOT and order["side"] == "Sell")


def _after(action: str, before: str) -> str:
    """RM-2: a command makes no state less strict, but for `normal`, and `resume`, which ends a pause."""
    if action == "normal" or (action == "resume" and before == "PAUSED"):
        return "NORMAL"
    return str(max(before, RESTRICTS.get(action, before), key=STRICTNESS.index))


def _ends_by(action: str) -> str:
    if action not in RESTRICTS:
        return ""
    return "resume or normal" if action == "pause" else "normal"


def _order(order: Mapping[str, Any]) -> Row:
    names = ("client_order_id", "engine", "symbol", "side", "order_type", "quantity", "price", "trigger_price", "state")
    return {name: order[name] for name in names}
