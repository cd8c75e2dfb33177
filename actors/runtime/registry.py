"""The specs of all actors, found in the files of `actors/`: each states `SPECS`, and no other place lists actors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import actors
from actors.runtime.spec import ActorSpec, MachineSpec, Stage
from statemachines.actor_logic import ActorLogic
from statemachines.fsm import Table
from statemachines.messages.accounts import CapitalFreed, FreeCapital
from statemachines.messages.control import CycleDone, RunCycle
from statemachines.messages.kinds import BODIES
from statemachines.values import IDENTITY_OF, ActorName


def checked(found: Iterable[ActorSpec]) -> tuple[ActorSpec, ...]:
    """The specs in their start order.

    Raises:
        ValueError: an actor has no spec or two, two actors share a turn, a section or a machine's name, or a spec
            contradicts itself; the sentence names actor, field, value and what is allowed.
    """
    specs = tuple(sorted(found, key=lambda spec: spec.order))
    names = [spec.name for spec in specs]
    for name in ActorName:
        if names.count(name) != 1:
            raise ValueError(f"actor {name} has {names.count(name)} specs in actors/; each actor needs exactly one")
    for field in ("turn", "section"):
        values = [getattr(spec, field) for spec in specs if spec.logic is not None]
        for spec in specs:
            if values.count(getattr(spec, field)) > 1:
                shown = f"{field} {getattr(spec, field)} of {spec.name}"
                raise ValueError(f"{shown} is also another actor's; each needs its own")
    machines: dict[str, MachineSpec] = {}
    for spec in specs:
        problem = _contradiction(spec, names)
        if problem:
            raise ValueError(f"the spec of {spec.name}: {problem}")
        for machine in spec.machines:
            if machines.setdefault(machine.name, machine) is not machine:
                shown = f"machine {machine.name!r} is also another actor's"
                raise ValueError(f"the spec of {spec.name}: {shown}; it needs a name of its own")
    return specs


def _contradiction(spec: ActorSpec, names: Sequence[ActorName]) -> str:
    """What a spec says that cannot be, as a clause; "" for none. `names` are all actors in their start order."""
    for field in ("subscribes", "subscribes_own", "sends"):
        for kind in getattr(spec, field):
            if kind not in BODIES.values():
                shown = getattr(kind, "__name__", kind)
                return f"{field} names {shown}; a kind of message of statemachines/messages is required"
    twice = [kind.__name__ for kind in spec.subscribes if kind in spec.subscribes_own]
    if twice:
        return f"{twice[0]} is in subscribes and in subscribes_own; one of them is required"
    for name in spec.waits_for:
        if name not in names:
            return f"waits_for names {name}; allowed: {', '.join(names)}"
        if names.index(name) >= names.index(spec.name):
            return f"it waits for {name}, which starts after it"
    if not spec.about:
        return "about is empty; a sentence is required"
    is_engine = spec.account is not None
    if is_engine != (spec.stage is Stage.ENGINES):
        return f"it has stage {spec.stage.name}; engines, and they alone, have stage ENGINES"
    if spec.actor_class is None and spec.name not in CLASSES_ABOVE:
        return "actor_class is missing; the class that Ray runs is required"
    if spec.logic is None:
        return "" if spec.name in WITHOUT_LOGIC else f"logic is missing; only {' and '.join(WITHOUT_LOGIC)} have none"
    if not spec.section:
        return "section is missing; the name of its section of the configuration is required"
    if is_engine and spec.parameters is None:
        return "parameters are missing; the defaults of its section are required"
    is_run_daily = is_engine and IDENTITY_OF[spec.name].is_in_daily_cycle
    if is_run_daily and RunCycle not in spec.subscribes_own:
        return "subscribes_own lacks RunCycle; an engine takes part in the daily cycle (OR-3)"
    if is_run_daily and CycleDone not in spec.sends:
        return "sends lacks CycleDone; an engine ends its part of the daily cycle (OR-3)"
    if is_engine and not (FreeCapital in spec.subscribes_own and CapitalFreed in spec.sends):
        return "it lacks FreeCapital or CapitalFreed; an engine gives capital when it is asked to (OR-2, OR-4)"
    return ""


WITHOUT_LOGIC = (ActorName.API, ActorName.NOTIFIER)
"""Actors that take no messages of other actors and no part in lockstep: ways in and out."""

CLASSES_ABOVE = (ActorName.ORCHESTRATOR, ActorName.API)
"""Actors whose Ray class is of a layer above this one."""


def make_logic(name: ActorName, parameters: Any, installation_id: str) -> ActorLogic:
    """The logic of an actor; `installation_id` begins order and transfer ids (EX-5).

    Raises:
        TypeError: what the spec makes is no logic, or another actor's.
    """
    make = SPEC_OF[name].logic
    assert make is not None, f"{name} has no logic"
    made = make(parameters, installation_id)
    members = {*vars(ActorLogic), *ActorLogic.__annotations__}
    missing = sorted(one for one in members if not one.startswith("_") and not hasattr(made, one))
    if missing:
        raise TypeError(f"the logic of {name} lacks {', '.join(missing)} (statemachines/actor_logic.py)")
    if made.name != name:
        raise TypeError(f"the logic of {name} has the name {made.name!r}; {str(name)!r} is required")
    return made


def _found() -> Iterable[ActorSpec]:
    for module in iter_modules(actors.__path__):
        if not module.ispkg:
            specs = getattr(import_module(f"{actors.__name__}.{module.name}"), "SPECS", None)
            if specs is None:
                raise ValueError(f"actors/{module.name}.py states no SPECS; each file there states its actors' specs")
            yield from specs


SPECS: tuple[ActorSpec, ...] = checked(_found())
"""All actors in their start order."""

SPEC_OF: dict[ActorName, ActorSpec] = {spec.name: spec for spec in SPECS}

START_ORDER: tuple[ActorName, ...] = tuple(spec.name for spec in SPECS if spec.logic is not None)
"""The durable actors in the order in which they start."""

FURTHER: tuple[ActorName, ...] = tuple(spec.name for spec in SPECS if spec.logic is None)
"""Supervised actors without a logic (API, notifier); they start last."""

TURN_ORDER: tuple[ActorName, ...] = tuple(spec.name for spec in sorted(SPECS, key=lambda spec: spec.turn))
"""Who acts first when several deadlines fall on one instant."""

MACHINES: dict[str, MachineSpec] = {
    machine.name: machine for spec in sorted(SPECS, key=lambda spec: spec.account is None) for machine in spec.machines
}
"""The machines of all actors by name, the engines' first; actors that run the same one share it."""

MACHINE_OF: dict[ActorName, str] = {
    spec.name: machine.name for spec in SPECS for machine in spec.machines[:1] if machine.rows == ""
}
"""The machine that shows what an actor does, where its rows are all of one kind."""


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
