"""Which brain runs under which name: one table for every runtime (Ray, in process, backtest)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actors.market_data.brain import MarketDataBrain
from actors.order_manager.brain import OrderManagerBrain
from actors.risk_manager.brain import RiskManagerBrain
from infra.config import EternalConfig
from orchestrator.brain import OrchestratorBrain
from orchestrator.parameters import OrchestratorParameters
from statemachines.brain import Brain
from statemachines.core_hodl.brain import CoreHodlBrain
from statemachines.funding.brain import FundingBrain
from statemachines.tactical.brain import TacticalBrain
from statemachines.trend.brain import TrendBrain
from statemachines.values import ActorName


def brains(config: EternalConfig, installation_id: str) -> Mapping[ActorName, Callable[[], Brain]]:
    """Factories of all brains with their parameters; `installation_id` begins order and transfer ids (EX-5)."""
    engines = config.engines
    return {
        ActorName.MARKET_DATA: lambda: MarketDataBrain(config.market_data),
        ActorName.ORDER_MANAGER: lambda: OrderManagerBrain(installation_id, config.orders),
        ActorName.RISK_MANAGER: lambda: RiskManagerBrain(config.risk),
        ActorName.CORE_HODL: lambda: CoreHodlBrain(engines.core_hodl),
        ActorName.TREND_1: lambda: TrendBrain(ActorName.TREND_1, engines.trend_1),
        ActorName.TREND_2: lambda: TrendBrain(ActorName.TREND_2, engines.trend_2),
        ActorName.FUNDING: lambda: FundingBrain(engines.funding),
        ActorName.TACTICAL: lambda: TacticalBrain(engines.tactical),
        ActorName.ORCHESTRATOR: lambda: OrchestratorBrain(OrchestratorParameters(installation=installation_id)),
    }
