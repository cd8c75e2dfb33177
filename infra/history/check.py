"""Looking over a history folder: gaps, repeats, disorder, impossible and improbable values, file by file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from infra.simulator.market.files import parse_instant
from statemachines.values import DAY_MS, HOUR_MS

OUTLIER_SIGMA = 12.0
"""A close-to-close move of more than this many robust deviations (1.4826 × the median move) of its neighbourhood."""

NEIGHBOURHOOD = 500
"""Bars on which the ordinary move is measured, around the bar."""

LEAST_MOVE = 0.15
"""Moves smaller than this are never called outliers: quiet weeks make small deviations."""

ZERO_VOLUME_RUN = 3
MOST_EXAMPLES = 5
FUNDING_STEP_MS = 8 * HOUR_MS
_TOLERANCE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of defect of one file: how often, and the first of them in full."""

    file: str
    kind: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        shown = "; ".join(self.examples)
        more = "; ..." if self.count > len(self.examples) else ""
        return f"{self.file}: {self.count} {self.kind}: {shown}{more}"


@dataclass(frozen=True, slots=True)
class FileReport:
    """What a file holds and what is wrong with it."""

    file: str
    rows: int
    first: str
    last: str
    findings: tuple[Finding, ...]


class FolderError(ValueError):
    """The folder or a file in it cannot be read at all."""


def check_folder(folder: Path) -> list[FileReport]:
    """Every Parquet and CSV file whose name says what it is, in the order of their names.

    Raises FolderError when there is no such folder, nothing in it, or a file that cannot be read.
    """
    if not folder.is_dir():
        raise FolderError(f"The folder {folder} does not exist; it must be a folder of history files.")
    paths = sorted(p for p in folder.iterdir() if p.suffix in (".parquet", ".csv") and _kind(p.stem) is not None)
    if not paths:
        raise FolderError(f"The folder {folder} holds no history file, e.g. btc_usdt_spot_1h.parquet.")
    return [check_file(path) for path in paths]


def check_file(path: Path) -> FileReport:
    """One file. Raises FolderError when it cannot be read or lacks a column."""
    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FolderError(f"{path.name} cannot be read: {error}") from error
    kind = _kind(path.stem)
    assert kind is not None
    column = next((name for name in ("ts", "date") if name in frame.columns), None)
    values = _values(kind)
    missing = [name for name in values if name not in frame.columns]
    if column is None or missing:
        wanted = ", ".join(["ts (or date)"] if column is None else missing)
        raise FolderError(f"{path.name} has no column {wanted}; it has {', '.join(frame.columns) or 'none'}.")
    times = _times(path, frame, column)
    numbers = {name: _numbers(path, frame, name) for name in values}
    findings = [
        *_order(path.name, times, kind),
        *_gaps(path.name, times, kind),
        *_ranges(path.name, times, numbers, kind),
    ]
    if kind in ("1h", "1d"):
        has_volume = "volume" in frame.columns and "_mark_" not in path.stem  # nobody trades at the mark price
        volume = _numbers(path, frame, "volume") if has_volume else None
        findings += [*_shapes(path.name, times, numbers), *_outliers(path.name, times, numbers["close"])]
        findings += _silence(path.name, times, volume)
    first, last = (utc(int(times.min())), utc(int(times.max()))) if len(times) else ("", "")
    return FileReport(path.name, len(times), first, last, tuple(findings))


def _kind(stem: str) -> str | None:
    if stem.startswith("funding_"):
        return "funding"
    if stem == "fear_greed":
        return stem
    if stem.endswith(("_1h", "_1d")) and "_usdt_" in stem:
        return stem[-2:]
    return None


def _values(kind: str) -> tuple[str, ...]:
    return {"funding": ("rate",), "fear_greed": ("value",)}.get(kind, ("open", "high", "low", "close"))


Times = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def _times(path: Path, frame: pl.DataFrame, column: str) -> Times:
    raw = frame[column]
    if isinstance(raw.dtype, pl.Datetime) and not raw.null_count():
        return raw.dt.timestamp("ms").to_numpy().astype(np.int64)
    found = np.empty(len(raw), dtype=np.int64)
    for row, value in enumerate(raw):
        parsed = parse_instant(value)
        if parsed is None:
            raise FolderError(f"{path.name}, row {row + 1}, column {column!r}: {value!r} is no instant.")
        found[row] = parsed
    return found


def _numbers(path: Path, frame: pl.DataFrame, column: str) -> Floats:
    raw = frame[column]
    if not raw.dtype.is_numeric():
        raise FolderError(f"{path.name}, column {column!r}: its type is {raw.dtype}; numbers are required.")
    return raw.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)


def _found(file: str, kind: str, places: Times, texts: Iterator[str]) -> Iterator[Finding]:
    if len(places):
        yield Finding(
            file, kind, len(places), tuple(text for text, _ in zip(texts, range(MOST_EXAMPLES), strict=False))
        )


def _order(file: str, times: Times, kind: str) -> Iterator[Finding]:
    steps = np.diff(times)
    repeated = np.flatnonzero(steps == 0) + 1
    backward = np.flatnonzero(steps < 0) + 1
    yield from _found(file, "duplicate rows", repeated, (utc(int(times[row])) for row in repeated))
    yield from _found(
        file,
        "rows out of order",
        backward,
        (f"{utc(int(times[r]))} after {utc(int(times[r - 1]))}" for r in backward),
    )
    step = {"1h": HOUR_MS, "funding": HOUR_MS}.get(kind, DAY_MS)
    tolerance = _TOLERANCE_MS if kind == "funding" else 0
    distance = np.minimum(times % step, step - times % step)
    off = np.flatnonzero(distance > tolerance)
    yield from _found(file, "rows off the grid", off, (utc(int(times[row])) for row in off))


def _gaps(file: str, times: Times, kind: str) -> Iterator[Finding]:
    step = {"1h": HOUR_MS, "funding": FUNDING_STEP_MS}.get(kind, DAY_MS)
    grid = HOUR_MS if kind == "funding" else step  # rates may settle more often than every eight hours
    ordered = np.unique((times + grid // 2) // grid * grid)
    steps = np.diff(ordered)
    places = np.flatnonzero(steps > step)
    if not len(places):
        return
    missing = int(np.sum(steps[places] // step - 1))
    unit = {"1h": "hours", "funding": "settlements"}.get(kind, "days")
    texts = tuple(
        f"{int(steps[p] // step - 1)} from {utc(int(ordered[p]) + step)}"
        for p in places[np.argsort(-steps[places])][:MOST_EXAMPLES]
    )
    yield Finding(file, f"missing {unit}", missing, texts)


def _ranges(file: str, times: Times, numbers: dict[str, Floats], kind: str) -> Iterator[Finding]:
    low, high, allowed = {
        "funding": (-0.1, 0.1, "-0.1 to 0.1 is allowed"),
        "fear_greed": (0.0, 100.0, "0 to 100 is allowed"),
    }.get(kind, (1e-12, 1e12, "a price above 0 is required"))
    for name, values in numbers.items():
        bad = np.flatnonzero(~((values >= low) & (values <= high)))
        texts = (f"{utc(int(times[row]))} {name} {values[row]}; {allowed}" for row in bad)
        yield from _found(file, f"impossible values of {name}", bad, texts)


def _shapes(file: str, times: Times, numbers: dict[str, Floats]) -> Iterator[Finding]:
    top = np.maximum(numbers["open"], numbers["close"])
    bottom = np.minimum(numbers["open"], numbers["close"])
    bad = np.flatnonzero((numbers["high"] < top) | (numbers["low"] > bottom))
    texts = (
        f"{utc(int(times[r]))} open {numbers['open'][r]}, high {numbers['high'][r]}, low {numbers['low'][r]}, "
        f"close {numbers['close'][r]}; high and low must enclose open and close"
        for r in bad
    )
    yield from _found(file, "inconsistent bars", bad, texts)


def _outliers(file: str, times: Times, close: Floats) -> Iterator[Finding]:
    if len(close) < 3 or not bool((close > 0).all()):
        return
    moves = np.abs(np.diff(np.log(close)))
    usual = pl.Series(moves).rolling_median(NEIGHBOURHOOD, min_samples=min(20, len(moves)), center=True)
    limit = np.maximum(usual.fill_null(np.inf).to_numpy() * 1.4826 * OUTLIER_SIGMA, LEAST_MOVE)
    bad = np.flatnonzero(moves > limit)
    texts = (f"{utc(int(times[r + 1]))} close {close[r + 1]} after {close[r]}" for r in bad)
    yield from _found(file, "outliers", bad + 1, texts)


def _silence(file: str, times: Times, volume: Floats | None) -> Iterator[Finding]:
    if volume is None:
        return
    negative = np.flatnonzero(~(volume >= 0))
    yield from _found(
        file,
        "impossible values of volume",
        negative,
        (f"{utc(int(times[r]))} {volume[r]}; 0 or more" for r in negative),
    )
    is_zero = np.concatenate(([False], volume == 0, [False]))
    edges = np.flatnonzero(np.diff(is_zero.astype(np.int8)))
    runs = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= ZERO_VOLUME_RUN]
    if runs:
        texts = tuple(f"{b - a} rows from {utc(int(times[a]))}" for a, b in runs[:MOST_EXAMPLES])
        yield Finding(file, "runs without volume", len(runs), texts)


def utc(instant_ms: int) -> str:
    """As "2024-03-01 08:00"."""
    return datetime.fromtimestamp(instant_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
