"""The engines' parameters in the configuration; their meaning and bounds are defined beside the rules."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.funding.parameters import FundingParameters
from statemachines.tactical.parameters import TacticalParameters
from statemachines.trend.parameters import TREND_1, TREND_2, TrendParameters


class EnginesConfig(BaseModel):
    """One section per engine: `[engines.trend_1]`, `[engines.funding]` and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    core_hodl: CoreHodlParameters = CoreHodlParameters()
    trend_1: TrendParameters = TREND_1
    trend_2: TrendParameters = TREND_2
    funding: FundingParameters = FundingParameters()
    tactical: TacticalParameters = TacticalParameters()
