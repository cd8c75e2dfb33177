"""The risk manager: pre-trade checks, drawdown, switches, the portfolio (RM-1 to RM-6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.runtime.actor import Actor
from actors.runtime.spec import ActorSpec, MachineSpec, Stage
from statemachines.messages.accounts import (
    BalancesKnown,
    FundingPaid,
    Portfolio,
    Reconciled,
    StakingForgone,
    TransferEnded,
)
from statemachines.messages.control import (
    AssessRisk,
    ComponentChanged,
    FlatnessRead,
    FlatnessWanted,
    FlattenOrdered,
    OperatorCommand,
    ReadingChanged,
    RiskAssessed,
    RiskState,
)
from statemachines.messages.market import (
    BarsClosed,
    DataUnusable,
    DayClosed,
    FundingSettled,
    InstrumentsKnown,
    InsuranceSeen,
    WithdrawalsSeen,
)
from statemachines.messages.orders import (
    Approved,
    Fill,
    Intent,
    IntentDone,
    MoveStop,
    OrderDenied,
    OrderRejected,
    Withdraw,
)
from statemachines.values import ActorName

if TYPE_CHECKING:
    from statemachines.actor_logic import ActorLogic
    from statemachines.fsm import Table
    from statemachines.risk.parameters import RiskParameters


class RiskManager(Actor):
    """Pre-trade checks, drawdown, switches, the portfolio."""


def _logic(parameters: RiskParameters, _installation: str) -> ActorLogic:
    from statemachines.risk.logic import RiskManagerLogic

    return RiskManagerLogic(parameters)


def _table() -> Table[Any]:
    from statemachines.risk.machine import RISK_TABLE

    return RISK_TABLE


def _switch_table() -> Table[Any]:
    from statemachines.risk.readings.switch_machine import SWITCH_TABLE

    return SWITCH_TABLE


def _flatten_table() -> Table[Any]:
    from statemachines.risk.operator.flatten_machine import FLATTEN_TABLE

    return FLATTEN_TABLE


def _verdict_table() -> Table[Any]:
    from statemachines.risk.intent_verdict import VERDICT_TABLE

    return VERDICT_TABLE


SPECS = (
    ActorSpec(
        name=ActorName.RISK_MANAGER,
        about="The risk manager: pre-trade checks, drawdown, switches, the portfolio (RM-1).",
        stage=Stage.RISK,
        turn=20,
        section="risk",
        logic=_logic,
        actor_class=RiskManager,
        subscribes=(
            BarsClosed,
            DayClosed,
            FundingSettled,
            InsuranceSeen,
            WithdrawalsSeen,
            DataUnusable,
            InstrumentsKnown,
            Intent,
            Withdraw,
            MoveStop,
            Fill,
            IntentDone,
            OrderDenied,
            OrderRejected,
            FundingPaid,
            BalancesKnown,
            StakingForgone,
            Reconciled,
            TransferEnded,
            AssessRisk,
            ComponentChanged,
            ReadingChanged,
            OperatorCommand,
            FlatnessRead,
        ),
        sends=(
            Approved,
            OrderDenied,
            Withdraw,
            MoveStop,
            Portfolio,
            RiskState,
            RiskAssessed,
            FlattenOrdered,
            FlatnessWanted,
        ),
        machines=(
            MachineSpec(
                name="flatten",
                about="RM-5, R3: making an engine that holds derivatives flat, proven by the exchange's own lists.",
                table=_flatten_table,
                rows="flatten:",
            ),
            MachineSpec(
                name="risk", about="RM-2: one machine for the whole system (GLOBAL) and one per engine.", table=_table
            ),
            MachineSpec(
                name="switch",
                about="RM-4: one automatic switch, from its readings to its trip.",
                table=_switch_table,
                rows=None,
            ),
            MachineSpec(
                name="intent",
                about="RM-1: the verdict of the risk manager on an intent.",
                table=_verdict_table,
                rows=None,
            ),
        ),
    ),
)
