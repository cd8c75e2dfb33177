"""The canonical projection of a run: what was decided and what came of it, without names that a refactoring may change.

One line per fill, funding payment, transfer, refusal and day's books; grouped by engine and year (UTC). Figures are the
shortest text of their float64, so two runs give equal lines exactly when the recorded values are equal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from infra.backtest.records import RULE_ID, RunRecord

Group = tuple[str, int]
"""Engine (CORE-HODL, TREND-1, ..., MASTER, TOTAL) and year."""

Projection = Mapping[Group, list[str]]

# At one instant: a day's books are taken at midnight, before that midnight's decisions.
_DAY, _REFUSAL, _FILL, _FUNDING, _TRANSFER = range(5)


def project(record: RunRecord) -> Projection:
    """The run's lines by engine and year, in the order of time."""
    found: dict[Group, list[tuple[int, int, str]]] = defaultdict(list)
    for ts_ms, engine, rank, text in _lines(record):
        instant = datetime.fromtimestamp(ts_ms / 1000, UTC)
        # A day's books are written at the midnight that ends it: they belong to the year that they close.
        year = datetime.fromtimestamp((ts_ms - (1 if rank == _DAY else 0)) / 1000, UTC).year
        found[engine, year].append((ts_ms, rank, f"{instant:%Y-%m-%dT%H:%M:%S}.{ts_ms % 1000:03d}Z {text}"))
    # Stable: lines of one instant and kind stay in the order in which they were recorded.
    return {group: [line for _, _, line in sorted(rows, key=lambda row: row[:2])] for group, rows in found.items()}


def _lines(record: RunRecord) -> Iterator[tuple[int, str, int, str]]:
    for row in _rows(record.refusals):
        yield row["ts_ms"], row["engine"], _REFUSAL, "order refused"
    for row in _rows(record.fills):
        kind = "maker" if row["is_maker"] else "taker"
        rules = " ".join(sorted(set(RULE_ID.findall(row["purpose"]))))
        text = (
            f"fill {row['category']} {row['symbol']} {row['side']} {_number(row['quantity'])} at "
            f"{_number(row['price'])} {kind} fee {_number(row['fee_usdt'])} realised {_number(row['realised_usdt'])} "
            f"{row['kind']} [{rules}]"
        )
        yield row["ts_ms"], row["engine"], _FILL, text
    for row in _rows(record.funding):
        yield row["ts_ms"], row["engine"], _FUNDING, f"funding {row['symbol']} {_number(row['amount_usdt'])}"
    for row in _rows(record.transfers):
        rules = " ".join(sorted(set(RULE_ID.findall(row["reason"]))))
        text = f"transfer to {row['target']} {_number(row['amount_usdt'])} [{rules}]"
        yield row["ts_ms"], row["source"], _TRANSFER, text
    for row in _rows(record.equity):
        text = (
            f"books equity {_number(row['equity_usdt'])} cash {_number(row['cash_usdt'])} "
            f"exposure {_number(row['exposure_usdt'])} flow {_number(row['net_flow_usdt'])}"
        )
        yield row["ts_ms"], row["engine"], _DAY, text


def _rows(table: pl.DataFrame) -> Iterator[dict[str, Any]]:
    return table.iter_rows(named=True)


def _number(value: float) -> str:
    return repr(value + 0.0)  # -0.0 and 0.0 are one amount
