"""CORE-HODL: accumulates, holds and rebalances BTC and ETH (CH-1 to CH-11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.runtime.actor import Actor
from actors.runtime.spec import EVERY_ENGINE, EVERY_ENGINES_OWN, ActorSpec, MachineSpec, Stage
from statemachines.messages.accounts import CapitalFreed, EarnKnown, StakingForgone, StakingOrdered, StakingReported
from statemachines.messages.control import CycleDone
from statemachines.messages.orders import Intent, Withdraw
from statemachines.values import ActorName

if TYPE_CHECKING:
    from statemachines.actor_logic import ActorLogic
    from statemachines.core_hodl.parameters import CoreHodlParameters
    from statemachines.fsm import Table


class CoreHodl(Actor):
    """Engine 1."""


def _parameters() -> CoreHodlParameters:
    from statemachines.core_hodl.parameters import CoreHodlParameters

    return CoreHodlParameters()


def _logic(parameters: CoreHodlParameters, _installation: str) -> ActorLogic:
    from statemachines.core_hodl.engine import CoreHodlEngine

    return CoreHodlEngine(parameters)


def _table() -> Table[Any]:
    from statemachines.core_hodl.machine import TABLE

    return TABLE


def _day_table() -> Table[Any]:
    from statemachines.core_hodl.machine import DAY_TABLE

    return DAY_TABLE


SPECS = (
    ActorSpec(
        name=ActorName.CORE_HODL,
        about="CORE-HODL: accumulates BTC and ETH (CH-1).",
        stage=Stage.ENGINES,
        turn=60,
        section="engines.core_hodl",
        parameters=_parameters,
        logic=_logic,
        actor_class=CoreHodl,
        subscribes=EVERY_ENGINE,
        subscribes_own=(*EVERY_ENGINES_OWN, EarnKnown, StakingReported),
        sends=(Intent, Withdraw, StakingOrdered, StakingForgone, CapitalFreed, CycleDone),
        machines=(
            MachineSpec(
                name="core-hodl",
                about="CH-5: the engine that builds, holds and rebalances BTC and ETH.",
                table=_table,
            ),
            MachineSpec(
                name="core-hodl-day",
                about="O7: the decisions of one day, stage after stage.",
                table=_day_table,
                rows=None,
            ),
        ),
    ),
)
