"""The engines' parameters in the configuration; their meaning and bounds are defined beside the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from actors.runtime.registry import SPECS
from statemachines.parameters import ParameterModel, section_of
from statemachines.values import ActorName

if TYPE_CHECKING:
    from statemachines.core_hodl.parameters import CoreHodlParameters
    from statemachines.funding.parameters import FundingParameters
    from statemachines.tactical.parameters import TacticalParameters
    from statemachines.trend.parameters import TrendParameters

_ENGINES = "engines."


class _Engines(BaseModel):
    """One section per engine: `[engines.trend_1]`, `[engines.funding]` and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


def _sections() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for spec in SPECS:
        if spec.parameters is not None:
            default = spec.parameters()
            found[spec.section.removeprefix(_ENGINES)] = (type(default), Field(default=default, description=spec.about))
    return found


if TYPE_CHECKING:

    class EnginesConfig(_Engines):
        """The sections that the code names; all of them come from the specs."""

        core_hodl: CoreHodlParameters
        trend_1: TrendParameters
        trend_2: TrendParameters
        funding: FundingParameters
        tactical: TacticalParameters

else:
    EnginesConfig = create_model(
        "EnginesConfig", __base__=_Engines, __module__=__name__, __doc__=_Engines.__doc__, **_sections()
    )


def parameters_of(engines: EnginesConfig, engine: ActorName) -> ParameterModel | None:
    """An engine's own section; None for one without parameters."""
    found = getattr(engines, section_of(engine), None)
    return found if isinstance(found, ParameterModel) else None
