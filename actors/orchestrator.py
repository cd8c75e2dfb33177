"""The orchestrator as the other actors see it; its class, which supervises them, is in `orchestrator/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.runtime.spec import ActorSpec, MachineSpec, Stage
from statemachines.messages.accounts import (
    CapitalFreed,
    FreeCapital,
    FundingPaid,
    Portfolio,
    Reconciled,
    TransferEnded,
    TransferOrdered,
    TransferWanted,
)
from statemachines.messages.control import (
    AssessRisk,
    ComponentAlert,
    ComponentChanged,
    CycleDone,
    OperatorCommand,
    ParametersChanged,
    ReadingChanged,
    RiskAssessed,
    RiskState,
    RunCycle,
)
from statemachines.messages.market import DayClosed
from statemachines.messages.orders import Fill, IntentDone, OrderDenied, OrderRejected
from statemachines.values import ActorName

if TYPE_CHECKING:
    from statemachines.actor_logic import ActorLogic
    from statemachines.fsm import Table
    from statemachines.orchestration.parameters import OrchestratorParameters


def _logic(parameters: OrchestratorParameters, installation: str) -> ActorLogic:
    from statemachines.orchestration.logic import OrchestratorLogic

    return OrchestratorLogic(parameters, installation)


def _cycle_table() -> Table[Any]:
    from statemachines.orchestration.daily_cycle import CYCLE_TABLE

    return CYCLE_TABLE


def _component_table() -> Table[Any]:
    from statemachines.supervision.life import COMPONENT_TABLE

    return COMPONENT_TABLE


def _regime_table() -> Table[Any]:
    from statemachines.orchestration.allocation.regime_machine import REGIME_TABLE

    return REGIME_TABLE


def _movement_table() -> Table[Any]:
    from statemachines.orchestration.transfers.movement import MOVEMENT_TABLE

    return MOVEMENT_TABLE


def _policy_table() -> Table[Any]:
    from statemachines.policy.machine import POLICY_TABLE

    return POLICY_TABLE


def _delivery_table() -> Table[Any]:
    from statemachines.orchestration.policy_delivery import DELIVERY_TABLE

    return DELIVERY_TABLE


def _dead_man_table() -> Table[Any]:
    from statemachines.deadman.machine import DEAD_MAN_TABLE

    return DEAD_MAN_TABLE


SPECS = (
    ActorSpec(
        name=ActorName.ORCHESTRATOR,
        about="The orchestrator: supervision, recovery, daily cycle, transfers, lockstep (OR-3, OR-8).",
        stage=Stage.ORCHESTRATOR,
        turn=1_000,  # the daily cycle last
        waits_for=(),
        section="orchestrator",
        logic=_logic,
        subscribes=(
            DayClosed,
            Fill,
            IntentDone,
            OrderDenied,
            OrderRejected,
            FundingPaid,
            Reconciled,
            Portfolio,
            RiskState,
            RiskAssessed,
            CycleDone,
            TransferWanted,
            CapitalFreed,
            TransferEnded,
            ComponentAlert,
        ),
        sends=(
            AssessRisk,
            RunCycle,
            FreeCapital,
            TransferOrdered,
            ComponentChanged,
            ReadingChanged,
            OperatorCommand,
            ParametersChanged,
        ),
        machines=(
            MachineSpec(name="daily-cycle", about="OR-3: one cycle per market day.", table=_cycle_table),
            MachineSpec(
                name="component",
                about="OR-8, OR-9: the life cycle of every supervised component.",
                table=_component_table,
                rows=None,
            ),
            MachineSpec(
                name="movement",
                about="OR-6: every movement of capital between accounts, from its request to its booking.",
                table=_movement_table,
                rows=None,
            ),
            MachineSpec(
                name="regime",
                about="OR-2: the regime of the market that rules the engines' weights.",
                table=_regime_table,
                rows="allocation",
            ),
            MachineSpec(
                name="policy-delivery",
                about="RM-6: a version of the policy goes to every actor between two daily cycles.",
                table=_delivery_table,
                rows="policy-delivery",
            ),
            MachineSpec(
                name="policy",
                about="RM-6: the version of the policy that an actor decides by; every actor has one.",
                table=_policy_table,
                rows=None,
            ),
            MachineSpec(
                name="dead-man-switch",
                about="RM-4: a process of its own that listens to the orchestrator's beats.",
                table=_dead_man_table,
                rows=None,
            ),
        ),
    ),
)
