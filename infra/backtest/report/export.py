"""Writing the report: page, tables as Parquet and CSV, summary. A folder with `report.html` holds a whole report."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from infra.backtest.records import RunRecord
from infra.backtest.report.analysis import Analysis, analyse
from infra.backtest.report.findings import findings_of
from infra.backtest.report.page import page_of
from infra.backtest.report.rules import never_acted
from infra.backtest.report.series import DAY_MS
from infra.backtest.report.states import time_in_state
from infra.backtest.report.words import day

PAGE = "report.html"
SUMMARY = "summary.json"
TABLES = "tables"


def write_report(record: RunRecord, folder: Path) -> Path:
    """Write `report.html`, `summary.json` and `tables/` into `folder` and answer the page's path.

    Everything is made beside the folder first. An earlier report's page goes before its tables do and the new page
    comes last, so `report.html` never stands beside tables of another run; other files of the folder stay.

    Raises:
        OSError: the folder cannot be written; an earlier report is then untouched unless moving itself failed.
    """
    run = analyse(record)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    try:
        _write_tables(tables_of(run), staging / TABLES)
        (staging / SUMMARY).write_bytes(orjson.dumps(summary_of(run), option=orjson.OPT_INDENT_2))
        (staging / PAGE).write_text(page_of(run), encoding="utf-8")
        _move(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder / PAGE


def _move(staging: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / PAGE).unlink(missing_ok=True)
    if (folder / TABLES).exists():
        os.replace(folder / TABLES, staging / "earlier-tables")
    os.replace(staging / TABLES, folder / TABLES)
    os.replace(staging / SUMMARY, folder / SUMMARY)
    os.replace(staging / PAGE, folder / PAGE)


def _write_tables(tables: dict[str, pl.DataFrame], folder: Path) -> None:
    folder.mkdir()
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
        lists = [column for column, kind in table.schema.items() if isinstance(kind, pl.List)]
        table.with_columns(pl.col(column).list.join(" ") for column in lists).write_csv(folder / f"{name}.csv")


def tables_of(run: Analysis) -> dict[str, pl.DataFrame]:
    """The run's own tables under their names, and what was derived from them."""
    record = run.record
    return {
        "equity": record.equity,
        "prices": record.prices,
        "fills": record.fills,
        "funding": record.funding,
        "transfers": record.transfers,
        "transitions": record.transitions,
        "refusals": record.refusals,
        "daily": _daily(run),
        "performance": _performance(run),
        "books": pl.DataFrame([asdict(b) for b in run.books.values()]),
        "months": _months(run),
        "trades": _trades(run),
        "trade_stats": _rows([asdict(each) for each in run.trade_stats]),
        "accumulation": run.accumulation,
        "crises": _crises(run),
        "states": _rows([asdict(stay) for stay in run.stays]),
        "rules": _rows([asdict(each) for each in run.rules]),
        "refusals_by_reason": run.refusals,
    }


def _rows(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None)


def _daily(run: Analysis) -> pl.DataFrame:
    """Per close (ts_ms as in equity) and series: the day's return, growth of 1 and drawdown."""
    schema = {
        "ts_ms": pl.Int64,
        "series": pl.String,
        "return": pl.Float64,
        "growth": pl.Float64,
        "drawdown": pl.Float64,
    }
    parts = [
        pl.DataFrame(
            {
                "ts_ms": run.days.day_ms[line.start :] + DAY_MS,
                "series": [name] * (len(line.returns) + 1),
                "return": [None, *line.returns.tolist()],
                "growth": line.growth,
                "drawdown": line.drawdown,
            },
            schema=schema,
        )
        for name, line in run.days.lines.items()
        if not run.days.is_empty
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def _performance_row(run: Analysis, name: str) -> dict[str, Any]:
    figures = asdict(run.performances[name])
    worst = figures.pop("worst")
    days = run.days.day_ms[run.days.lines[name].start :]
    at = {key: None if worst is None or worst[key] is None else day(int(days[worst[key]])) for key in _PLACES}
    depth, length = (0.0, 0) if worst is None else (worst["depth"], worst["days"])
    return {
        "series": name,
        **figures,
        "worst_drawdown": depth,
        "worst_drawdown_days": length,
        **{f"worst_drawdown_{key}": value for key, value in at.items()},
    }


_PLACES = ("peak", "trough", "recovered")


def _performance(run: Analysis) -> pl.DataFrame:
    return _rows([_performance_row(run, name) for name in run.performances])


def _months(run: Analysis) -> pl.DataFrame:
    schema = {"series": pl.String, "year": pl.Int64, "month": pl.Int64, "return": pl.Float64}
    rows = [(m.name, y, mo, value) for m in run.months for (y, mo), value in m.by_month.items()]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _trades(run: Analysis) -> pl.DataFrame:
    return _rows([asdict(trade) | {"net_usdt": trade.net_usdt} for trade in run.trades])


def _crises(run: Analysis) -> pl.DataFrame:
    rows = [
        (crisis.name, crisis.first_day_ms, crisis.last_day_ms, series, result, worst)
        for crisis in (*run.crises, *run.falls)
        for series, (result, worst) in crisis.results.items()
    ]
    schema = {
        "window": pl.String,
        "first_day_ms": pl.Int64,
        "last_day_ms": pl.Int64,
        "series": pl.String,
        "return": pl.Float64,
        "worst_drawdown": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def summary_of(run: Analysis) -> dict[str, Any]:
    """The report's figures for machines: facts, performance, books, trades, rules, findings."""
    waiting, silent = never_acted(run.rules)
    return {
        "facts": asdict(run.record.facts),
        "has_traded": run.has_traded,
        "findings": [{"weight": each.weight.name, "text": each.text} for each in findings_of(run)],
        "performance": {name: _performance_row(run, name) for name in run.performances},
        "years": {m.name: {str(year): value for year, value in m.by_year.items()} for m in run.months},
        "books": {
            name: asdict(book) | {"profit_before_costs_usdt": book.profit_before_costs_usdt}
            for name, book in run.books.items()
        },
        "trades": [asdict(each) for each in run.trade_stats],
        "crises": [asdict(crisis) for crisis in (*run.crises, *run.falls)],
        "rules": {each.rule: {"lines": each.lines, "orders": each.orders} for each in run.rules},
        "rules_never_acted": [each.rule for each in waiting],
        "rules_always_in_force_and_not_named": [each.rule for each in silent],
        "refusals": len(run.record.refusals),
        "time_in_state": [
            {"actor": actor, "machine": machine, "state": state, "stays": stays, "share": share}
            for actor, machine, state, stays, share in time_in_state(run.stays)
        ],
    }
