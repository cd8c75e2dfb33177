"""Bars of one symbol in numpy arrays, found by time in O(1) and turned into Decimal only when asked for."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from infra.simulator.market.port import Bar

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

MAX_DIGITS = 10
"""A float whose shortest text is no longer than this has at most 8 decimals."""

_CACHED_BARS = 4096
"""Decimal bars kept per series: a year of hours half over, or eleven years of days."""

_BLOCK = 256
"""Rows taken out of the arrays at once: single elements cost as much as a few hundred."""


def decimal_of(value: float) -> Decimal:
    """The decimal number a file meant by a float: its shortest representation, at most 8 decimals, no trailing zero."""
    if value.is_integer():
        return Decimal(int(value))
    shortest = repr(value)
    if len(shortest) > MAX_DIGITS or "e" in shortest:
        value = round(value, 8)
        shortest = str(int(value)) if value.is_integer() else repr(value)
    return Decimal(shortest)


class Series:
    """Bars of equal length ``step_ms`` with strictly ascending starts on one grid; gaps are allowed.

    Raises ``ValueError`` when there is no bar, or a start is off the grid of the first one.
    """

    def __init__(
        self, step_ms: int, starts: Times, open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats
    ) -> None:
        if len(starts) == 0:
            raise ValueError("A series of bars needs at least one bar; it got none.")
        self.step_ms = step_ms
        self.starts = np.ascontiguousarray(starts, dtype=np.int64)
        self.open, self.high, self.low, self.close, self.volume = open_, high, low, close, volume
        self.first_ms = int(self.starts[0])
        self.last_ms = int(self.starts[-1])
        slots, off_grid = np.divmod(self.starts - self.first_ms, step_ms)
        if bool(off_grid.any()) or bool((np.diff(slots) <= 0).any()):
            raise ValueError(f"Bars must start in ascending order on a grid of {step_ms} ms.")
        self._row_of_slot = np.full(int(slots[-1]) + 1, -1, dtype=np.int32)
        self._row_of_slot[slots] = np.arange(len(slots), dtype=np.int32)
        self._slots = len(self._row_of_slot)
        self._cache: dict[int, Bar] = {}
        self._block: tuple[int, list[tuple[int, float, float, float, float, float]]] = (-1, [])

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def missing(self) -> int:
        """How many bars are missing between the first and the last."""
        return len(self._row_of_slot) - len(self.starts)

    def row_at(self, start_ms: int) -> int | None:
        """Row of the bar that starts exactly there; None if there is none."""
        slot, off_grid = divmod(start_ms - self.first_ms, self.step_ms)
        if off_grid or not 0 <= slot < self._slots:
            return None
        row = self._row_of_slot.item(slot)
        return None if row < 0 else row

    def at(self, start_ms: int) -> Bar | None:
        """The bar that starts exactly there; None if there is none."""
        cached = self._cache.get(start_ms)
        if cached is not None:
            return cached
        row = self.row_at(start_ms)
        return None if row is None else self.bar(row)

    def last_before(self, instant_ms: int) -> Bar | None:
        """The newest bar that starts before the instant; None if there is none."""
        row = int(np.searchsorted(self.starts, instant_ms, side="left")) - 1
        return None if row < 0 else self.bar(row)

    def window(self, from_ms: int, to_ms: int, limit: int) -> list[Bar]:
        """The newest ``limit`` bars with ``from_ms <= start <= to_ms``, oldest first."""
        end = int(np.searchsorted(self.starts, to_ms, side="right"))
        begin = max(int(np.searchsorted(self.starts, from_ms, side="left")), end - max(limit, 0))
        return [self.bar(row) for row in range(begin, end)]

    def bar(self, row: int) -> Bar:
        """The bar of a row; its turnover is volume times the bar's typical price, since files carry none."""
        start_ms, open_, high, low, close, volume = self._numbers(row)
        cached = self._cache.get(start_ms)
        if cached is not None:
            return cached
        bar = Bar(
            start_ms,
            decimal_of(open_),
            decimal_of(high),
            decimal_of(low),
            decimal_of(close),
            decimal_of(volume),
            Decimal(repr(round(volume * (high + low + close) / 3, 4))),
        )
        if len(self._cache) >= _CACHED_BARS:
            self._cache.clear()
        self._cache[start_ms] = bar
        return bar

    def _numbers(self, row: int) -> tuple[int, float, float, float, float, float]:
        number, offset = divmod(row, _BLOCK)
        if self._block[0] != number:
            rows = slice(number * _BLOCK, (number + 1) * _BLOCK)
            columns = (self.starts, self.open, self.high, self.low, self.close, self.volume)
            self._block = (number, list(zip(*(column[rows].tolist() for column in columns), strict=True)))
        return self._block[1][offset]

    def rows(self, keep: NDArray[np.bool_]) -> Series:
        """The series of the rows for which ``keep`` is true."""
        return Series(
            self.step_ms,
            self.starts[keep],
            self.open[keep],
            self.high[keep],
            self.low[keep],
            self.close[keep],
            self.volume[keep],
        )


def resampled(series: Series, step_ms: int, anchor_ms: int) -> Series | None:
    """Longer bars whose starts are ``anchor_ms`` plus a multiple of ``step_ms``.

    A first bar that would begin before the data is left out (it is not complete); gaps inside a bar are skipped,
    a bar without any part does not exist. None when nothing is left.
    """
    bucket = (series.starts - anchor_ms) // step_ms
    heads = np.concatenate(([0], np.flatnonzero(np.diff(bucket)) + 1))
    tails = np.append(heads[1:], len(bucket)) - 1
    starts = bucket[heads] * step_ms + anchor_ms
    whole = starts >= series.first_ms
    if not bool(whole.any()):
        return None
    return Series(
        step_ms,
        starts,
        series.open[heads],
        np.maximum.reduceat(series.high, heads),
        np.minimum.reduceat(series.low, heads),
        series.close[tails],
        np.add.reduceat(series.volume, heads),
    ).rows(whole)


def overlaid(base: Series | None, over: Series | None) -> Series | None:
    """The bars of ``over``, and those of ``base`` where ``over`` has none; None when both are None."""
    if base is None or over is None:
        return over if base is None else base
    keep = ~np.isin(base.starts, over.starts)
    starts = np.concatenate((base.starts[keep], over.starts))
    order = np.argsort(starts, kind="stable")

    def joined(low: Floats, high: Floats) -> Floats:
        return np.concatenate((low[keep], high))[order]

    return Series(
        base.step_ms,
        starts[order],
        joined(base.open, over.open),
        joined(base.high, over.high),
        joined(base.low, over.low),
        joined(base.close, over.close),
        joined(base.volume, over.volume),
    )
