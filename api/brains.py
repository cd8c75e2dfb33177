"""Which brain runs under which name: one table for every runtime (Ray, in process, backtest).

Each factory imports its own brain: an actor's process loads only what it decides with, which is what a restart costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infra.config import EternalConfig
from statemachines.brain import Brain
from statemachines.values import ActorName


def brains(config: EternalConfig, installation_id: str) -> Mapping[ActorName, Callable[[], Brain]]:
    """Factories of all brains with their parameters; `installation_id` begins order and transfer ids (EX-5)."""
    engines = config.engines

    def market_data() -> Brain:
        from actors.market_data.brain import MarketDataBrain

        return MarketDataBrain(config.market_data_in_force)

    def order_manager() -> Brain:
        from actors.order_manager.brain import OrderManagerBrain

        return OrderManagerBrain(installation_id, config.orders_in_force)

    def risk_manager() -> Brain:
        from actors.risk_manager.brain import RiskManagerBrain

        return RiskManagerBrain(config.risk_in_force)

    def core_hodl() -> Brain:
        from statemachines.core_hodl.brain import CoreHodlBrain

        return CoreHodlBrain(engines.core_hodl)

    def trend_1() -> Brain:
        from statemachines.trend.brain import TrendBrain

        return TrendBrain(ActorName.TREND_1, engines.trend_1)

    def trend_2() -> Brain:
        from statemachines.trend.brain import TrendBrain

        return TrendBrain(ActorName.TREND_2, engines.trend_2)

    def funding() -> Brain:
        from statemachines.funding.brain import FundingBrain

        return FundingBrain(engines.funding)

    def tactical() -> Brain:
        from statemachines.tactical.brain import TacticalBrain

        return TacticalBrain(engines.tactical)

    def orchestrator() -> Brain:
        from orchestrator.brain import OrchestratorBrain

        return OrchestratorBrain(config.orchestrator.model_copy(update={"installation": installation_id}))

    return {
        ActorName.MARKET_DATA: market_data,
        ActorName.ORDER_MANAGER: order_manager,
        ActorName.RISK_MANAGER: risk_manager,
        ActorName.CORE_HODL: core_hodl,
        ActorName.TREND_1: trend_1,
        ActorName.TREND_2: trend_2,
        ActorName.FUNDING: funding,
        ActorName.TACTICAL: tactical,
        ActorName.ORCHESTRATOR: orchestrator,
    }
