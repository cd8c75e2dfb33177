"""The specs of all actors, found in the files of `actors/`: each states `SPECS`, and no other place lists actors."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import actors
from actors.runtime.spec import ActorSpec, MachineSpec, Stage
from statemachines.fsm import Table
from statemachines.values import ActorName


def checked(found: Iterable[ActorSpec]) -> tuple[ActorSpec, ...]:
    """The specs in their start order.

    Raises:
        ValueError: an actor has no spec or two, two actors have the same turn, or an engine's file is in another stage.
    """
    specs = tuple(sorted(found, key=lambda spec: spec.order))
    names = [spec.name for spec in specs]
    for name in ActorName:
        if names.count(name) != 1:
            raise ValueError(f"actor {name} has {names.count(name)} specs in actors/; each actor needs exactly one")
    turns = [spec.turn for spec in specs]
    for spec in specs:
        if turns.count(spec.turn) != 1:
            raise ValueError(f"turn {spec.turn} of {spec.name} is also another actor's; each needs its own")
        if (spec.account is not None) != (spec.stage is Stage.ENGINES):
            raise ValueError(f"{spec.name} has stage {spec.stage.name}; engines, and they alone, have stage ENGINES")
        late = [name for name in spec.waits_for if names.index(name) >= names.index(spec.name)]
        if late:
            raise ValueError(f"{spec.name} waits for {late[0]}, which starts after it")
    return specs


def _found() -> Iterable[ActorSpec]:
    for module in iter_modules(actors.__path__):
        if not module.ispkg:
            yield from import_module(f"{actors.__name__}.{module.name}").SPECS


SPECS: tuple[ActorSpec, ...] = checked(_found())
"""All actors in their start order."""

SPEC_OF: dict[ActorName, ActorSpec] = {spec.name: spec for spec in SPECS}

START_ORDER: tuple[ActorName, ...] = tuple(spec.name for spec in SPECS if spec.logic is not None)
"""The durable actors in the order in which they start."""

FURTHER: tuple[ActorName, ...] = tuple(spec.name for spec in SPECS if spec.logic is None)
"""Supervised actors without a logic (the API); they start last."""

TURN_ORDER: tuple[ActorName, ...] = tuple(spec.name for spec in sorted(SPECS, key=lambda spec: spec.turn))
"""Who acts first when several deadlines fall on one instant."""

MACHINES: dict[str, MachineSpec] = {
    machine.name: machine for spec in sorted(SPECS, key=lambda spec: spec.account is None) for machine in spec.machines
}
"""The machines of all actors by name, the engines' first; actors that run the same one share it."""

MACHINE_OF: dict[ActorName, str] = {
    spec.name: machine.name for spec in SPECS for machine in spec.machines[:1] if machine.rows == ""
}
"""The machine that tells what an actor does, where its rows are all of one kind."""


def machine_of_row(actor: ActorName, key: str, state: str) -> str | None:
    """The machine that a durable row follows; None when the row is no machine, so that its state is on no table."""
    machines = SPEC_OF[actor].machines if actor in SPEC_OF else ()
    found = (one for one in machines if one.rows is not None and key.startswith(one.rows))
    return next(
        (one.name for one in found if state in {name for s in one.table().states for name in (s.name, s.value)}), None
    )


def table_of(machine: str) -> Table[Any]:
    """The table of the machine of this name. Raises KeyError for a name that is none."""
    return MACHINES[machine].table()
