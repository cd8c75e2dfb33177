"""Orders, fills and positions, and the market that they were made on."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query

from api.http import market_models, models, trade_models
from api.http.routes.common import Asked, Engine, Routes, Symbol
from api.service import OperatorService
from api.views.arguments import LINK_ID
from api.views.lists import ENGINE_NAMES, OPEN_ANY, ORDER_STATES
from api.views.market import CATEGORIES
from statemachines.market_data.parameters import INTERVALS

State = Annotated[
    str | None,
    Query(
        description="a state of EX-1, or OPEN_ANY: any that is no end; absent: all",
        json_schema_extra={"enum": [*sorted(ORDER_STATES), OPEN_ANY]},
    ),
]
Order = Annotated[str | None, Query(max_length=200, description="our client id of the order (EX-5)")]
OneEngine = Annotated[str, Path(description="an engine", json_schema_extra={"enum": sorted(ENGINE_NAMES)})]
OneOrder = Annotated[
    str, Path(description="our client id of the order (EX-5)", json_schema_extra={"pattern": f"^{LINK_ID.pattern}$"})
]
Category = Annotated[
    str, Query(description="spot, or linear: perpetuals in USDT", json_schema_extra={"enum": sorted(CATEGORIES)})
]
Interval = Annotated[str, Query(description="60: an hour, D: a day (UTC)", json_schema_extra={"enum": list(INTERVALS)})]
OneSymbol = Annotated[str, Query(max_length=200, description="such as BTCUSDT")]


def add(routes: Routes, service: OperatorService) -> None:
    """Add them."""
    get, lists = routes.get, service.lists

    @get("trading", "/orders", "Orders", models.Page[trade_models.Order])
    async def orders(asked: Asked, engine: Engine = None, state: State = None, symbol: Symbol = None) -> Any:
        """With state, quantity, fills and the reason."""
        return await lists.orders(engine, state, symbol, asked)

    @get("trading", "/orders/{client_order_id}/chain", "Why this order exists", list[trade_models.ChainLink])
    async def chain(client_order_id: OneOrder) -> Any:
        """From the bar or settlement that caused it, decision by decision, to the order (P3)."""
        return await lists.order_chain(client_order_id)

    @get("trading", "/executions", "Fills", models.Page[trade_models.Execution])
    async def executions(
        asked: Asked, engine: Engine = None, client_order_id: Order = None, symbol: Symbol = None
    ) -> Any:
        """As the exchange reported them, with fee and realised profit."""
        return await lists.executions(engine, client_order_id, symbol, asked)

    @get("trading", "/positions", "Derivative positions", list[trade_models.Position])
    async def positions() -> Any:
        """Those that are not flat, with mark, profit, stop, liquidation and margin."""
        return await service.money.positions()

    @get("market", "/candles", "Bars with what was done on them", market_models.Candles)
    async def candles(category: Category, symbol: OneSymbol, asked: Asked, interval: Interval = "D") -> Any:
        """A page of bars as the engines read them, and within its time the fills (one per order) and the prices of the
        stops that TREND held."""
        return await service.market.candles(category, symbol, interval, asked)

    @get("market", "/engines/{engine}/outlook", "What would make the engine act next", market_models.OutlookView)
    async def outlook(engine: OneEngine) -> Any:
        """Each thing that its rules would do, with the numbers they read, the limits and the distances (P3). Asked of
        the engine's own logic, restored from what it has committed; the engine itself is not asked."""
        return await service.outlook.of(engine)

    @get(
        "market", "/engines/{engine}/indicators", "What the engine's rules read, over time", market_models.IndicatorView
    )
    async def indicators(engine: OneEngine, symbol: OneSymbol) -> Any:
        """The numbers that its rules read, by the parameters in force, with the limits that they are read against:
        averages, ADX and ATR of TREND, rates and basis of FUNDING, BTC's fall and fear of TACTICAL, drift and plans of
        CORE-HODL (the last two for every symbol the same)."""
        return await service.indicators.of(engine, symbol)

    @get("market", "/candles/series", "Of what there are bars", list[market_models.Series])
    async def series() -> Any:
        """Category, symbol and interval of every series on record."""
        return await service.market.series()

    @get("market", "/regime", "The regime and its weights", market_models.RegimeView)
    async def regime() -> Any:
        """The regime in force, the candidate and its closes, the day's weights, and the numbers of the newest close
        (OR-2)."""
        return await service.market.regime()
