"""Reading one history file, Parquet or CSV, into columns of instants and numbers; nothing is repaired.

What cannot be read is a finding that names file, row (1 = first row of data), column, value and what is allowed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from infra.simulator.market.findings import Finding, found, where, whole
from infra.simulator.market.series import Floats, Times

_SECONDS_BELOW = 100_000_000_000
"""An epoch number below this is seconds (until the year 5138), from it on milliseconds (since 1973)."""

_EARLIEST_MS = 1_230_768_000_000
"""2009-01-01: no coin has a price before its first block."""

_LATEST_MS = 4_102_444_800_000
"""2100-01-01."""

_TIME_ALLOWED = (
    "it must be an instant between 2009 and 2100 as an ISO date or date and time (UTC unless it says otherwise), "
    "or as whole seconds or milliseconds since the epoch"
)
_FINER_UNITS = {10**3: "microseconds", 10**6: "nanoseconds"}
_SLASHED = re.compile(r"\s*\d{1,4}[/.]\d{1,2}[/.]\d{2,4}\b")
_LONGEST_SHOWN = 60


class UnreadableError(ValueError):
    """A file or column that cannot be read; carries the findings that say why."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(str(one) for one in findings))
        self.findings = tuple(findings)


@dataclass(frozen=True)
class Table:
    """Raw columns of one file, by lower-case name; their values are shown in findings.

    `findings` name the rows that were left out; `places` are the rows in the file (from 0) of those that are here.
    """

    path: Path
    columns: dict[str, Sequence[Any] | pl.Series]
    rows: int
    findings: tuple[Finding, ...] = ()
    places: Times | None = None

    @property
    def file(self) -> str:
        """The file's name."""
        return self.path.name

    def number(self, row: int) -> int:
        """The row's number in the file, from 1."""
        return row + 1 if self.places is None else int(self.places[row]) + 1

    def only(self, keep: Times) -> Table:
        """Some of the rows, in this order; findings about them name their place in the file."""
        columns: dict[str, Sequence[Any] | pl.Series] = {
            name: values.gather(keep.tolist()) if isinstance(values, pl.Series) else [values[int(at)] for at in keep]
            for name, values in self.columns.items()
        }
        places = keep if self.places is None else self.places[keep]
        return Table(self.path, columns, len(keep), self.findings, places)

    def shown(self, row: int, column: str, allowed: str) -> str:
        """The sentence about the value in `row` (counted from 0 here, from 1 in the text)."""
        value = _short(self.columns[column][row])
        return f"row {self.number(row)}, column {column!r}: the value {value} is refused; {allowed}"

    def first(self, names: Sequence[str]) -> str:
        """The first of the column names that the file has. Raises `UnreadableError` when it has none."""
        for name in names:
            if name in self.columns:
                return name
        text = f"the file must have a column {' or '.join(names)}; it has {', '.join(self.columns) or 'none'}"
        raise UnreadableError([whole(self.file, "missing columns", text)])


def read_table(path: Path) -> Table:
    """All columns of the file, unchecked. Raises `UnreadableError` when it is not readable as what it claims."""
    table = _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    if table.rows == 0:
        raise UnreadableError([whole(path.name, "empty files", "the file has no rows; it must have at least one")])
    return table


def _read_parquet(path: Path) -> Table:
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _unreadable(path, "Parquet", error) from error
    return Table(path, {column.name.strip().lower(): column for column in frame.get_columns()}, frame.height)


def _read_csv(path: Path) -> Table:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            rows = [row for row in reader if row]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise _unreadable(path, "CSV in UTF-8", error) from error
    uneven = where(np.array([len(row) != len(header) for row in rows], dtype=np.bool_))
    text = f"every row must have the {len(header)} fields of the header"
    findings = found(path.name, "uneven rows", uneven, lambda r: f"row {r + 1} has {len(rows[r])} fields; {text}")
    even = np.setdiff1d(np.arange(len(rows), dtype=np.int64), uneven)
    if findings and not len(even):
        raise UnreadableError(findings)
    columns: dict[str, Sequence[Any] | pl.Series] = {
        name: [rows[int(row)][at] for row in even] for at, name in enumerate(header)
    }
    return Table(path, columns, len(even), tuple(findings), even)


def _unreadable(path: Path, what: str, error: BaseException) -> UnreadableError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return UnreadableError([whole(path.name, "unreadable files", f"{path.name} is not readable as {what}: {reason}")])


def instants(table: Table, column: str) -> tuple[Times, Times, list[Finding]]:
    """The column as milliseconds, the rows in which there is no instant between 2009 and 2100, and the findings."""
    raw = table.columns[column]
    times = _column_times(raw) if isinstance(raw, pl.Series) else None
    if times is None:
        times = np.array([_bounded(parse_instant(value)) for value in raw], dtype=np.int64)
    bad = where((times < _EARLIEST_MS) | (times >= _LATEST_MS))
    findings = found(
        table.file,
        "values that are no instant",
        bad,
        lambda row: table.shown(row, column, _TIME_ALLOWED + _time_hint(raw[row])),
    )
    return times, bad, findings


def numbers(table: Table, column: str) -> tuple[Floats, Times, list[Finding]]:
    """The column as floats, NaN for an empty field; the rows in which there is no number, and the findings."""
    raw = table.columns[column]
    if isinstance(raw, pl.Series) and raw.dtype.is_numeric():
        floats = raw.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
        return floats, np.empty(0, dtype=np.int64), []
    parsed = [_number(value) for value in raw]
    bad = where(np.array([value is None for value in parsed], dtype=np.bool_))
    findings = found(
        table.file,
        f"values of {column} that are no number",
        bad,
        lambda row: table.shown(row, column, "it must be a number with a decimal point"),
    )
    return np.array(parsed, dtype=np.float64), bad, findings


def parse_instant(value: object) -> int | None:
    """Milliseconds of an ISO text, a datetime or an epoch number (s or ms); None when it is none of them."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1000)
    if isinstance(value, date):
        return round(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp() * 1000)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float):
        return parse_instant(int(value)) if value.is_integer() else None
    if isinstance(value, int):
        return value * 1000 if abs(value) < _SECONDS_BELOW else value
    text = value.strip()
    try:
        return parse_instant(int(text)) if text.isdigit() else parse_instant(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _column_times(raw: pl.Series) -> Times | None:
    if raw.null_count() or not isinstance(raw.dtype, pl.Datetime | pl.Date):
        return None
    stamps = raw.cast(pl.Datetime("ms")) if isinstance(raw.dtype, pl.Date) else raw
    return stamps.dt.timestamp("ms").to_numpy().astype(np.int64)


def _bounded(instant_ms: int | None) -> int:
    return instant_ms if instant_ms is not None and 0 <= instant_ms < _LATEST_MS else 0


def _time_hint(value: object) -> str:
    """What a refused instant probably is, so that the user need not guess."""
    text = str(value).strip()
    if _SLASHED.match(text):
        return "; which part of it is the month is ambiguous: write it as 2024-01-31"
    if text.isdigit() and len(text) < 25:
        for factor, unit in _FINER_UNITS.items():
            if _EARLIEST_MS <= int(text) // factor < _LATEST_MS:
                return f"; it looks like {unit} since the epoch: divide it by {factor:,}"
    return ""


def _number(value: object) -> float | None:
    if value is None or value == "":
        return float("nan")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 4]}...{text[-1]}"
