"""The same as tables: Parquet and CSV of everything the page was made of, and a summary as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from infra.backtest.report.analysis import Analysis
from infra.backtest.report.findings import findings_of
from infra.backtest.report.states import time_in_state
from infra.files import write_whole

TABLES = ("equity", "prices", "fills", "funding", "transfers", "transitions", "refusals")


def write_tables(run: Analysis, folder: Path) -> None:
    """One Parquet and one CSV file per table, and the round trips derived from the fills."""
    frames = {name: getattr(run.record, name) for name in TABLES}
    trades = [asdict(trade) | {"net_usdt": trade.net_usdt} for trade in run.trades]
    frames["trades"] = pl.DataFrame(trades, infer_schema_length=None)
    for name, frame in frames.items():
        write_whole(folder / f"{name}.parquet", frame.write_parquet)
        lists = [column for column, kind in frame.schema.items() if kind == pl.List(pl.String)]
        flat = frame.with_columns(pl.col(lists).list.join(" ")) if lists else frame
        write_whole(folder / f"{name}.csv", flat.write_csv)


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
        "rules": {rule.rule: {"lines": rule.lines, "orders": rule.orders} for rule in run.rules},
        "refusals": run.refusals.to_dicts(),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False)
    write_whole(folder / "summary.json", lambda path: path.write_text(text, encoding="utf-8"))
