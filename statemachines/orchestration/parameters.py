"""Configuration of the orchestrator (OR-1, OR-2, OR-3, OR-6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from statemachines.limits.parameter_checks import Distinct, OneOf, in_words
from statemachines.orchestration.allocation.parameters import AllocationParameters
from statemachines.parameters import EngineName, ParameterModel, Unit
from statemachines.values import IDENTITY_OF, ActorName

SYMBOL = "BTCUSDT"
"""The regime is read from BTC's daily bars of spot (D3)."""

Weight = Annotated[Decimal, Field(ge=0, le=1), Unit("fraction of the portfolio")]


def _default_weights() -> dict[ActorName, Decimal]:
    """OR-1: CORE 60, TREND 20 (3 : 1 between TREND-1 and TREND-2), FUNDING 15, TACTICAL 5."""
    return {name: engine.weight for name, engine in IDENTITY_OF.items()}


_CYCLE = tuple(name for name, engine in IDENTITY_OF.items() if engine.is_in_daily_cycle)

Cycle = Annotated[tuple[Annotated[ActorName, OneOf(_CYCLE)], ...], Field(min_length=1), Distinct()]
"""Engines that the daily cycle can run."""


class OrchestratorParameters(ParameterModel):
    """The daily cycle and the weights of the engines."""

    weights: dict[EngineName, Weight] = Field(default_factory=_default_weights)
    """Default weights of the engines; they add up to 1 (OR-1, O4)."""

    cycle: Cycle = _CYCLE
    """The order in which the daily cycle runs the engines; FUNDING is not driven by it (OR-3, O7, F3)."""

    protective: Cycle = _CYCLE
    """Engines that are run without entries while risk is not NORMAL, because they have exits and stops to see to
    (OR-3)."""

    allocation: AllocationParameters = AllocationParameters()
    """How capital is allocated to the engines (OR-2, OR-4, OR-5)."""

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> Self:
        total = sum(self.weights.values(), Decimal(0))
        if total != 1:
            raise ValueError(f"weights sum to {total}; they must sum to exactly 1: {in_words(self.weights)} (OR-1)")
        return self

    @model_validator(mode="after")
    def _protects_whom_it_runs(self) -> Self:
        idle = [engine for engine in self.protective if engine not in self.cycle]
        if idle:
            raise ValueError(f"protective names {idle[0]}, which cycle {in_words(self.cycle)} does not run (OR-3)")
        return self
