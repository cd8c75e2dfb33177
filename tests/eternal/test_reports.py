"""A backtest's report in pandas: every table with its instants, types and values (the owner's list has pandas)."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import eternal
from eternal.reports import INDEX
from infra.backtest import records
from infra.backtest.records import ENGINES, RunRecord
from infra.backtest.report import write_report
from infra.backtest.report.export import TABLES, with_datetimes
from tests.infra.backtest.report.sample import facts, fill, record, table

INSTANT = pd.DatetimeTZDtype("ms", "UTC")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report")
    write_report(record(), place)
    return place


def test_every_table_of_the_report_is_there(folder: Path) -> None:
    """A table that the report gains is read too."""
    written = {path.stem for path in folder.glob("*.parquet")}
    assert written == set(INDEX) == {*TABLES, "trades", "returns"}
    assert {one.name for one in fields(eternal.BacktestTables)} == {*written, "summary"}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_values_of_the_record(folder: Path, name: str) -> None:
    read = getattr(eternal.read_backtest(folder), name)
    source = with_datetimes(getattr(record(), name))
    assert read.index.name == "ts" and read.index.dtype == INSTANT
    assert list(read.columns) == [column for column in source.columns if column != "ts"]
    assert read.index.tolist() == source["ts"].to_list()
    for column in read.columns:
        assert read[column].tolist() == source[column].to_list(), column


def test_types_are_those_of_the_documentation(folder: Path) -> None:
    run = eternal.read_backtest(folder)
    assert run.fills["price"].dtype == np.float64
    assert run.fills["is_maker"].dtype == np.bool_
    assert run.fills["engine"].dtype == "str"
    assert run.transitions["rules"].tolist()[0] == ["TR-3"]
    assert run.trades.index.name == "opened"
    assert run.trades["closed"].dtype == INSTANT
    assert run.returns.index.dtype == INSTANT
    assert set(ENGINES) < set(run.returns.columns)
    assert all(kind == np.float64 for kind in run.returns.dtypes)
    assert run.summary["facts"]["is_synthetic"] is True


def test_an_open_trade_has_no_end(tmp_path: Path) -> None:
    write_report(record(fills=table([fill(10, "TREND-1", "Buy", 1.0, 100.0)], records.FILLS)), tmp_path)
    (closed,) = eternal.read_backtest(tmp_path).trades["closed"]
    assert closed is pd.NaT


def test_a_run_without_a_trade_keeps_columns_and_types(folder: Path, tmp_path: Path) -> None:
    write_report(RunRecord(facts()), tmp_path)
    full, empty = eternal.read_backtest(folder), eternal.read_backtest(tmp_path)
    for name in INDEX:
        assert len(getattr(empty, name)) == 0, name
        assert getattr(empty, name).dtypes.to_dict() == getattr(full, name).dtypes.to_dict(), name


def test_days_group_in_utc(folder: Path) -> None:
    """What a notebook does first: one line per engine, a value per month."""
    run = eternal.read_backtest(folder)
    lines = run.equity.pivot(columns="engine", values="equity_usdt")
    assert lines.resample("ME").last().iloc[-1]["TOTAL"] == lines["TOTAL"].iloc[-1]


def test_a_folder_that_is_no_report_is_refused_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(eternal.UnreadableReportError, match=r"equity\.parquet cannot be read as a part of a backtest"):
        eternal.read_backtest(tmp_path / "nowhere")
    for path in folder.glob("*.parquet"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "fills.parquet").write_bytes(b"not parquet")
    with pytest.raises(eternal.UnreadableReportError, match=r"fills\.parquet"):
        eternal.read_backtest(tmp_path)
    (tmp_path / "fills.parquet").write_bytes((folder / "prices.parquet").read_bytes())
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(eternal.UnreadableReportError, match=r"summary\.json"):
        eternal.read_backtest(tmp_path)


def test_package_and_program_of_the_same_name_do_not_collide(tmp_path: Path) -> None:
    """`import eternal` is the package, from any folder; the program of that name is `api.cli.main`."""
    code = (
        "import eternal; from importlib.metadata import entry_points as e; print(eternal.__file__, *e(name='eternal'))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert told.startswith(f"{eternal.__file__} ") and "api.cli.main:main" in told
