"""Portfolio, ledger and results."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from api.http import market_models, models, trade_models
from api.http.routes.common import Asked, From, Recorded, Routes, Until
from api.service import OperatorService
from api.views.money import POSTING_KINDS
from api.views.results import PERIODS
from statemachines.values import Account

OneAccount = Annotated[
    str | None, Query(description="an account; absent: all", json_schema_extra={"enum": [str(one) for one in Account]})
]
Kind = Annotated[
    str | None, Query(description="a kind of posting; absent: all", json_schema_extra={"enum": sorted(POSTING_KINDS)})
]
Period = Annotated[str, Query(description="of the UTC calendar", json_schema_extra={"enum": list(PERIODS)})]


def add(routes: Routes, service: OperatorService) -> None:
    """Add them."""
    get, money = routes.get, service.money

    @get("money", "/portfolio", "Equity of the whole and of each account", trade_models.Portfolio)
    async def portfolio() -> Any:
        """As the risk manager computed it last."""
        return await money.portfolio()

    @get("money", "/limits", "Limits and how full they are", list[market_models.LimitRow])
    async def limits() -> Any:
        """Drawdown, shares, cash, leverage, pairs and exposure against the policy in force, the fullest first."""
        return await money.limits()

    @get("money", "/pnl", "Gains and costs by period", list[market_models.Result])
    async def pnl(engine: Recorded = None, period: Period = "month", since: From = None, until: Until = None) -> Any:
        """Profit without flows, realised profit, fees, funding, slippage, yields of every engine and of the whole, one
        row per period (P4). A period holds the days between `from` and `to` only."""
        return await money.pnl(engine, period, since, until)

    @get("money", "/ledger", "The double-entry ledger", trade_models.Ledger)
    async def ledger(asked: Asked, account: OneAccount = None, kind: Kind = None) -> Any:
        """Trial balance, balances and a page of postings (OR-6)."""
        return await money.ledger(account, kind, asked)

    @get("money", "/transfers", "Movements between accounts", models.Page[trade_models.Transfer])
    async def transfers(
        asked: Asked,
        state: Annotated[str | None, Query(max_length=200, description="such as DONE; absent: all")] = None,
    ) -> Any:
        """Each recorded, idempotent and booked (OR-6)."""
        return await service.lists.transfers(state, asked)

    @get("money", "/equity", "Equity by day", models.Page[trade_models.PerformanceDay])
    async def equity(asked: Asked, engine: Recorded = None) -> Any:
        """Equity, flows, return and costs of every engine and of the whole, one row per market day (P4)."""
        return await money.equity(engine, asked)

    @get("money", "/performance", "Rolling figures", list[trade_models.EnginePerformance])
    async def performance() -> Any:
        """Return, risk, costs and yields of every engine and of the whole over the newest 7, 30, 90 and 365 days and
        over all (P4)."""
        return await money.performance()
