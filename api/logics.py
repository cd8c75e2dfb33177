"""Which logic runs under which name and policy, for every runtime (Ray, in process, backtest); derived from the specs.

Each factory imports its own logic: an actor's process loads only what it decides with, which is what a restart costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from actors.runtime.policies.ports import Document, UnusablePolicyError
from actors.runtime.registry import SPEC_OF, SPECS, make_logic
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


class PolicyLogics:
    """Implements `actors.runtime.policies.ports.PolicyPort` on a configuration: the one that the system was started
    with, under the policy of `version`."""

    def __init__(self, config: EternalConfig, installation_id: str, version: int) -> None:
        self._config = config
        self._installation_id = installation_id
        self.version = version

    def logic(self, actor: ActorName, policy: Document) -> ActorLogic:
        """A new logic with the actor's parameters under the policy. Raises UnusablePolicyError."""
        return make_logic(actor, self.parameters(actor, policy), self._installation_id)

    def concerns(self, actor: ActorName, before: Document, after: Document) -> bool:
        """Whether the actor's own parameters differ. Raises UnusablePolicyError."""
        return bool(self.parameters(actor, before) != self.parameters(actor, after))

    def parameters(self, actor: ActorName, policy: Document) -> Any:
        """The actor's parameters under the policy. Raises UnusablePolicyError."""
        config = self._config
        if policy is not None:
            from infra.config.policy import with_policy  # only a change of the policy needs it
            from infra.faults import ConfigurationError

            try:
                config = with_policy(config, policy, "the policy")
            except ConfigurationError as error:
                raise UnusablePolicyError(str(error)) from None
        return config.in_force(SPEC_OF[actor].section)
