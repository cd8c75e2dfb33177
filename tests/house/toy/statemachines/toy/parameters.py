"""Parameters of TOY-1."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from statemachines.parameters import ParameterModel, Unit


class ToyParameters(ParameterModel):
    """How far the toy counts."""

    enough: Annotated[int, Field(ge=1, le=1_000), Unit("daily cycles")] = 2
    """The cycles after which it is content (OR-3)."""
