"""The same as tables: Parquet and CSV of everything the page was made of, and a summary as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from infra.backtest.records import ENGINES, TOTAL
from infra.backtest.report.analysis import Analysis
from infra.backtest.report.findings import findings_of
from infra.backtest.report.series import BENCHMARKS
from infra.backtest.report.states import time_in_state
from infra.files import write_text_whole, write_whole

TABLES = ("equity", "prices", "fills", "funding", "transfers", "transitions", "refusals")

UTC_MS = pl.Datetime("ms", "UTC")
TRADES: dict[str, Any] = {
    "engine": pl.String,
    "symbol": pl.String,
    "kind": pl.String,
    "opened_ms": pl.Int64,
    "closed_ms": pl.Int64,  # null while it is open
    "entry_price": pl.Float64,  # null where a trade has several coins
    "exit_price": pl.Float64,
    "quantity": pl.Float64,
    "notional_usdt": pl.Float64,
    "gross_usdt": pl.Float64,
    "fee_usdt": pl.Float64,
    "slippage_usdt": pl.Float64,
    "shortfall_usdt": pl.Float64,
    "funding_usdt": pl.Float64,
    "why": pl.String,
    "net_usdt": pl.Float64,
}


def write_tables(run: Analysis, folder: Path) -> None:
    """One Parquet and one CSV file per table, the round trips derived from the fills, and the daily returns.

    Columns that end in `_ms` become UTC datetimes without the ending (`ts_ms` is `ts`). A table without a row has its
    columns and their types all the same.
    """
    frames = {name: getattr(run.record, name) for name in TABLES}
    trades = [asdict(trade) | {"net_usdt": trade.net_usdt} for trade in run.trades]
    frames["trades"] = pl.DataFrame(trades, schema=TRADES)
    frames["returns"] = daily_returns_of(run)
    for name, frame in frames.items():
        dated = with_datetimes(frame)
        write_whole(folder / f"{name}.parquet", dated.write_parquet)
        lists = [column for column, kind in dated.schema.items() if kind == pl.List(pl.String)]
        flat = dated.with_columns(pl.col(lists).list.join(" ")) if lists else dated
        write_whole(folder / f"{name}.csv", flat.write_csv)


def with_datetimes(frame: pl.DataFrame) -> pl.DataFrame:
    """Milliseconds since the epoch as UTC datetimes."""
    columns = [name for name in frame.columns if name.endswith("_ms")]
    dated = frame.with_columns(pl.from_epoch(pl.col(columns), "ms").dt.replace_time_zone("UTC").cast(UTC_MS))
    return dated.rename({name: name.removesuffix("_ms") for name in columns})


def daily_returns_of(run: Analysis) -> pl.DataFrame:
    """Simple returns per day (the bar's date), one column per engine, TOTAL and benchmark; null where a line is not."""
    closes = run.days.day_ms
    columns: dict[str, Any] = {"day_ms": closes[1:].tolist()}
    for name in (TOTAL, *ENGINES, *BENCHMARKS):
        line = run.days.lines.get(name)
        days = max(len(closes) - 1, 0)
        own = [] if line is None else line.returns.tolist()
        columns[name] = [None] * (days - len(own)) + own
    return pl.DataFrame(
        columns, schema={"day_ms": pl.Int64, **{name: pl.Float64 for name in columns if name != "day_ms"}}
    )


def write_summary(run: Analysis, folder: Path) -> None:
    """Every figure of the page that is a number, and its sentences."""
    document: dict[str, Any] = {
        "facts": asdict(run.record.facts),
        "findings": [{"weight": one.weight.name, "text": one.text} for one in findings_of(run)],
        "performance": {name: asdict(figures) for name, figures in run.performances.items()},
        "books": {name: asdict(book) for name, book in run.books.items()},
        "trades": [asdict(one) for one in run.trade_stats],
        "years": {line.name: line.by_year for line in run.months},
        "months": {
            line.name: {f"{year}-{month:02d}": value for (year, month), value in line.by_month.items()}
            for line in run.months
        },
        "crises": [asdict(one) for one in (*run.crises, *run.falls)],
        "time_in_state": [
            dict(zip(("actor", "machine", "state", "stays", "share"), one, strict=True))
            for one in time_in_state(run.stays)
        ],
        "rules": {
            rule.rule: {"lines": rule.lines, "orders": rule.orders, "built": not rule.is_unbuilt} for rule in run.rules
        },
        "refusals": run.refusals.to_dicts(),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False)
    write_text_whole(folder / "summary.json", text)
