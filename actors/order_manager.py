"""The order manager: orders, executions, positions, transfers, ledger, reconciliation (EX-1 to EX-7, OR-6, OR-9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.runtime.actor import Actor
from actors.runtime.spec import ActorSpec, MachineSpec, Stage
from statemachines.messages.accounts import (
    BalancesKnown,
    EarnKnown,
    FundingPaid,
    Reconciled,
    StakingOrdered,
    StakingReported,
    TransferEnded,
    TransferOrdered,
)
from statemachines.messages.control import FlatnessRead, FlatnessWanted, OperatorCommand
from statemachines.messages.market import DataUnusable, DayClosed, FiltersRefused, InstrumentsKnown, QuotesSeen
from statemachines.messages.orders import (
    Approved,
    Fill,
    IntentDone,
    IntentWorking,
    MoveRefused,
    OrderDenied,
    OrderRejected,
    PositionUnprotected,
)
from statemachines.values import ActorName

if TYPE_CHECKING:
    from statemachines.actor_logic import ActorLogic
    from statemachines.execution.parameters import OrderParameters
    from statemachines.fsm import Table


class OrderManager(Actor):
    """Orders, executions, positions, ledger."""


def _logic(parameters: OrderParameters, installation: str) -> ActorLogic:
    from statemachines.execution.logic import OrderManagerLogic

    return OrderManagerLogic(installation, parameters)


def _order_table() -> Table[Any]:
    from statemachines.execution.orders.child_order_machine import TABLE

    return TABLE


def _parent_table() -> Table[Any]:
    from statemachines.execution.orders.parent_order_machine import PARENT_TABLE

    return PARENT_TABLE


def _transfer_table() -> Table[Any]:
    from statemachines.execution.orders.transfer_order_machine import TRANSFER_TABLE

    return TRANSFER_TABLE


def _staking_table() -> Table[Any]:
    from statemachines.execution.orders.staking_order_machine import STAKING_TABLE

    return STAKING_TABLE


SPECS = (
    ActorSpec(
        name=ActorName.ORDER_MANAGER,
        about="The order manager: orders, executions, positions, ledger (EX-1, OR-6).",
        stage=Stage.ORDERS,
        turn=10,  # settlement and books before engines
        section="orders",
        logic=_logic,
        actor_class=OrderManager,
        # Withdrawals and moved stops come addressed to it by the risk manager.
        subscribes=(
            Approved,
            TransferOrdered,
            StakingOrdered,
            FlatnessWanted,
            DayClosed,
            InstrumentsKnown,
            QuotesSeen,
        ),
        sends=(
            Fill,
            IntentWorking,
            MoveRefused,
            PositionUnprotected,
            IntentDone,
            OrderDenied,
            OrderRejected,
            FundingPaid,
            BalancesKnown,
            Reconciled,
            TransferEnded,
            EarnKnown,
            StakingReported,
            FiltersRefused,
            DataUnusable,
            FlatnessRead,
            OperatorCommand,
        ),
        machines=(
            MachineSpec(
                name="parent-order",
                about="EX-1, EX-3: the life cycle of every approved intent, above its child orders.",
                table=_parent_table,
                rows="parent:",
            ),
            MachineSpec(
                name="order",
                about="EX-1: the life cycle of every child order (an order at the exchange).",
                table=_order_table,
                rows=None,
            ),
            MachineSpec(
                name="transfer",
                about="OR-6: the life cycle of every transfer at the exchange.",
                table=_transfer_table,
                rows="transfer:",
            ),
            MachineSpec(
                name="staking",
                about="CH-10: the life cycle of every staking order at the exchange.",
                table=_staking_table,
                rows="staking:",
            ),
        ),
    ),
)
