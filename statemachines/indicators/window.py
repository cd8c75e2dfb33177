"""The live form of the indicators: a window of the newest closed daily bars of one symbol.

Each value is computed by TA-Lib over the window itself. A window refilled after a restart holds the same bars and
therefore gives bit-identical values; with 450 bars it agrees with the whole series far better than to 1e-9, since a
bar's weight in Wilder's average decays by 13/14 a day.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from statemachines.facts import BarFact
from statemachines.indicators import vector
from statemachines.values import DAY_MS


@dataclass(frozen=True, slots=True)
class DailyValues:
    """Indicators as of the newest closed bar; None where there are too few bars (D2)."""

    day_ms: int
    close: Decimal
    fast_sma: Decimal | None
    slow_sma: Decimal | None
    adx: Decimal | None
    atr: Decimal | None


class DailyWindow:
    """The newest `size` closed daily bars of one symbol; `is_contiguous` reports gaps."""

    def __init__(self, size: int) -> None:
        if size < 2:
            raise ValueError(f"size {size} of a daily window is too small; allowed: 2 or more bars")
        self._size = size
        self._bars: list[BarFact] = []
        # Rows high, low, close; the bars end at `_end`, and only a full buffer is moved back to its start.
        self._buffer = np.empty((3, 4 * size), dtype=np.float64)
        self._end = 0
        self._days: list[int] = []
        self._newest: dict[tuple[int, int, int, int], DailyValues] = {}

    def __len__(self) -> int:
        return len(self._bars)

    @property
    def last_bar(self) -> BarFact | None:
        """The newest bar; None while empty."""
        return self._bars[-1] if self._bars else None

    @property
    def last_day_ms(self) -> int | None:
        """Start of the newest bar; None while empty."""
        return self._bars[-1].start_ms if self._bars else None

    def add(self, bar: BarFact) -> bool:
        """Add the next closed bar; False for one that is already there or older (EX-2: repeats change nothing)."""
        if self._bars and bar.start_ms <= self._bars[-1].start_ms:
            return False
        self._bars.append(bar)
        self._append(float(bar.high), float(bar.low), float(bar.close))
        self._days.append(bar.start_ms)
        del self._bars[: -self._size], self._days[: -self._size]
        self._newest.clear()
        return True

    def fill(self, bars: Iterable[BarFact]) -> None:
        """Add bars, oldest first."""
        for bar in bars:
            self.add(bar)

    def is_contiguous(self, bars: int) -> bool:
        """Whether the newest `bars` days are complete: no indicator may silently bridge a gap."""
        if len(self._bars) < bars:
            return False
        return self._bars[-1].start_ms - self._bars[-bars].start_ms == (bars - 1) * DAY_MS

    def closes(self, bars: int | None = None) -> vector.Vector:
        """The newest `bars` closes (all of them by default), oldest first."""
        close = self._columns()[2]
        return close if bars is None else close[-bars:]

    def days(self) -> Sequence[int]:
        """Starts of the bars, oldest first."""
        return self._days

    def adx_series(self, bars: int) -> vector.Vector:
        """ADX of every bar of the window, NaN where it is not defined yet."""
        high, low, close = self._columns()
        return vector.adx(high, low, close, bars)

    def values(self, fast: int, slow: int, adx_bars: int, atr_bars: int) -> DailyValues | None:
        """All indicators of the newest bar (TR-2); None while the window is empty."""
        if not self._bars:
            return None
        periods = (fast, slow, adx_bars, atr_bars)
        if periods not in self._newest:
            high, low, close = self._columns()
            self._newest[periods] = DailyValues(
                day_ms=self._bars[-1].start_ms,
                close=self._bars[-1].close,
                fast_sma=_last(vector.sma(close, fast)),
                slow_sma=_last(vector.sma(close, slow)),
                adx=_last(vector.adx(high, low, close, adx_bars)),
                atr=_last(vector.atr(high, low, close, atr_bars)),
            )
        return self._newest[periods]

    def _columns(self) -> tuple[vector.Vector, vector.Vector, vector.Vector]:
        high, low, close = self._buffer[:, self._end - len(self._bars) : self._end]
        return high, low, close

    def _append(self, *row: float) -> None:
        if self._end == self._buffer.shape[1]:
            kept = self._size - 1
            # Copied, so that arrays returned earlier do not change.
            self._buffer = self._buffer.copy()
            self._buffer[:, :kept] = self._buffer[:, self._end - kept :]
            self._end = kept
        self._buffer[:, self._end] = row
        self._end += 1


def _last(series: vector.Vector) -> Decimal | None:
    value = float(series[-1])
    return None if math.isnan(value) else vector.to_decimal(value)
