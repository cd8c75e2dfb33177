"""What a backtest leaves for its report: plain tables, one row per thing that happened, and facts about the run.

Everything is read from what the machines, the exchange and the ledger recorded; nothing is computed twice. Instants are
milliseconds since the epoch, UTC; money is USDT as float64 (for charts and statistics; the books stay in Decimal).
Engines are named CORE-HODL, TREND-1, TREND-2, FUNDING, TACTICAL; TOTAL is their sum (with MASTER's cash).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from statemachines.values import ACCOUNT_OF

RULE_ID = re.compile(r"\b(?:P\d+|(?:CH|TR|FU|TA|OR|RM|EX|DA|IF|DE)-\d+)\b")
"""Requirement IDs as reasons name them."""

TOTAL = "TOTAL"
OUTSIDE = "outside"
"""Where a deposit comes from."""

ENGINES: tuple[str, ...] = tuple(str(account) for account in ACCOUNT_OF.values())

EQUITY = {
    "ts_ms": pl.Int64,  # 00:00 UTC: the close of the day before
    "engine": pl.String,  # ENGINES, "MASTER" and TOTAL
    "equity_usdt": pl.Float64,
    "cash_usdt": pl.Float64,  # USDT not invested
    "exposure_usdt": pl.Float64,  # gross notional of positions and coins at the close, at market
    "net_flow_usdt": pl.Float64,  # transfers in less out since the row before, coins at their price; deposits
    "outflow_usdt": pl.Float64,  # the transfers out alone; those in are both together
}
PRICES = {"ts_ms": pl.Int64, "symbol": pl.String, "close": pl.Float64}  # spot, daily closes, ts_ms as in EQUITY
FILLS = {
    "ts_ms": pl.Int64,
    "engine": pl.String,
    "category": pl.String,  # spot, linear
    "symbol": pl.String,
    "side": pl.String,  # Buy, Sell
    "quantity": pl.Float64,  # in coins
    "price": pl.Float64,
    "notional_usdt": pl.Float64,
    "fee_usdt": pl.Float64,  # positive: paid
    "is_maker": pl.Boolean,
    "slippage_usdt": pl.Float64,  # against the last price of the instant; positive: paid
    "shortfall_usdt": pl.Float64,  # against the last price at the decision, beyond slippage; positive: paid; stops: 0
    "volume_share": pl.Float64,  # quantity in parts of the market's mean hourly volume; null while that is unknown
    "realised_usdt": pl.Float64,  # realised profit of the closing part, before fees; 0 for opening and buying
    "kind": pl.String,  # trade, liquidation, adl
    "order_id": pl.String,
    "purpose": pl.String,  # why the engine asked: entry, stop, exit, rebalance, dca, deploy ... with its rule
    "deployment": pl.String,  # TACTICAL's D1, D2, ...; "" for others
}
FUNDING_PAYMENTS = {
    "ts_ms": pl.Int64,
    "engine": pl.String,
    "symbol": pl.String,
    "amount_usdt": pl.Float64,  # positive: received
}
TRANSFERS = {
    "ts_ms": pl.Int64,
    "source": pl.String,
    "target": pl.String,
    "amount_usdt": pl.Float64,
    "reason": pl.String,
    "coin": pl.String,
    "quantity": pl.Float64,  # in coins
    "deployment": pl.String,  # of TACTICAL, where its proceeds or coins return; "" for others
}
TRANSITIONS = {
    "ts_ms": pl.Int64,
    "actor": pl.String,
    "machine": pl.String,
    "trigger": pl.String,
    "source": pl.String,
    "target": pl.String,
    "rules": pl.List(pl.String),  # requirement IDs the line names, e.g. TR-4
    "reason": pl.String,
}
REFUSALS = {
    "ts_ms": pl.Int64,
    "engine": pl.String,
    "check": pl.String,  # which check of RM-1 refused
    "reason": pl.String,
}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What was run. `missing_inputs`: sentences about rules that were inactive because their history is missing;
    `deposit`: what comes in regularly as a sentence, "" for nothing; `paid_in_usdt`: all that came in after the start;
    `costs`: fees and slippage as modelled; `settings`: every parameter that differs from the specification's, from
    whatever source; `configuration`: all of them, without secrets; `is_synthetic`: the market is invented; `version`,
    `commit`: of the code; `active_from_ms`: since when the market has what an engine trades on (engines for which it
    never has are missing; None: not recorded); `data_hash`: SHA-256 of the history files, "" for an invented market.
    """

    command: str
    market: str
    is_synthetic: bool
    from_ms: int
    to_ms: int
    ended_ms: int
    capital_usdt: float
    engines: tuple[str, ...]
    settings: dict[str, str]
    costs: dict[str, str]
    missing_inputs: tuple[str, ...]
    is_complete: bool
    wall_s: float
    hours: int
    ledger_faults: tuple[str, ...]
    open_orders: int
    version: str = ""
    commit: str = ""
    data_hash: str = ""
    deposit: str = ""
    paid_in_usdt: float = 0.0
    configuration: dict[str, Any] = field(default_factory=dict)
    active_from_ms: dict[str, int] | None = None


def _empty(schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(schema=schema)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The tables of one run, in the schemas above."""

    facts: RunFacts
    equity: pl.DataFrame = field(default_factory=lambda: _empty(EQUITY))
    prices: pl.DataFrame = field(default_factory=lambda: _empty(PRICES))
    fills: pl.DataFrame = field(default_factory=lambda: _empty(FILLS))
    funding: pl.DataFrame = field(default_factory=lambda: _empty(FUNDING_PAYMENTS))
    transfers: pl.DataFrame = field(default_factory=lambda: _empty(TRANSFERS))
    transitions: pl.DataFrame = field(default_factory=lambda: _empty(TRANSITIONS))
    refusals: pl.DataFrame = field(default_factory=lambda: _empty(REFUSALS))
