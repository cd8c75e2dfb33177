"""What a command of the operator would do now (RM-5): read before it is given, nothing is changed.

The states afterwards are those that the risk manager's own machines come to, restored from their rows and given the
command here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, LiteralString

from api.views.arguments import BadValueError, one_of
from api.views.lists import open_orders
from api.views.money import Money
from api.views.reading import Reading, Row
from infra.database.queries import state_row
from statemachines.limits.entry_gate import GLOBAL_SCOPE
from statemachines.limits.operator_actions import ACTIONS, EFFECTS, FLATTEN
from statemachines.limits.operator_scopes import RESTRICTS, SCOPES, allowed_scopes, not_ended, scopes_for, why_not
from statemachines.risk.machine import NO_NEW_RISK, SCOPE_ROWS, RiskMachine, RiskStateName, stricter
from statemachines.state_store import StateDialect
from statemachines.values import ENGINES, SPOT, ActorName

MACHINES: LiteralString = """
SELECT key, state, schema, data FROM machine_states WHERE actor = 'risk-manager' AND key LIKE %(prefix)s"""


class Preview:
    """Raises BadValueError and DatabaseAwayError."""

    def __init__(self, reading: Reading, money: Money) -> None:
        self._reading = reading
        self._queries = reading.queries
        self._money = money

    async def control(self, action: str, scope: str) -> Row:
        """The command's effect on orders, positions and states as they are."""
        one_of("action", action, frozenset(ACTIONS))
        if why := why_not(action, scope):
            raise BadValueError("scope", scope, allowed_scopes(action), why)
        one_of("scope", scope, frozenset(SCOPES))
        found: Row = (await self._reading.rows(lambda: [self._look(action, scope)]))[0]
        return found

    def _look(self, action: str, scope: str) -> Row:
        machines = machines_of(self._queries.rows(MACHINES, prefix=f"{SCOPE_ROWS.prefix}%"))
        return effect_of(action, scope, open_orders(self._queries), self._money.positions_now(), machines)


def machines_of(rows: Sequence[Row]) -> dict[str, RiskMachine]:
    """The risk machine of every scope as its row has it; new where there is none."""
    stored = {row["key"]: state_row(row) for row in rows}
    read = StateDialect(SCOPE_ROWS).read(ActorName.RISK_MANAGER, stored)
    found = {}
    for scope in SCOPES:
        row = read.get(f"{SCOPE_ROWS.prefix}{scope}")
        found[scope] = RiskMachine(scope, 0) if row is None else RiskMachine.from_row(scope, 0, row.state, row.data)
    return found


def effect_of(
    action: str,
    scope: str,
    orders: Sequence[Mapping[str, Any]],
    positions: Sequence[Mapping[str, Any]],
    machines: Mapping[str, RiskMachine],
) -> Row:
    """The effect on what is there. Pure, but for the machines, which take the command."""
    set_to = scopes_for(action, scope)
    engines = [str(engine) for engine in ENGINES if GLOBAL_SCOPE in set_to or str(engine) in set_to]
    before = {one: machines[one].state for one in SCOPES}
    after = {one: _taken(machines[one], action) for one in set_to}
    own = [order for order in orders if order["engine"] in engines]
    left = not_ended(action, scope, {one: str(machines[one].state) for one in SCOPES})
    takes_risk_away = action in RESTRICTS and any(state in NO_NEW_RISK for state in after.values())
    kept = [] if action == FLATTEN else [order for order in own if not takes_risk_away or _only_reduces(order)]
    held = [one for one in positions if one["engine"] in engines]
    return {
        "action": action,
        "scope": scope,
        "effect": _effect(action, left),
        "engines": engines,
        "states": [{"scope": one, "before": before[one], "after": after[one]} for one in set_to],
        "engines_after": [_in_force(engine, machines) for engine in engines],
        "orders_cancelled": [_order(order) for order in own if order not in kept],
        "orders_kept": [_order(order) for order in kept],
        "positions_closed": held if action == FLATTEN else [],
        "positions_kept": [] if action == FLATTEN else held,
        "ends_by": _ends_by(list(after.values())),
    }


def _effect(action: str, left: str) -> str:
    if not left:
        return EFFECTS[action]
    return f"{EFFECTS[action]}; not ended by it: {left} (each ends by a command for its own scope)"


def _taken(machine: RiskMachine, action: str) -> RiskStateName:
    """The state that the command leads to. What the machine would note is not kept: nothing happens."""
    _ = machine.operator(action, "operator", "a preview", 0)
    return machine.state


def _in_force(engine: str, machines: Mapping[str, RiskMachine]) -> Row:
    """RM-2: the stricter of GLOBAL and the engine's own, and whose it is."""
    state = reduce(stricter, (machines[one].state for one in (GLOBAL_SCOPE, engine)))
    scope = engine if machines[engine].state is state and state is not RiskStateName.NORMAL else GLOBAL_SCOPE
    return {"engine": engine, "state": state, "scope": scope}


def _only_reduces(order: Mapping[str, Any]) -> bool:
    """A stop or another reduce-only order, or a sale of coins: what only makes smaller is never cancelled."""
    return bool(order["reduce_only"]) or (order["category"] == SPOT and order["side"] == "Sell")


def _ends_by(states: Sequence[RiskStateName]) -> str:
    """The command that ends the strictest of these states; "" where none does."""
    worst = reduce(stricter, states, RiskStateName.NORMAL)
    if worst is RiskStateName.PAUSED:
        return "resume or normal"
    return "normal" if worst in NO_NEW_RISK else ""


def _order(order: Mapping[str, Any]) -> Row:
    names = ("client_order_id", "engine", "symbol", "side", "order_type", "quantity", "price", "trigger_price", "state")
    return {name: order[name] for name in names}
