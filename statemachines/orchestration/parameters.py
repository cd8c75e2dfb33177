"""Configuration of the orchestrator (OR-1, OR-3, OR-6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from statemachines.parameters import Allowed, ParameterModel, Unit
from statemachines.values import IDENTITY_OF, ActorName

Weight = Annotated[Decimal, Field(ge=0, le=1), Unit("fraction of the portfolio")]


def _default_weights() -> dict[ActorName, Decimal]:
    """OR-1: CORE 60, TREND 20 (3 : 1 between TREND-1 and TREND-2), FUNDING 15, TACTICAL 5."""
    return {name: engine.weight for name, engine in IDENTITY_OF.items()}


_CYCLE = tuple(name for name, engine in IDENTITY_OF.items() if engine.is_in_daily_cycle)


class OrchestratorParameters(ParameterModel):
    """The daily cycle and the weights of the engines."""

    weights: dict[ActorName, Weight] = Field(default_factory=_default_weights)
    """Target weights of the engines; they add up to 1 (OR-1, O4)."""

    cycle: tuple[ActorName, ...] = _CYCLE
    """The order in which the daily cycle runs the engines; FUNDING is not driven by it (OR-3, O7, F3)."""

    protective: tuple[ActorName, ...] = _CYCLE
    """Engines that are run without entries while risk is not NORMAL, because they have exits and stops to see to
    (OR-3)."""

    installation: Annotated[str, Allowed("any text; the start replaces it")] = ""
    """What makes transfer ids unique at the exchange. It is drawn once per database and set by the start; a value
    given here has no effect (OR-6)."""

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> Self:
        total = sum(self.weights.values(), Decimal(0))
        if total != 1:
            raise ValueError(f"weights sum to {total}; they must sum to exactly 1")
        return self
