"""FUNDING: collects funding of perpetuals, hedged with spot (FU-1 to FU-10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.runtime.actor import Actor
from actors.runtime.spec import EVERY_ENGINE, EVERY_ENGINES_OWN, ActorSpec, MachineSpec, Stage
from statemachines.messages.accounts import CapitalFreed, TransferWanted
from statemachines.messages.control import CycleDone, FlattenOrdered
from statemachines.messages.market import BarsClosed, FundingSettled, InsuranceSeen, QuotesSeen
from statemachines.messages.orders import Intent, Withdraw
from statemachines.values import ActorName

if TYPE_CHECKING:
    from statemachines.actor_logic import ActorLogic
    from statemachines.fsm import Table
    from statemachines.funding.parameters import FundingParameters


class Funding(Actor):
    """Engine 3."""


def _parameters() -> FundingParameters:
    from statemachines.funding.parameters import FundingParameters

    return FundingParameters()


def _logic(parameters: FundingParameters, _installation: str) -> ActorLogic:
    from statemachines.funding.engine import FundingEngine

    return FundingEngine(parameters)


def _table() -> Table[Any]:
    from statemachines.funding.machine import TABLE

    return TABLE


def _evaluation_table() -> Table[Any]:
    from statemachines.funding.machine import EVALUATION_TABLE

    return EVALUATION_TABLE


SPECS = (
    ActorSpec(
        name=ActorName.FUNDING,
        about="FUNDING: collects funding, hedged with spot (FU-1).",
        stage=Stage.ENGINES,
        turn=50,
        section="engines.funding",
        parameters=_parameters,
        logic=_logic,
        actor_class=Funding,
        subscribes=(*EVERY_ENGINE, BarsClosed, FundingSettled, InsuranceSeen, QuotesSeen),
        subscribes_own=(*EVERY_ENGINES_OWN, FlattenOrdered),
        sends=(Intent, Withdraw, TransferWanted, CapitalFreed, CycleDone),
        machines=(
            MachineSpec(
                name="funding", about="FU-10: one machine per asset, spot long against perpetual short.", table=_table
            ),
            MachineSpec(
                name="funding-evaluation",
                about="F3, F8: the evaluation of one settlement; exits precede entries.",
                table=_evaluation_table,
                rows=None,
            ),
        ),
    ),
)
