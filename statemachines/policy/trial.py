"""What a change of the policy would do now (RM-6): orders refused and capital moved, by the same rules as in service.

Everything is decided on durable rows as they are; nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from statemachines.actor_logic import StateRow
from statemachines.execution.logic import OrderManagerLogic
from statemachines.execution.orders.parent_order import ParentOrders
from statemachines.messages.accounts import Portfolio
from statemachines.messages.orders import Intent
from statemachines.orchestration.allocation.moves import EngineMove
from statemachines.orchestration.capital import NORMAL, Capital
from statemachines.orchestration.logic import DIALECT as ORCHESTRATORS
from statemachines.orchestration.logic import GLOBAL, OrchestratorLogic
from statemachines.orchestration.parameters import OrchestratorParameters
from statemachines.risk.logic import RiskManagerLogic
from statemachines.risk.order_view import Refusal
from statemachines.values import ActorName

Rows = Mapping[str, StateRow]


class RefusedOrder(NamedTuple):
    """An order under way that the change would refuse, and why."""

    intent: Intent
    refusals: Sequence[Refusal]


def open_intents(rows: Rows) -> list[Intent]:
    """The approved intents that have not ended, from the order manager's rows, with the quantity that is left.

    Raises:
        UnreadableRowError: the rows are of another version of the program.
    """
    parents = ParentOrders(0)
    parents.restore(OrderManagerLogic.dialect.read(ActorName.ORDER_MANAGER, rows))
    return [
        parent.intent.model_copy(update={"quantity": parent.quantity - parent.filled})
        for parent in parents.live()
        if parent.quantity > parent.filled
    ]


def refused_orders(
    before: RiskManagerLogic, after: RiskManagerLogic, intents: Iterable[Intent], now_ms: int
) -> list[RefusedOrder]:
    """The intents that the logic `after` would refuse by a check that `before` does not refuse them by."""
    found = []
    for intent in intents:
        known = {refusal.check for refusal in before.recheck(intent, now_ms)}
        fresh = [refusal for refusal in after.recheck(intent, now_ms) if refusal.check not in known]
        if fresh:
            found.append(RefusedOrder(intent, fresh))
    return found


def capital_rests(rows: Rows) -> str:
    """The state of GLOBAL in which a daily close moves no capital (R2, O6), from the orchestrator's rows; "" in NORMAL.

    Raises:
        UnreadableRowError: the rows are of another version of the program.
    """
    control = ORCHESTRATORS.read(ActorName.ORCHESTRATOR, rows).get("control")
    state = NORMAL if control is None else str(control.data["risk_states"].get(GLOBAL, NORMAL))
    return "" if state == NORMAL else state


def capital_moves(parameters: OrchestratorParameters, rows: Rows) -> list[EngineMove]:
    """What a daily close now would move in a NORMAL state of risk, from the orchestrator's rows; nothing while the
    portfolio is not known.

    Raises:
        UnreadableRowError: the rows are of another version of the program.
    """
    current = ORCHESTRATORS.read(ActorName.ORCHESTRATOR, rows)
    capital = Capital(parameters, "")
    if "portfolio" not in current:
        return []
    if "allocation" in current:
        capital.tracker.restore(current["allocation"].state, current["allocation"].data)
    if "transfers" in current:
        capital.transfers.restore(current["transfers"].data)
    faulted = frozenset(OrchestratorLogic.faulted(current))
    return capital.preview(Portfolio.model_validate(current["portfolio"].data), faulted)
