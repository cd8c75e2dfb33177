"""Reading one history file, Parquet or CSV, into checked columns; a malformed file is refused, never repaired."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

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


class HistoryError(ValueError):
    """The history cannot be used; the text says what is wrong and what is allowed. Nothing is started."""


class HistoryFileError(HistoryError):
    """One file is refused: names file, row (1 = first row of data), column, value and what is allowed."""

    def __init__(self, path: Path, row: int | None, column: str, value: object, allowed: str) -> None:
        where = f"row {row}, column {column!r}" if row is not None else f"column {column!r}"
        super().__init__(f"History file {path.name}, {where}: the value {value!r} is refused; {allowed}.")
        self.path, self.row, self.column, self.value, self.allowed = path, row, column, value, allowed


@dataclass(frozen=True)
class Table:
    """Raw columns of one file, by lower-case name; ``raw`` values are shown in error texts."""

    path: Path
    columns: dict[str, Sequence[Any] | pl.Series]
    rows: int

    def refuse(self, row: int, column: str, allowed: str) -> HistoryFileError:
        """The error for the value in row ``row`` (counted from 0 here, from 1 in the text)."""
        return HistoryFileError(self.path, row + 1, column, self.columns[column][row], allowed)

    def first(self, names: Sequence[str]) -> str:
        """The first of the column names that the file has. Raises ``HistoryFileError`` when it has none."""
        for name in names:
            if name in self.columns:
                return name
        present = ", ".join(self.columns) or "none"
        allowed = f"the file must have a column {' or '.join(names)}; it has {present}"
        raise HistoryFileError(self.path, None, names[0], None, allowed)


def find(folder: Path, stem: str) -> Path | None:
    """``stem.parquet`` or ``stem.csv`` in the folder; None when neither is there. Both at once are refused."""
    found = [path for path in (folder / f"{stem}.parquet", folder / f"{stem}.csv") if path.is_file()]
    if len(found) > 1:
        raise HistoryError(
            f"History folder {folder.name} holds both {found[0].name} and {found[1].name}; "
            "keep one of them, since they may differ."
        )
    return found[0] if found else None


def read_table(path: Path) -> Table:
    """All columns of the file, unchecked. Raises ``HistoryFileError`` when it is not readable as what it claims."""
    table = _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    if table.rows == 0:
        raise HistoryError(f"History file {path.name} has no rows; it must have at least one.")
    return table


def _read_parquet(path: Path) -> Table:
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise HistoryError(f"History file {path.name} is not readable as Parquet: {error}") from error
    return Table(path, {column.name.strip().lower(): column for column in frame.get_columns()}, frame.height)


def _read_csv(path: Path) -> Table:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            rows = [row for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise HistoryError(f"History file {path.name} is not readable as CSV in UTF-8: {error}") from error
    for number, row in enumerate(rows):
        if len(row) != len(header):
            column = header[len(row)] if len(row) < len(header) else f"number {len(header) + 1}"
            value = None if len(row) < len(header) else row[len(header)]
            allowed = f"every row must have the {len(header)} fields of the header, this one has {len(row)}"
            raise HistoryFileError(path, number + 1, column, value, allowed)
    columns: dict[str, Sequence[Any] | pl.Series] = {name: [row[at] for row in rows] for at, name in enumerate(header)}
    return Table(path, columns, len(rows))


def instants(table: Table, column: str) -> Times:
    """The column as milliseconds, strictly ascending. Raises ``HistoryFileError``."""
    raw = table.columns[column]
    times = _column_times(raw) if isinstance(raw, pl.Series) else None
    if times is None:
        times = np.empty(table.rows, dtype=np.int64)
        for row, value in enumerate(raw):
            parsed = parse_instant(value)
            if parsed is None:
                raise table.refuse(row, column, _TIME_ALLOWED)
            times[row] = parsed
    outside = np.flatnonzero((times < _EARLIEST_MS) | (times >= _LATEST_MS))
    if len(outside):
        raise table.refuse(int(outside[0]), column, _TIME_ALLOWED)
    backwards = np.flatnonzero(np.diff(times) <= 0)
    if len(backwards):
        row = int(backwards[0]) + 1
        raise table.refuse(row, column, f"it must be later than the row before it, {raw[row - 1]}")
    return times


def _column_times(raw: pl.Series) -> Times | None:
    if raw.null_count() or not isinstance(raw.dtype, pl.Datetime | pl.Date):
        return None
    stamps = raw.cast(pl.Datetime("ms")) if isinstance(raw.dtype, pl.Date) else raw
    return stamps.dt.timestamp("ms").to_numpy()


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
        return None if value != value or not value.is_integer() else parse_instant(int(value))
    if isinstance(value, int):
        return value * 1000 if abs(value) < _SECONDS_BELOW else value
    text = value.strip()
    try:
        return parse_instant(int(text)) if text.isdigit() else parse_instant(datetime.fromisoformat(text))
    except ValueError:
        return None


def on_grid(table: Table, column: str, times: Times, step_ms: int, tolerance_ms: int, grid: str) -> Times:
    """The instants moved to the grid they belong to. Raises ``HistoryFileError`` beyond the tolerance."""
    nearest = (times + step_ms // 2) // step_ms * step_ms
    off = np.flatnonzero(np.abs(times - nearest) > tolerance_ms)
    if len(off):
        raise table.refuse(int(off[0]), column, f"it must be {grid}")
    return np.asarray(nearest, dtype=np.int64)


def numbers(table: Table, column: str) -> Floats:
    """The column as floats, NaN for an empty field. Raises ``HistoryFileError`` for what is not a number."""
    raw = table.columns[column]
    if isinstance(raw, pl.Series) and raw.dtype.is_numeric():
        return raw.cast(pl.Float64).to_numpy()
    parsed = np.empty(table.rows, dtype=np.float64)
    for row, value in enumerate(raw):
        try:
            parsed[row] = np.nan if value is None or value == "" else float(value)
        except (TypeError, ValueError):
            raise table.refuse(row, column, "it must be a number with a decimal point") from None
    return parsed


def demand(table: Table, column: str, holds: NDArray[np.bool_], allowed: str) -> None:
    """Refuse the first row for which ``holds`` is false."""
    broken = np.flatnonzero(~holds)
    if len(broken):
        raise table.refuse(int(broken[0]), column, allowed)
