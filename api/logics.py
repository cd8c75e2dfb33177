"""Which logic runs under which name: one table for every runtime (Ray, in process, backtest).

Each factory imports its own logic: an actor's process loads only what it decides with, which is what a restart costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infra.config import EternalConfig
from statemachines.actor_logic import ActorLogic
from statemachines.values import ActorName


def logics(config: EternalConfig, installation_id: str) -> Mapping[ActorName, Callable[[], ActorLogic]]:
    """Factories of all logics with their parameters; `installation_id` begins order and transfer ids (EX-5)."""
    engines = config.engines

    def market_data() -> ActorLogic:
        from statemachines.market_data.logic import MarketDataLogic

        return MarketDataLogic(config.market_data_in_force)

    def order_manager() -> ActorLogic:
        from statemachines.execution.logic import OrderManagerLogic

        return OrderManagerLogic(installation_id, config.orders_in_force)

    def risk_manager() -> ActorLogic:
        from statemachines.risk.logic import RiskManagerLogic

        return RiskManagerLogic(config.risk_in_force)

    def core_hodl() -> ActorLogic:
        from statemachines.core_hodl.engine import CoreHodlEngine

        return CoreHodlEngine(engines.core_hodl)

    def trend_1() -> ActorLogic:
        from statemachines.trend.engine import TrendEngine

        return TrendEngine(ActorName.TREND_1, engines.trend_1)

    def trend_2() -> ActorLogic:
        from statemachines.trend.engine import TrendEngine

        return TrendEngine(ActorName.TREND_2, engines.trend_2)

    def funding() -> ActorLogic:
        from statemachines.funding.engine import FundingEngine

        return FundingEngine(engines.funding)

    def tactical() -> ActorLogic:
        from statemachines.tactical.engine import TacticalEngine

        return TacticalEngine(config.tactical_in_force)

    def orchestrator() -> ActorLogic:
        from statemachines.orchestration.logic import OrchestratorLogic

        return OrchestratorLogic(config.orchestrator.model_copy(update={"installation": installation_id}))

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
