"""A market with a price every second: the hours of another market, drawn finer and shown at another time.

Between the four path points of an hour the price walks at random, seeded, inside the hour's own range; so every closed
bar is exactly the other market's. Spot, last and mark price of a coin share one walk, so that the basis stays what the
bars make it. The prices between the points are invented, whatever the market they come from.
"""

from __future__ import annotations

import itertools
import zlib
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

import numpy as np

from infra.simulator.market.bars.intervals import INTERVALS_MS
from infra.simulator.market.bars.parts import part, share_of
from infra.simulator.market.path import HOUR_MS, PathPoints, hour_of, points
from infra.simulator.market.port import Bar, Market, PriceKind
from infra.simulator.market.series import Floats, Series, Times
from infra.simulator.market.tape import Funding, Tape, TapeMarket

ROUGHNESS = 0.1
"""Standard deviation of the walk in the middle between two path points, as a part of the hour's range."""

KEPT_HOURS = 64


class Taped(Market, Protocol):
    """A market whose tape can be read."""

    @property
    def tape(self) -> Tape:
        """What it consists of."""
        ...


class TickMarket(TapeMarket):
    """``base`` with a point every ``tick_ms``, every instant of it ``shift_ms`` later (whole days).

    Raises ``ValueError`` for a tick that does not divide the hour and for a shift of part of a day.
    """

    def __init__(self, base: Taped, tick_ms: int, shift_ms: int = 0, seed: int = 0) -> None:
        if tick_ms <= 0 or HOUR_MS % tick_ms:
            raise ValueError(f"A tick has {tick_ms} ms; it must divide the hour of {HOUR_MS} ms.")
        if shift_ms % (24 * HOUR_MS):
            raise ValueError(f"The market is shown {shift_ms} ms later; whole days are required.")
        super().__init__(_later(base.tape, shift_ms))
        self._base = base
        self._shift_ms = shift_ms
        self._path = PathPoints(tick_ms)
        self._seed = seed
        self._walks: dict[tuple[str, int], Floats] = {}
        self._ticks: dict[tuple[str, str, int], list[Decimal]] = {}

    def path_point(self, category: str, symbol: str, hour_start_ms: int, index: int) -> Decimal | None:
        """Last price at tick ``index`` of the hour; None in a gap."""
        bar = self.hour(category, symbol, hour_start_ms)
        return None if bar is None else self._prices(category, symbol, bar)[index]

    def mark_point(self, symbol: str, hour_start_ms: int, index: int) -> Decimal:
        """Mark price at tick ``index``; in a gap the last one known. Raises ``LookupError`` before the first."""
        bar = self.mark_hour(symbol, hour_start_ms)
        if bar is None:
            return super().mark_point(symbol, hour_start_ms, 0)
        return self._prices("mark", symbol, bar)[index]

    def predicted_rate(self, symbol: str, now_ms: int) -> Decimal:
        """The base market's."""
        return self._base.predicted_rate(symbol, now_ms - self._shift_ms)

    def bars(
        self,
        category: str,
        symbol: str,
        interval: str,
        start_ms: int,
        end_ms: int,
        limit: int,
        kind: PriceKind,
        now_ms: int,
    ) -> list[Bar]:
        """As the port says; the running bar ends with the newest tick, and its volume grows by the tick."""
        found = super().bars(category, symbol, interval, start_ms, end_ms, limit, kind, now_ms)
        hour_ms = hour_of(now_ms)
        hour = self._hour_series(category, symbol, kind).at(hour_ms)
        if interval not in INTERVALS_MS or not found or hour is None:
            return found
        if found[-1].start_ms + INTERVALS_MS[interval] <= now_ms:
            return found
        series = "mark" if kind == "mark" else "spot" if kind == "index" else category
        seen = self._prices(series, symbol, hour)[: self._path.index_at(now_ms - hour_ms) + 1]
        last = found[-1]
        traded = share_of(hour.volume, self._path.count) * len(seen)
        found[-1] = last._replace(
            high=max(last.high, *seen),
            low=min(last.low, *seen),
            close=seen[-1],
            volume=last.volume + traded,
            turnover=last.turnover + traded * seen[-1],
        )
        return found

    def _cut(self, category: str, symbol: str, kind: PriceKind, hour: Bar, step_ms: int, now_ms: int) -> list[Bar]:
        unit, ticks = self._whole(symbol, hour)
        count = self._path.index_at(now_ms - hour.start_ms) + 1 if now_ms < hour.start_ms + HOUR_MS else len(ticks)
        each = step_ms // self._path.tick_ms if self._path.tick_ms and step_ms % self._path.tick_ms == 0 else 0
        if not each:
            return super()._cut(category, symbol, kind, hour, step_ms, now_ms)
        bars: list[Bar] = []
        for begin in range(0, count, each):
            seen = ticks[begin : min(begin + each, count)]
            opened, high, low, close = (unit * int(one) for one in (seen[0], seen.max(), seen.min(), seen[-1]))
            volume = share_of(hour.volume, self._path.count) * len(seen)
            bars.append(part(hour.start_ms + begin * step_ms // each, opened, high, low, close, volume))
        return bars

    def _prices(self, series: str, symbol: str, bar: Bar) -> list[Decimal]:
        """The ticks of one hour of one series."""
        key = (series, symbol, bar.start_ms)
        known = self._ticks.get(key)
        if known is None:
            if len(self._ticks) >= KEPT_HOURS:
                del self._ticks[next(iter(self._ticks))]
            known = self._ticks[key] = self._drawn(symbol, bar)
        return known

    def _drawn(self, symbol: str, bar: Bar) -> list[Decimal]:
        unit, whole = self._whole(symbol, bar)
        return [unit * one for one in whole.tolist()]

    def _whole(self, symbol: str, bar: Bar) -> tuple[Decimal, Times]:
        """The ticks of the hour in units of its prices' last decimal, and that unit."""
        four = points(bar)
        times = np.arange(self._path.count, dtype=np.float64)
        knots = self._knots()
        straight = np.interp(times, knots, [float(price) for price in four])
        walked = straight + self._walk(symbol, bar.start_ms) * float(bar.high - bar.low)
        unit = Decimal(1).scaleb(min(int(price.normalize().as_tuple().exponent) for price in four))
        low, high = int(bar.low / unit), int(bar.high / unit)
        whole = np.clip(np.rint(walked / float(unit)).astype(np.int64), low, high)
        for knot, price in zip(knots, four, strict=True):
            whole[knot] = int(price / unit)
        return unit, whole

    def _knots(self) -> list[int]:
        """The ticks at which the hour's four path points lie; the close is the last one."""
        count = self._path.count
        return [0, count // 3, 2 * count // 3, count - 1]

    def _walk(self, symbol: str, hour_ms: int) -> Floats:
        """The coin's walk around the straight line in this hour: 0 at the four points."""
        key = (symbol, hour_ms)
        known = self._walks.get(key)
        if known is not None:
            return known
        if len(self._walks) >= KEPT_HOURS:
            del self._walks[next(iter(self._walks))]
        rng = np.random.default_rng([self._seed, zlib.crc32(symbol.encode()), hour_ms // HOUR_MS])
        walk = np.zeros(self._path.count)
        knots = self._knots()
        for begin, end in itertools.pairwise(knots):
            steps = end - begin
            if steps < 2:
                continue
            path = np.concatenate(([0.0], np.cumsum(rng.standard_normal(steps)))) * (2 * ROUGHNESS / np.sqrt(steps))
            walk[begin : end + 1] = path - np.linspace(0.0, path[-1], steps + 1)
        self._walks[key] = walk
        return walk


def _later(tape: Tape, shift_ms: int) -> Tape:
    """The tape with every instant later by this."""
    if not shift_ms:
        return replace(tape, label=f"{tape.label}, by the wall clock")

    def moved(one: Series) -> Series:
        return Series(one.step_ms, one.starts + shift_ms, one.open, one.high, one.low, one.close, one.volume)

    return Tape(
        label=f"{tape.label}, by the wall clock, shown {shift_ms // (24 * HOUR_MS)} days later",
        start_ms=tape.start_ms + shift_ms,
        end_ms=tape.end_ms + shift_ms,
        hours={key: moved(one) for key, one in tape.hours.items()},
        days={key: moved(one) for key, one in tape.days.items()},
        marks={key: moved(one) for key, one in tape.marks.items()},
        funding={key: Funding([at + shift_ms for at in one.times_ms], one.rates) for key, one in tape.funding.items()},
        fear_greed=[(at + shift_ms, value) for at, value in tape.fear_greed],
        dvol=[(at + shift_ms, value) for at, value in tape.dvol],
    )
