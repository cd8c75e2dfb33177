"""TREND: follows trends of the BTC and ETH perpetuals, one actor per sub-account and parameter set (TR-1 to TR-15)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from actors.runtime.actor import Actor
from actors.runtime.spec import EVERY_ENGINE, EVERY_ENGINES_OWN, ActorSpec, MachineSpec, Stage
from statemachines.messages.accounts import CapitalFreed
from statemachines.messages.control import CycleDone, FlattenOrdered, OperatorCommand
from statemachines.messages.market import FundingSettled
from statemachines.messages.orders import Intent, MoveRefused, MoveStop, PositionUnprotected, Withdraw
from statemachines.values import ActorName

if TYPE_CHECKING:
    from statemachines.actor_logic import ActorLogic
    from statemachines.fsm import Table
    from statemachines.trend.parameters import TrendParameters


class Trend(Actor):
    """Engine 2, one actor per sub-account."""


def _trend_1() -> TrendParameters:
    from statemachines.trend.parameters import TREND_1

    return TREND_1


def _trend_2() -> TrendParameters:
    from statemachines.trend.parameters import TREND_2

    return TREND_2


def _logic(name: ActorName, parameters: TrendParameters, _installation: str) -> ActorLogic:
    from statemachines.trend.engine import TrendEngine

    return TrendEngine(name, parameters)


def _table() -> Table[Any]:
    from statemachines.trend.machine import TREND_TABLE

    return TREND_TABLE


def _cycle_table() -> Table[Any]:
    from statemachines.trend.machine import TREND_CYCLE_TABLE

    return TREND_CYCLE_TABLE


_MACHINES = (
    MachineSpec(name="trend", about="TR-15: one machine per asset in TREND-1 and in TREND-2.", table=_table),
    MachineSpec(
        name="trend-cycle",
        about="D1, T7: the decisions of one daily close; exits precede entries.",
        table=_cycle_table,
        rows=None,
    ),
)
_SENDS = (Intent, MoveStop, Withdraw, CapitalFreed, CycleDone, OperatorCommand)

SPECS = (
    ActorSpec(
        name=ActorName.TREND_1,
        about="TREND-1: follows trends with the main parameters (TR-11).",
        stage=Stage.ENGINES,
        turn=30,  # its exits come before the daily cycle (TR-14)
        section="engines.trend_1",
        parameters=_trend_1,
        logic=partial(_logic, ActorName.TREND_1),
        actor_class=Trend,
        subscribes=(*EVERY_ENGINE, FundingSettled),
        subscribes_own=(*EVERY_ENGINES_OWN, MoveRefused, PositionUnprotected, FlattenOrdered),
        sends=_SENDS,
        machines=_MACHINES,
    ),
    ActorSpec(
        name=ActorName.TREND_2,
        about="TREND-2: follows trends with faster averages (TR-11, T9).",
        stage=Stage.ENGINES,
        turn=40,
        section="engines.trend_2",
        parameters=_trend_2,
        logic=partial(_logic, ActorName.TREND_2),
        actor_class=Trend,
        subscribes=(*EVERY_ENGINE, FundingSettled),
        subscribes_own=(*EVERY_ENGINES_OWN, MoveRefused, PositionUnprotected, FlattenOrdered),
        sends=_SENDS,
        machines=_MACHINES,
    ),
)
