"""Daily series of the run on one grid of closes: every engine, TOTAL and what holding would have brought.

A row of EQUITY stands at 00:00 and is the close of the day before; everything here is labelled with that day (the
bar's date). The first close is the eve of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from infra.backtest.records import ENGINES, TOTAL, RunRecord
from infra.returns import SMALLEST_BASE_USDT, Floats, daily_returns, drawdowns, growth

Ints = npt.NDArray[np.int64]

DAY_MS = 86_400_000
MASTER = "MASTER"
BTC_HOLD = "BTC-hold"
MIX_HOLD = "60/40 BTC/ETH-hold"
CASH = "Cash"
BENCHMARKS = (BTC_HOLD, MIX_HOLD, CASH)
_MIX = {"BTCUSDT": 0.6, "ETHUSDT": 0.4}


@dataclass(frozen=True, slots=True)
class Account:
    """One engine's daily closes on the grid, in USDT. `begins`: the first close since which the market has what the
    engine trades on (the grid's length when it never has)."""

    name: str
    equity: Floats
    cash: Floats
    exposure: Floats
    inflow: Floats
    outflow: Floats
    begins: int = 0

    @property
    def start(self) -> int:
        """The first close from which the capital can work: its place on the grid (its length when there is none)."""
        has_capital = (self.equity >= SMALLEST_BASE_USDT) | (np.append(self.inflow[1:], 0.0) >= SMALLEST_BASE_USDT)
        return max(int(np.argmax(has_capital)), self.begins) if has_capital.any() else len(self.equity)

    @property
    def is_active(self) -> bool:
        """At least one day with capital and with a market."""
        return self.start < len(self.equity) - 1


@dataclass(frozen=True, slots=True)
class Line:
    """A series of daily returns: those of the days after the close at `start` of the grid."""

    name: str
    start: int
    returns: Floats

    @property
    def growth(self) -> Floats:
        """What 1 becomes, from the close at `start`."""
        return growth(self.returns)

    @property
    def drawdown(self) -> Floats:
        """Distance from the highest close so far."""
        return drawdowns(self.returns)


@dataclass(frozen=True, slots=True)
class Days:
    """The grid and what stands on it. `missing` counts days without a close between the first and the last."""

    day_ms: Ints
    accounts: dict[str, Account]
    lines: dict[str, Line]
    prices: dict[str, Floats]
    missing: int

    @property
    def is_empty(self) -> bool:
        """True when there are not even two closes."""
        return len(self.day_ms) < 2


def build(record: RunRecord) -> Days:
    """Align equity and prices of a run; benchmarks whose first price is missing are left out."""
    total = record.equity.filter(pl.col("engine") == TOTAL).sort("ts_ms")
    grid = total.select("ts_ms").unique(maintain_order=True)
    ts_ms = grid["ts_ms"].to_numpy().astype(np.int64)
    names = [n for n in (*ENGINES, MASTER, TOTAL) if n in set(record.equity["engine"].to_list())]
    active = record.facts.active_from_ms
    accounts = {name: _account(record.equity, grid, name, _begins(active, ts_ms, name)) for name in names}
    prices = {symbol: _closes(record.prices, grid, symbol) for symbol in sorted(set(record.prices["symbol"].to_list()))}
    lines = {TOTAL: _line(accounts[TOTAL])} if TOTAL in accounts else {}
    lines |= {name: _line(accounts[name]) for name in ENGINES if name in accounts and accounts[name].is_active}
    if len(ts_ms) > 1:
        lines |= _benchmarks(prices, len(ts_ms))
    missing = int((ts_ms[-1] - ts_ms[0]) // DAY_MS + 1 - len(ts_ms)) if len(ts_ms) else 0
    return Days(ts_ms - DAY_MS, accounts, lines, prices, missing)


def _begins(active_from_ms: Mapping[str, int] | None, ts_ms: Ints, name: str) -> int:
    if active_from_ms is None or name not in ENGINES:
        return 0
    return int(np.searchsorted(ts_ms, active_from_ms[name])) if name in active_from_ms else len(ts_ms)


def _account(equity: pl.DataFrame, grid: pl.DataFrame, name: str, begins: int) -> Account:
    own = equity.filter(pl.col("engine") == name).unique("ts_ms", keep="last")
    rows = grid.join(own, on="ts_ms", how="left", maintain_order="left")
    levels = rows.select(pl.col("equity_usdt", "cash_usdt", "exposure_usdt").forward_fill().fill_null(0.0))
    net, outflow = (rows[column].fill_null(0.0) for column in ("net_flow_usdt", "outflow_usdt"))
    return Account(
        name=name,
        equity=levels["equity_usdt"].to_numpy().astype(np.float64),
        cash=levels["cash_usdt"].to_numpy().astype(np.float64),
        exposure=levels["exposure_usdt"].to_numpy().astype(np.float64),
        inflow=(net + outflow).to_numpy().astype(np.float64),
        outflow=outflow.to_numpy().astype(np.float64),
        begins=begins,
    )


def _closes(prices: pl.DataFrame, grid: pl.DataFrame, symbol: str) -> Floats:
    own = prices.filter(pl.col("symbol") == symbol).unique("ts_ms", keep="last").sort("ts_ms")
    rows = grid.sort("ts_ms").join_asof(own.select("ts_ms", "close"), on="ts_ms", strategy="backward")
    return rows["close"].fill_null(np.nan).to_numpy().astype(np.float64)


def _line(account: Account) -> Line:
    start = min(account.start, max(len(account.equity) - 1, 0))
    return Line(
        account.name, start, daily_returns(account.equity[start:], account.inflow[start:], account.outflow[start:])
    )


def _benchmarks(prices: dict[str, Floats], closes: int) -> dict[str, Line]:
    """Bought once at the first close, never touched, no costs."""
    value = {s: prices[s] / prices[s][0] for s in _MIX if s in prices and prices[s][0] > 0}
    worth: dict[str, Floats] = {}
    if "BTCUSDT" in value:
        worth[BTC_HOLD] = value["BTCUSDT"]
    if len(value) == len(_MIX):
        worth[MIX_HOLD] = np.asarray(sum(share * value[symbol] for symbol, share in _MIX.items()), dtype=np.float64)
    worth[CASH] = np.ones(closes)
    return {name: Line(name, 0, each[1:] / each[:-1] - 1.0) for name, each in worth.items()}
