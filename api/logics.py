"""Which logic runs under which name, for every runtime (Ray, in process, backtest); derived from the specs.

Each factory imports its own logic: an actor's process loads only what it decides with, which is what a restart costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from actors.runtime.registry import SPECS, make_logic
from infra.config import EternalConfig
from statemachines.actor_logic import ActorLogic
from statemachines.values import ActorName


def logics(config: EternalConfig, installation_id: str) -> Mapping[ActorName, Callable[[], ActorLogic]]:
    """Factories of all logics with their parameters; `installation_id` begins order and transfer ids (EX-5)."""
    return {
        spec.name: partial(make_logic, spec.name, config.in_force(spec.section), installation_id)
        for spec in SPECS
        if spec.logic is not None
    }
