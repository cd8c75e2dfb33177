"""TOY-1: counts daily cycles."""

# mypy: disable-error-code="import-not-found, no-any-return"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.runtime.actor import Actor
from actors.runtime.spec import EVERY_ENGINE, EVERY_ENGINES_OWN, ActorSpec, MachineSpec, Stage
from statemachines.messages.accounts import CapitalFreed
from statemachines.messages.control import CycleDone
from statemachines.messages.orders import Intent
from statemachines.values import ActorName

if TYPE_CHECKING:
    from statemachines.actor_logic import ActorLogic
    from statemachines.fsm import Table
    from statemachines.parameters import ParameterModel


class Toy(Actor):
    """A further engine."""


def _parameters() -> ParameterModel:
    from statemachines.toy.parameters import ToyParameters

    return ToyParameters()


def _logic(parameters: Any, _installation: str) -> ActorLogic:
    from statemachines.toy.engine import ToyEngine

    return ToyEngine(parameters)


def _table() -> Table[Any]:
    from statemachines.toy.machine import TOY_TABLE

    return TOY_TABLE


SPECS = (
    ActorSpec(
        name=ActorName("toy-1"),
        about="TOY-1: counts daily cycles (OR-3).",
        stage=Stage.ENGINES,
        turn=80,
        section="engines.toy_1",
        parameters=_parameters,
        logic=_logic,
        actor_class=Toy,
        subscribes=EVERY_ENGINE,
        subscribes_own=EVERY_ENGINES_OWN,
        sends=(Intent, CapitalFreed, CycleDone),
        machines=(MachineSpec(name="toy", about="OR-3: one machine that counts.", table=_table),),
    ),
)
