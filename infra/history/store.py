"""History files on the disk: appended whole or not at all, never silently changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from infra.faults import OperatorError
from infra.files import write_whole
from infra.history.catalog import SCHEMAS, Kind

ABSENT_FILE = ".absent.json"
"""Ranges that the exchange has twice been asked for and has nothing in, per file: not asked a third time."""


class HistoryStoreError(OperatorError, ValueError):
    """A file that is there cannot be gone on with; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row that is fetched otherwise than it is stored; the stored one stays."""

    stem: str
    ts_ms: int
    stored: str
    fetched: str

    def __str__(self) -> str:
        return f"{self.stem} at {self.ts_ms}: stored {self.stored}, fetched {self.fetched}; the stored row is kept"


def time_column(kind: Kind) -> str:
    """The name of the column that orders a file of this kind."""
    return next(iter(SCHEMAS[kind]))


def read(folder: Path, stem: str, kind: Kind) -> pl.DataFrame:
    """The rows of a file in its schema; an empty frame when it is not there.

    Raises HistoryStoreError when it cannot be read, or when its columns are others.
    """
    path = folder / f"{stem}.parquet"
    schema = SCHEMAS[kind]
    if not path.exists():
        return pl.DataFrame(schema=schema)
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise HistoryStoreError(f"{path.name} cannot be read: {error}; move it away to fetch it anew") from error
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        raise HistoryStoreError(f"{path.name} has no column {', '.join(missing)}; move it away to fetch it anew")
    return frame.select(pl.col(name).cast(kind_of) for name, kind_of in schema.items())


def merge(stem: str, kind: Kind, stored: pl.DataFrame, fetched: pl.DataFrame) -> tuple[pl.DataFrame, list[Conflict]]:
    """Both in the order of time, one row per instant; where they differ the stored row stays and is reported."""
    column = time_column(kind)
    fetched = fetched.unique(column, keep="last")
    both = stored.join(fetched, on=column, how="inner", suffix="_new", maintain_order="left")
    others = [name for name in stored.columns if name != column]
    differing = both.filter(pl.any_horizontal(pl.col(name) != pl.col(f"{name}_new") for name in others))
    conflicts = [
        Conflict(
            stem,
            int(row[column].timestamp() * 1000),
            ", ".join(f"{name} {row[name]}" for name in others if row[name] != row[f"{name}_new"]),
            ", ".join(f"{name} {row[f'{name}_new']}" for name in others if row[name] != row[f"{name}_new"]),
        )
        for row in differing.iter_rows(named=True)
    ]
    fresh = fetched.join(stored, on=column, how="anti")
    return pl.concat([stored, fresh]).sort(column), conflicts


def write(folder: Path, stem: str, frame: pl.DataFrame) -> None:
    """Replace the file in one step: a kill leaves the old one or the new one."""
    write_whole(folder / f"{stem}.parquet", frame.write_parquet)


def write_text(folder: Path, name: str, text: str) -> None:
    """The same for a text file."""
    write_whole(folder / name, lambda path: path.write_text(text, encoding="utf-8"))


def read_absent(folder: Path) -> dict[str, list[tuple[int, int]]]:
    """Known empty ranges per file, `[from, to)` in ms. Raises HistoryStoreError when the list is damaged."""
    path = folder / ABSENT_FILE
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {str(stem): [(int(a), int(b)) for a, b in ranges] for stem, ranges in data.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise HistoryStoreError(f"{path.name} is damaged: {error}; remove it to ask the exchange again") from error


def write_absent(folder: Path, absent: dict[str, list[tuple[int, int]]]) -> None:
    """Keep the known empty ranges."""
    write_text(folder, ABSENT_FILE, json.dumps(absent, indent=1, sort_keys=True))
