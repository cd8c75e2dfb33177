"""Configuration of the orchestrator (OR-1, OR-3, OR-6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from statemachines.values import ActorName, Frozen

Weight = Annotated[Decimal, Field(ge=0, le=1)]


def _default_weights() -> dict[ActorName, Decimal]:
    """OR-1: CORE 60, TREND 20 (3 : 1 between TREND-1 and TREND-2), FUNDING 15, TACTICAL 5."""
    return {
        ActorName.CORE_HODL: Decimal("0.60"),
        ActorName.TREND_1: Decimal("0.15"),
        ActorName.TREND_2: Decimal("0.05"),
        ActorName.FUNDING: Decimal("0.15"),
        ActorName.TACTICAL: Decimal("0.05"),
    }


class OrchestratorParameters(Frozen):
    """`cycle` is the order in which the daily cycle runs the engines (O7); FUNDING is not driven by it (F3).

    `protective` are those run without entries when risk is not NORMAL (OR-3: the risk action), because they have
    exits and stops to see to. `installation` is random per database; it makes transfer ids unique at the exchange.
    """

    weights: dict[ActorName, Weight] = Field(default_factory=_default_weights)
    cycle: tuple[ActorName, ...] = (
        ActorName.CORE_HODL,
        ActorName.TREND_1,
        ActorName.TREND_2,
        ActorName.TACTICAL,
    )
    protective: tuple[ActorName, ...] = (
        ActorName.CORE_HODL,
        ActorName.TREND_1,
        ActorName.TREND_2,
        ActorName.TACTICAL,
    )
    installation: str = ""

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> Self:
        total = sum(self.weights.values(), Decimal(0))
        if total != 1:
            raise ValueError(f"weights sum to {total}; they must sum to exactly 1")
        return self
