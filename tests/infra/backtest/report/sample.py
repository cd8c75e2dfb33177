"""A made-up record, labelled synthetic: three years of five engines, seeded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from infra.backtest import records
from infra.backtest.records import ENGINES, TOTAL, RunFacts, RunRecord

START = datetime(2019, 12, 31, tzinfo=UTC)
DAYS = 3 * 365
DAY_MS = 86_400_000
SHARES = dict(zip(ENGINES, (60_000.0, 15_000.0, 5_000.0, 15_000.0, 5_000.0), strict=True))


def at(day: int, hour: int = 0) -> int:
    return int((START + timedelta(days=day, hours=hour)).timestamp()) * 1000


def facts(**changes: Any) -> RunFacts:
    known: dict[str, Any] = {
        "command": "eternal backtest --seed 1",
        "market": "synthetic, seed 1",
        "is_synthetic": True,
        "from_ms": at(0),
        "to_ms": at(DAYS),
        "ended_ms": at(DAYS),
        "capital_usdt": 100_000.0,
        "engines": ENGINES,
        "settings": {},
        "costs": {"fees": "none", "slippage": "none"},
        "missing_inputs": (),
        "is_complete": True,
        "wall_s": 1.0,
        "hours": DAYS * 24,
        "ledger_faults": (),
        "open_orders": 0,
    }
    return RunFacts(**(known | changes))


def table(rows: list[tuple[Any, ...]], schema: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


def fill(day: int, engine: str, side: str, quantity: float, price: float, **changes: Any) -> tuple[Any, ...]:
    row: dict[str, Any] = {
        "ts_ms": at(day, 1),
        "engine": engine,
        "category": "linear" if engine.startswith("TREND") else "spot",
        "symbol": "BTCUSDT",
        "side": side,
        "quantity": quantity,
        "price": price,
        "notional_usdt": quantity * price,
        "fee_usdt": quantity * price * 0.001,
        "is_maker": False,
        "slippage_usdt": quantity * price * 0.0002,
        "shortfall_usdt": 0.0,
        "volume_share": 0.0005,
        "realised_usdt": 0.0,
        "kind": "trade",
        "order_id": f"{engine}-{day}-{side}",
        "purpose": "TR-3 long",
        "deployment": "",
    } | changes
    return tuple(row[name] for name in records.FILLS)


def record(**changes: Any) -> RunRecord:
    dice = np.random.default_rng(7)
    equity: list[tuple[Any, ...]] = []
    worth = {name: amount * np.cumprod(1 + dice.normal(0.0006, 0.02, DAYS + 1)) for name, amount in SHARES.items()}
    for day in range(DAYS + 1):
        for name in ENGINES:
            equity.append((at(day), name, worth[name][day], worth[name][day] * 0.3, worth[name][day] * 0.7, 0.0, 0.0))
        whole = sum(worth[name][day] for name in ENGINES)
        equity.append((at(day), TOTAL, whole, whole * 0.3, whole * 0.7, 0.0, 0.0))
    prices = [
        (at(day), symbol, close)
        for symbol, first in (("BTCUSDT", 7_000.0), ("ETHUSDT", 130.0))
        for day, close in enumerate(first * np.cumprod(1 + dice.normal(0.001, 0.035, DAYS + 1)))
    ]
    fills = [
        fill(10, "TREND-1", "Buy", 1.0, 100.0),
        fill(20, "TREND-1", "Sell", 1.0, 110.0, realised_usdt=10.0, purpose="TR-6: trailing stop"),
        fill(30, "TREND-1", "Sell", 2.0, 100.0),
        fill(40, "TREND-1", "Buy", 2.0, 105.0, realised_usdt=-10.0, purpose="TR-5: hard stop"),
        fill(15, "CORE-HODL", "Buy", 2.0, 1_000.0, is_maker=True, purpose="first build (CH-6)"),
        fill(50, "FUNDING", "Buy", 1.0, 100.0, purpose="(FU-2)"),
        fill(50, "FUNDING", "Sell", 1.0, 100.1, category="linear", purpose="(FU-2)"),
        fill(64, "FUNDING", "Sell", 0.999, 120.0, purpose="held for 14 days (FU-3)"),
        fill(64, "FUNDING", "Buy", 1.0, 120.0, category="linear", realised_usdt=-19.9, purpose="(FU-3)"),
    ]
    transitions = [
        (at(10, 1), "TREND-1", "BTC", "fill", "ENTRY", "IN_POSITION", ["TR-3"], "TR-3 long"),
        (at(20, 1), "TREND-1", "BTC", "exit", "IN_POSITION", "SCANNING", ["TR-6"], "TR-6: </script> trailing"),
    ]
    tables: dict[str, Any] = {
        "facts": facts(),
        "equity": table(equity, records.EQUITY),
        "prices": table(prices, records.PRICES),
        "fills": table(fills, records.FILLS),
        "funding": table([(at(55), "FUNDING", "BTCUSDT", 3.0)], records.FUNDING_PAYMENTS),
        "transfers": table([(at(60), "FUNDING", "TACTICAL", 5.0, "fu-5", "USDT", 5.0, "")], records.TRANSFERS),
        "transitions": table(transitions, records.TRANSITIONS),
        "refusals": table([(at(9), "TREND-1", "size", "order of 5 is above 4")], records.REFUSALS),
    }
    return RunRecord(**(tables | changes))
