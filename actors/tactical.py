"""TACTICAL: deploys cash in a panic and returns the proceeds to CORE-HODL (TA-1 to TA-11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.runtime.actor import Actor
from actors.runtime.spec import EVERY_ENGINE, EVERY_ENGINES_OWN, ActorSpec, MachineSpec, Stage
from statemachines.messages.accounts import CapitalFreed, TransferWanted
from statemachines.messages.control import CycleDone
from statemachines.messages.market import FundingSettled
from statemachines.messages.orders import Intent, Withdraw
from statemachines.values import ActorName

if TYPE_CHECKING:
    from statemachines.actor_logic import ActorLogic
    from statemachines.fsm import Table
    from statemachines.tactical.parameters import TacticalParameters


class Tactical(Actor):
    """Engine 4."""


def _parameters() -> TacticalParameters:
    from statemachines.tactical.parameters import TacticalParameters

    return TacticalParameters()


def _logic(parameters: TacticalParameters, _installation: str) -> ActorLogic:
    from statemachines.tactical.engine import TacticalEngine

    return TacticalEngine(parameters)


def _table() -> Table[Any]:
    from statemachines.tactical.machine import TABLE

    return TABLE


def _return_table() -> Table[Any]:
    from statemachines.tactical.machine import RETURN_TABLE

    return RETURN_TABLE


SPECS = (
    ActorSpec(
        name=ActorName.TACTICAL,
        about="TACTICAL: deploys cash in a panic (TA-1).",
        stage=Stage.ENGINES,
        turn=70,
        section="engines.tactical",
        parameters=_parameters,
        logic=_logic,
        actor_class=Tactical,
        subscribes=(*EVERY_ENGINE, FundingSettled),
        subscribes_own=EVERY_ENGINES_OWN,
        sends=(Intent, Withdraw, TransferWanted, CapitalFreed, CycleDone),
        machines=(
            MachineSpec(name="tactical", about="TA-11: one machine per deployment of TACTICAL.", table=_table),
            MachineSpec(
                name="tactical-return",
                about="TA-6: one transfer of a deployment to CORE-HODL.",
                table=_return_table,
                rows=None,
            ),
        ),
    ),
)
