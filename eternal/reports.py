"""The tables of a backtest's report as pandas DataFrames.

Instants are UTC with a resolution of milliseconds; a table's first instant is its index. Money is USDT as float64: the
exports are for charts and statistics, the books of the system itself stay in Decimal. Quantities are coins, rates and
returns are fractions of 1. Text is pandas' `str`, lists stay lists of `str`. What is not there is NaN or NaT.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
from polars.exceptions import PolarsError

from infra.faults import OperatorError


class UnreadableReportError(OperatorError):
    """The folder is no report of a backtest, or a file in it cannot be read. Nothing was read."""


@dataclass(frozen=True)
class BacktestTables:
    """What one run left. Each table is indexed by its instant (`ts`, `trades` by `opened`, `returns` by `day`)."""

    equity: pd.DataFrame
    """Per engine and close (00:00 UTC): `equity_usdt`, `cash_usdt`, `exposure_usdt`, `net_flow_usdt`,
    `outflow_usdt`."""

    prices: pd.DataFrame
    """Daily closes of spot per `symbol`: `close`."""

    fills: pd.DataFrame
    """Every fill: engine, symbol, side, `quantity`, `price`, `fee_usdt` (positive: paid), `realised_usdt`, purpose."""

    funding: pd.DataFrame
    """Funding payments: `amount_usdt` (positive: received)."""

    transfers: pd.DataFrame
    """Transfers between accounts: source, target, `amount_usdt`, coin, `quantity`, reason."""

    transitions: pd.DataFrame
    """Transitions of the state machines with the rules that they carry out (`rules`: a list) and the reason."""

    refusals: pd.DataFrame
    """Orders that the risk manager refused, with check and reason."""

    trades: pd.DataFrame
    """Round trips derived from the fills; `closed` is NaT while one is open."""

    returns: pd.DataFrame
    """Daily returns (fractions of 1), one column per engine, TOTAL and benchmark."""

    summary: Mapping[str, Any]
    """Facts, findings and figures of the report as `summary.json` has them."""


INDEX = {
    "equity": "ts",
    "prices": "ts",
    "fills": "ts",
    "funding": "ts",
    "transfers": "ts",
    "transitions": "ts",
    "refusals": "ts",
    "trades": "opened",
    "returns": "day",
}
"""Each table of a report and the instant that is its index."""


def read_backtest(folder: str | Path) -> BacktestTables:
    """The report that `eternal backtest --out folder` wrote.

    Raises:
        UnreadableReportError: the folder lacks a file of a report, or one cannot be read.
    """
    place = Path(folder)
    tables = {name: _table(place / f"{name}.parquet", index) for name, index in INDEX.items()}
    return BacktestTables(**tables, summary=_summary(place / "summary.json"))


def _table(file: Path, index: str) -> pd.DataFrame:
    try:
        source = pl.read_parquet(file)
    except (OSError, PolarsError) as error:
        raise _unreadable(file, error) from None
    if index not in source.columns:
        raise _unreadable(file, f"it has no column {index!r}")
    return pd.DataFrame({name: _column(source[name]) for name in source.columns}).set_index(index)


def _column(source: pl.Series) -> pd.Series[Any]:
    if isinstance(source.dtype, pl.Datetime):
        instants = source.dt.replace_time_zone(None).dt.cast_time_unit("ms").to_numpy()
        return pd.Series(instants).dt.tz_localize("UTC")
    if source.dtype == pl.String:
        return pd.Series(source.to_list(), dtype="str")
    if isinstance(source.dtype, pl.List):
        return pd.Series(source.to_list(), dtype="object")
    return pd.Series(source.to_numpy())


def _summary(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from None
    return found


def _unreadable(file: Path, why: object) -> UnreadableReportError:
    first = str(why).splitlines()[0]
    return UnreadableReportError(
        f"{file} cannot be read as a part of a backtest's report: {first}. Name the folder that was given to "
        "`eternal backtest --out`; a run that was interrupted before its report leaves none."
    )
