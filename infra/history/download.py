"""Fetching a history folder: what is missing on the grid, page by page; interrupted at any point it resumes there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from infra.bybit.market import BARS_A_PAGE, RATES_A_PAGE
from infra.feeds.fear_greed import parse_fear_greed
from infra.feeds.source import GetJson
from infra.history import store
from infra.history.catalog import FEAR_GREED_STEM, INSTRUMENTS_FILE, SCHEMAS, Kind, Series
from infra.history.source import Rows
from infra.history.store import Conflict
from statemachines.values import DAY_MS, LINEAR, SPOT, Category

PAGES_BETWEEN_WRITES = 10
FUNDING_GRID_MS = 8 * 3_600_000

Range = tuple[int, int]
"""`[from, to)` in ms."""

Progress = Callable[[str, int, int], None]
"""`progress(stem, done, whole)` in milliseconds of history."""


class Source(Protocol):
    """Where pages come from."""

    def now_ms(self) -> int: ...

    def page(self, series: Series, from_ms: int, to_ms: int) -> Rows: ...

    def instruments(self, category: Category, symbols: list[str]) -> list[dict[str, Any]]: ...


@dataclass(slots=True)
class Outcome:
    """What a download did to one file. `gaps` are ranges that the exchange has nothing in between what it has."""

    stem: str
    rows: int = 0
    added: int = 0
    gaps: list[Range] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)


class Downloader:
    """Brings a folder up to `until_ms` (closed bars only) from `from_ms` on.

    Raises GatewayError, FeedUnavailableError, HistoryStoreError or OSError; what was fetched before stays.
    """

    def __init__(self, source: Source, folder: Path, from_ms: int, until_ms: int | None, progress: Progress) -> None:
        self._source = source
        self._folder = folder
        self._from_ms = from_ms
        now_ms = source.now_ms()
        self._until_ms = now_ms if until_ms is None else min(until_ms, now_ms)
        self._progress = progress
        folder.mkdir(parents=True, exist_ok=True)
        self._absent = store.read_absent(folder)

    def fetch(self, series: Series) -> Outcome:
        """One file. Every missing range is asked for; one that stays empty is asked for once more, then remembered."""
        outcome = Outcome(series.stem)
        frame = store.read(self._folder, series.stem, series.kind)
        first = -(-self._from_ms // series.step_ms) * series.step_ms
        # A bar is closed when the next one has begun.
        last = self._until_ms // series.step_ms * series.step_ms
        before = frame.height
        frame, outcome.conflicts = self._fetch_ranges(series, frame, first, last)
        outcome.rows, outcome.added = frame.height, frame.height - before
        outcome.gaps = [gap for gap in _missing(frame, series, first, last) if _is_inside(gap, frame, series)]
        return outcome

    def instruments(self, symbols: list[str]) -> None:
        """Today's filters: what an order must obey; the history of filters is not published."""
        document: dict[str, Any] = {
            "read_at": datetime.fromtimestamp(self._source.now_ms() / 1000, UTC).isoformat(),
            **{category: self._source.instruments(category, symbols) for category in (SPOT, LINEAR)},
        }
        store.write_text(self._folder, INSTRUMENTS_FILE, json.dumps(document, indent=2))

    def fear_greed(self, get_json: GetJson) -> Outcome:
        """The whole published index, one value per day."""
        values = parse_fear_greed(get_json("/fng/", {"limit": 0, "format": "json"}))
        rows = [(at // DAY_MS * DAY_MS, value) for at, value in values]
        fetched = _frame(sorted(rows), Kind.FEAR_GREED)
        stored = store.read(self._folder, FEAR_GREED_STEM, Kind.FEAR_GREED)
        frame, conflicts = store.merge(FEAR_GREED_STEM, Kind.FEAR_GREED, stored, fetched)
        store.write(self._folder, FEAR_GREED_STEM, frame)
        return Outcome(FEAR_GREED_STEM, frame.height, frame.height - stored.height, conflicts=conflicts)

    def _fetch_ranges(
        self, series: Series, frame: pl.DataFrame, first: int, last: int
    ) -> tuple[pl.DataFrame, list[Conflict]]:
        conflicts: list[Conflict] = []
        gathered: Rows = []
        holes: list[Range] = []
        wanted = _without(_missing(frame, series, first, last), self._absent.get(series.stem, []))
        wanted = _with_a_look_back(wanted, frame, series)
        pages = [page for missing in wanted for page in _pages(missing, series)]
        try:
            for number, (from_ms, to_ms) in enumerate(pages, 1):
                rows = self._source.page(series, from_ms, to_ms) or self._source.page(series, from_ms, to_ms)
                gathered += rows
                holes += _holes(rows, series, from_ms, to_ms)
                self._progress(series.stem, to_ms - first, last - first)
                if number % PAGES_BETWEEN_WRITES == 0:
                    frame, found = self._keep(series, frame, gathered, holes)
                    conflicts += found
                    gathered = []
        finally:
            frame, found = self._keep(series, frame, gathered, holes)
            conflicts += found
        return frame, conflicts

    def _keep(
        self, series: Series, frame: pl.DataFrame, rows: Rows, holes: list[Range]
    ) -> tuple[pl.DataFrame, list[Conflict]]:
        conflicts: list[Conflict] = []
        if rows:
            frame, conflicts = store.merge(series.stem, series.kind, frame, _frame(rows, series.kind))
            store.write(self._folder, series.stem, frame)
        # What lies after the newest row may only not have happened yet.
        newest_ms = int(_times(frame)[-1]) if frame.height else 0
        known = set(self._absent.get(series.stem, []))
        self._absent[series.stem] = sorted(known | {hole for hole in holes if hole[1] <= newest_ms})
        store.write_absent(self._folder, self._absent)
        return frame, conflicts


def _frame(rows: Sequence[tuple[Any, ...]], kind: Kind) -> pl.DataFrame:
    schema = SCHEMAS[kind]
    column = store.time_column(kind)
    raw = pl.DataFrame(rows, schema={**schema, column: pl.Int64}, orient="row")
    return raw.with_columns(pl.from_epoch(column, "ms").dt.replace_time_zone("UTC").cast(schema[column]))


def _times(frame: pl.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    return frame[frame.columns[0]].dt.timestamp("ms").to_numpy().astype(np.int64)


def _grid_ms(series: Series) -> int:
    return FUNDING_GRID_MS if series.kind is Kind.FUNDING else series.step_ms


def _missing(frame: pl.DataFrame, series: Series, first: int, last: int) -> list[Range]:
    """Runs of the grid without a row. Funding may settle more often than the grid; that is never a gap."""
    step = _grid_ms(series)
    grid = np.arange(-(-first // step) * step, last, step, dtype=np.int64)
    lacking = grid[~np.isin(grid, _times(frame) // step * step)]
    if not len(lacking):
        return []
    breaks = np.flatnonzero(np.diff(lacking) != step)
    heads = np.concatenate(([0], breaks + 1))
    tails = np.concatenate((breaks, [len(lacking) - 1]))
    return [(int(lacking[a]), int(lacking[b]) + step) for a, b in zip(heads, tails, strict=True)]


def _without(ranges: list[Range], absent: Sequence[Range]) -> list[Range]:
    """Ranges less what is known to be empty."""
    for empty_from, empty_to in absent:
        ranges = [
            part
            for start, end in ranges
            for part in ((start, min(end, empty_from)), (max(start, empty_to), end))
            if part[0] < part[1]
        ]
    return ranges


def _with_a_look_back(ranges: list[Range], frame: pl.DataFrame, series: Series) -> list[Range]:
    """The newest stored row is fetched once more: at the seam it shows whether the exchange still returns the same."""
    if not frame.height or not ranges:
        return ranges
    newest = int(_times(frame)[-1])
    step = _grid_ms(series)
    return [(start - step if start - step == newest // step * step else start, end) for start, end in ranges]


def _pages(missing: Range, series: Series) -> Iterator[Range]:
    start, end = missing
    size = (RATES_A_PAGE if series.kind is Kind.FUNDING else BARS_A_PAGE) * series.step_ms
    while start < end:
        yield start, min(start + size, end)
        start += size


def _holes(rows: Rows, series: Series, from_ms: int, to_ms: int) -> list[Range]:
    return _missing(_frame(rows, series.kind), series, from_ms, to_ms)


def _is_inside(gap: Range, frame: pl.DataFrame, series: Series) -> bool:
    """Before the first and after the last row nothing is missing: the symbol was not listed, or is not any more."""
    times = _times(frame)
    return bool(len(times)) and bool(times[0] < gap[0]) and gap[1] <= int(times[-1]) + _grid_ms(series)
