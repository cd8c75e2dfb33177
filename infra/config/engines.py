"""The engines' parameters in the configuration; their meaning and bounds are defined beside the rules."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.funding.parameters import FundingParameters
from statemachines.tactical.parameters import TacticalParameters
from statemachines.trend.parameters import TREND_1, TREND_2, TrendParameters


class EnginesConfig(BaseModel):
    """One section per engine: `[engines.trend_1]`, `[engines.funding]` and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    core_hodl: CoreHodlParameters = CoreHodlParameters()
    """CORE-HODL: accumulates BTC and ETH (CH-1)."""

    trend_1: TrendParameters = TREND_1
    """TREND-1: follows trends with the main parameters (TR-11)."""

    trend_2: TrendParameters = TREND_2
    """TREND-2: follows trends with faster averages (TR-11, T9)."""

    funding: FundingParameters = FundingParameters()
    """FUNDING: collects funding, hedged with spot (FU-1)."""

    tactical: TacticalParameters = TacticalParameters()
    """TACTICAL: deploys cash into panic (TA-1)."""
