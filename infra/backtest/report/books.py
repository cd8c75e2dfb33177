"""What each engine's account did over the run: result, costs, capital at work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from infra.backtest.records import ENGINES, TOTAL, RunRecord
from infra.backtest.report.series import Account, Days
from infra.returns import DAYS_PER_YEAR, SMALLEST_BASE_USDT, Floats


@dataclass(frozen=True, slots=True)
class Book:
    """One engine or TOTAL, in USDT; shares are means over the active time: the days with capital and with a market to
    trade on. Profit = end - start - flows in. Without active time (`is_active`) the figures mean nothing and are not
    shown."""

    name: str
    start_usdt: float
    end_usdt: float
    flow_usdt: float
    profit_usdt: float
    fee_usdt: float
    slippage_usdt: float
    shortfall_usdt: float
    funding_received_usdt: float
    funding_paid_usdt: float
    realised_usdt: float
    traded_usdt: float
    fills: int
    liquidations: int
    mean_equity_usdt: float
    turnover_per_year: float | None
    cost_per_year: float | None
    mean_exposure: float
    highest_exposure: float
    days_invested: float
    mean_cash: float
    is_active: bool = True

    @property
    def funding_usdt(self) -> float:
        """Funding received less funding paid."""
        return self.funding_received_usdt - self.funding_paid_usdt

    @property
    def costs_usdt(self) -> float:
        """Fees and slippage."""
        return self.fee_usdt + self.slippage_usdt

    @property
    def profit_before_costs_usdt(self) -> float:
        """What the engine would have made at the last price and without fees."""
        return self.profit_usdt + self.costs_usdt


def share(part: Floats, whole: Floats) -> Floats:
    """`part` over `whole`; NaN where there is no capital."""
    found = np.full(part.shape, np.nan)
    np.divide(part, whole, out=found, where=whole >= SMALLEST_BASE_USDT)
    return found


def books_of(record: RunRecord, days: Days) -> list[Book]:
    """TOTAL first, then every engine of the run (of the recorded ones when the run names none)."""
    engines = [name for name in ENGINES if name in (record.facts.engines or days.accounts)]
    return [_book(record, days, name) for name in (TOTAL, *engines)]


def _book(record: RunRecord, days: Days, name: str) -> Book:
    fills, funding = record.fills, record.funding
    if name != TOTAL:
        fills = fills.filter(pl.col("engine") == name)
        funding = funding.filter(pl.col("engine") == name)
    zero = np.zeros(len(days.day_ms))
    account = days.accounts.get(name, Account(name, zero, zero, zero, zero, zero))
    start = min(account.start, max(len(account.equity) - 1, 0))
    equity, flow = account.equity[start:], (account.inflow - account.outflow)[start + 1 :]
    years = (len(equity) - 1) / DAYS_PER_YEAR if len(equity) > 1 else 0.0
    mean_equity = float(equity.mean()) if len(equity) else 0.0
    exposure = share(account.exposure[start:], equity)
    columns = ("notional_usdt", "fee_usdt", "slippage_usdt", "shortfall_usdt")
    traded, fee, slippage, shortfall = (_sum(fills, column) for column in columns)
    per_year = mean_equity * years if years >= 1.0 else 0.0  # less than a year is not annualised
    first, last, moved = (float(equity[0]), float(equity[-1]), float(flow.sum())) if len(equity) else (0.0, 0.0, 0.0)
    return Book(
        name=name,
        start_usdt=first,
        end_usdt=last,
        flow_usdt=moved,
        profit_usdt=last - first - moved,
        fee_usdt=fee,
        slippage_usdt=slippage,
        shortfall_usdt=shortfall,
        funding_received_usdt=_sum(funding.filter(pl.col("amount_usdt") > 0), "amount_usdt"),
        funding_paid_usdt=-_sum(funding.filter(pl.col("amount_usdt") < 0), "amount_usdt"),
        realised_usdt=_sum(fills, "realised_usdt"),
        traded_usdt=traded,
        fills=len(fills),
        liquidations=len(fills.filter(pl.col("kind").is_in(["liquidation", "adl"]))),
        mean_equity_usdt=mean_equity,
        turnover_per_year=traded / per_year if per_year > 0 else None,
        cost_per_year=(fee + slippage) / per_year if per_year > 0 else None,
        mean_exposure=_mean(exposure),
        highest_exposure=float(np.nanmax(exposure)) if np.isfinite(exposure).any() else 0.0,
        days_invested=_mean(np.where(np.isfinite(exposure), exposure > 0.001, np.nan)),
        mean_cash=_mean(share(account.cash[start:], equity)),
        is_active=name == TOTAL or account.is_active,
    )


def _sum(table: pl.DataFrame, column: str) -> float:
    return float(table[column].fill_null(0.0).sum())


def _mean(values: Floats) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0
