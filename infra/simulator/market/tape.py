"""A market made of known series: the answers of the market port, shared by history files and synthetic data.

Holds every bar of the period, but shows only what had passed at the instant of the request.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from infra.simulator.market.bars.intervals import (
    ALL_INTERVALS,
    INTERVALS_MS,
    MINUTES_MS,
    MONDAY_MS,
    MONTH,
    bar_end,
    bar_start,
)
from infra.simulator.market.bars.parts import cut, months, share_of
from infra.simulator.market.path import (
    DAY_MS,
    HOUR_MS,
    OFFSETS_MS,
    WEEK_MS,
    ZERO,
    hour_of,
    merged,
    passed,
    points,
    running_bar,
)
from infra.simulator.market.port import Bar, PriceKind, UnsupportedInterval
from infra.simulator.market.series import Series, overlaid, resampled

FUNDING_INTERVAL_MS = 8 * HOUR_MS


class Funding:
    """Settlements of one perpetual in ascending order. Rates are fractions per settlement."""

    def __init__(self, times_ms: Sequence[int], rates: Sequence[Decimal]) -> None:
        self.times_ms = list(times_ms)
        self.rates = list(rates)
        self._rate_at = dict(zip(self.times_ms, self.rates, strict=True))

    def at(self, settle_ms: int) -> Decimal | None:
        """The rate that settles exactly then; None if nothing does."""
        return self._rate_at.get(settle_ms)

    def last(self, now_ms: int) -> Decimal | None:
        """The newest rate settled at or before ``now_ms``; None if there is none."""
        count = bisect_right(self.times_ms, now_ms)
        return self.rates[count - 1] if count else None

    def window(self, from_ms: int, to_ms: int, limit: int) -> list[tuple[int, Decimal]]:
        """The newest ``limit`` settlements with ``from_ms <= time <= to_ms``, newest first."""
        end = bisect_right(self.times_ms, to_ms)
        begin = max(bisect_left(self.times_ms, from_ms), end - max(limit, 0))
        return [(self.times_ms[row], self.rates[row]) for row in range(end - 1, begin - 1, -1)]

    def next_after(self, now_ms: int) -> int:
        """The next settlement strictly after ``now_ms``: the eight-hour grid, or earlier where one is recorded.

        A missing record does not move the displayed time past the grid: nothing settles then.
        """
        on_grid = now_ms - now_ms % FUNDING_INTERVAL_MS + FUNDING_INTERVAL_MS
        row = bisect_right(self.times_ms, now_ms)
        return min(on_grid, self.times_ms[row]) if row < len(self.times_ms) else on_grid


@dataclass(frozen=True)
class Tape:
    """Everything a market consists of.

    ``hours`` and ``days`` by ``(category, symbol)``, ``marks`` and ``funding`` by symbol; feeds in ascending order:
    Fear & Greed as ``(published_ms, value)``, the volatility index as ``(day start, close)``. A ``days`` series is
    authoritative for the days it has; the rest is aggregated from the hours.
    """

    label: str
    start_ms: int
    end_ms: int
    hours: Mapping[tuple[str, str], Series]
    days: Mapping[tuple[str, str], Series] = field(default_factory=dict)
    marks: Mapping[str, Series] = field(default_factory=dict)
    funding: Mapping[str, Funding] = field(default_factory=dict)
    fear_greed: Sequence[tuple[int, int]] = ()
    dvol: Sequence[tuple[int, Decimal]] = ()


class TapeMarket:
    """The market port over a tape."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._hours = dict(tape.hours)
        # One mark series per perpetual, complete by construction: the recorded mark, else the last price.
        self._marks: dict[str, Series] = {}
        for category, symbol in self._hours:
            if category == "linear":
                mark = overlaid(self._hours[category, symbol], tape.marks.get(symbol))
                assert mark is not None
                self._marks[symbol] = mark
        self._longer: dict[tuple[str, str, PriceKind, str], Series | None] = {}
        self._fear_greed = list(tape.fear_greed)
        self._fear_greed_times = [published_ms for published_ms, _ in self._fear_greed]
        self._dvol_newest_first = list(reversed(tape.dvol))
        self._dvol_known_at = [start_ms + DAY_MS for start_ms, _ in tape.dvol]

    @property
    def tape(self) -> Tape:
        """What the market consists of."""
        return self._tape

    @property
    def label(self) -> str:
        """What the market is, for people."""
        return self._tape.label

    @property
    def start_ms(self) -> int:
        """First tradable instant."""
        return self._tape.start_ms

    @property
    def end_ms(self) -> int:
        """End of the tradable period, exclusive."""
        return self._tape.end_ms

    def symbols(self) -> Sequence[tuple[str, str]]:
        """The traded ``(category, symbol)`` pairs."""
        return list(self._hours)

    def listed_from_ms(self, category: str, symbol: str) -> int:
        """Start of the first hourly bar. Raises ``LookupError`` for a symbol the market does not have."""
        return self._hour_series(category, symbol, "last").first_ms

    def hour(self, category: str, symbol: str, start_ms: int) -> Bar | None:
        """The whole last-price bar of the hour; None in a gap."""
        return self._hour_series(category, symbol, "last").at(start_ms)

    def mark_hour(self, symbol: str, start_ms: int) -> Bar | None:
        """The whole mark-price bar of the hour, its last-price bar without one; None in a gap."""
        return self._hour_series("linear", symbol, "mark").at(start_ms)

    def path_point(self, category: str, symbol: str, hour_start_ms: int, index: int) -> Decimal | None:
        """Last price at path point 0..3 of the hour; None in a gap."""
        bar = self.hour(category, symbol, hour_start_ms)
        return None if bar is None else points(bar)[index]

    def mark_point(self, symbol: str, hour_start_ms: int, index: int) -> Decimal:
        """Mark price at path point 0..3; in a gap the last one known. Raises ``LookupError`` before the first."""
        bar = self.mark_hour(symbol, hour_start_ms)
        if bar is not None:
            return points(bar)[index]
        before = self._marks[symbol].last_before(hour_start_ms)
        if before is None:
            raise LookupError(
                f"{symbol} has no mark price at or before {hour_start_ms} ms; "
                f"its first bar starts at {self._marks[symbol].first_ms} ms."
            )
        return before.close

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
        """The newest ``limit`` bars known at ``now_ms`` in the inclusive window, oldest first; see the port."""
        if interval not in ALL_INTERVALS:
            raise UnsupportedInterval(f"Interval {interval!r} is not one of {', '.join(ALL_INTERVALS)}.")
        if limit <= 0:
            return []
        if interval in MINUTES_MS:
            return self._minutes(category, symbol, interval, start_ms, min(end_ms, now_ms), limit, kind, now_ms)
        if interval == MONTH:
            return self._months(category, symbol, start_ms, min(end_ms, now_ms), limit, kind, now_ms)
        step_ms = INTERVALS_MS[interval]
        hours = self._hour_series(category, symbol, kind)
        closed = self._closed_series(category, symbol, kind, interval)
        anchor_ms = MONDAY_MS if interval == "W" else 0
        running_start_ms = now_ms - (now_ms - anchor_ms) % step_ms
        running = None
        if start_ms <= running_start_ms <= end_ms and self._is_whole(hours, closed, running_start_ms):
            running = self._running(hours, running_start_ms, now_ms)
        if closed is None:
            return [] if running is None else [running]
        room = limit if running is None else limit - 1
        known = closed.window(start_ms, min(end_ms, running_start_ms - step_ms), room)
        return known if running is None else [*known, running]

    def _minutes(
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
        """Parts of hours, the one that contains ``now_ms`` as far as it has gone."""
        hours, found = self._hour_series(category, symbol, kind), list[Bar]()
        hour_ms, first_ms = hour_of(end_ms), max(hour_of(start_ms), hours.first_ms)
        while hour_ms >= first_ms and len(found) < limit:
            hour = hours.at(hour_ms)
            parts = [] if hour is None else self._cut(category, symbol, kind, hour, MINUTES_MS[interval], now_ms)
            found = [part for part in parts if start_ms <= part.start_ms <= end_ms] + found
            hour_ms -= HOUR_MS
        return found[-limit:]

    def _cut(self, category: str, symbol: str, kind: PriceKind, hour: Bar, step_ms: int, now_ms: int) -> list[Bar]:
        """The parts of an hour up to ``now_ms``."""
        count = passed(hour.start_ms, now_ms)
        before = self._hour_series(category, symbol, kind).at(hour.start_ms - HOUR_MS)
        volume = ZERO if before is None else share_of(before.volume, HOUR_MS // step_ms)
        parts = cut(hour, list(OFFSETS_MS[:count]), points(hour)[:count], step_ms, volume)
        return [part for part in parts if part.start_ms <= now_ms]

    def _months(
        self, category: str, symbol: str, start_ms: int, end_ms: int, limit: int, kind: PriceKind, now_ms: int
    ) -> list[Bar]:
        last_ms = bar_end(MONTH, bar_start(MONTH, end_ms)) - 1
        days = self.bars(category, symbol, "D", max(start_ms, 0), last_ms, (limit + 1) * 31, kind, now_ms)
        first_ms = self._hour_series(category, symbol, kind).first_ms
        daily = self._closed_series(category, symbol, kind, "D")
        first_ms = first_ms if daily is None else min(first_ms, daily.first_ms)
        return [bar for bar in months(days, first_ms) if start_ms <= bar.start_ms <= end_ms][-limit:]

    def funding_rate(self, symbol: str, settle_ms: int) -> Decimal | None:
        """The rate that settles at exactly ``settle_ms``; None when nothing settles then."""
        funding = self._tape.funding.get(symbol)
        return None if funding is None else funding.at(settle_ms)

    def funding_history(
        self, symbol: str, start_ms: int, end_ms: int, limit: int, now_ms: int
    ) -> list[tuple[int, Decimal]]:
        """Settled rates known at ``now_ms`` in the inclusive window, newest first."""
        funding = self._tape.funding.get(symbol)
        return [] if funding is None else funding.window(start_ms, min(end_ms, now_ms), limit)

    def next_funding_ms(self, symbol: str, now_ms: int) -> int:
        """The next settlement strictly after ``now_ms``."""
        funding = self._tape.funding.get(symbol)
        return (funding or Funding((), ())).next_after(now_ms)

    def predicted_rate(self, symbol: str, now_ms: int) -> Decimal:
        """The last settled rate, which in history stands for the predicted one (F2); 0 before the first."""
        funding = self._tape.funding.get(symbol)
        last = None if funding is None else funding.last(now_ms)
        return ZERO if last is None else last

    def fear_greed(self, now_ms: int, limit: int) -> list[tuple[int, int]]:
        """Published ``(published_ms, value)`` at or before ``now_ms``, newest first (A5)."""
        end = bisect_right(self._fear_greed_times, now_ms)
        return self._fear_greed[max(end - max(limit, 0), 0) : end][::-1]

    def dvol(self, now_ms: int) -> list[tuple[int, Decimal]]:
        """Closed days of the volatility index known at ``now_ms``, newest first."""
        known = bisect_right(self._dvol_known_at, now_ms)
        return self._dvol_newest_first[len(self._dvol_newest_first) - known :]

    def _hour_series(self, category: str, symbol: str, kind: PriceKind) -> Series:
        if (category, symbol) not in self._hours:
            known = ", ".join(f"{c} {s}" for c, s in self._hours)
            raise LookupError(f"This market has no {category} {symbol}; it has {known}.")
        if category == "linear" and kind == "mark":
            return self._marks[symbol]
        if category == "linear" and kind == "index":
            return self._hours.get(("spot", symbol)) or self._marks[symbol]
        return self._hours[category, symbol]

    def _closed_series(self, category: str, symbol: str, kind: PriceKind, interval: str) -> Series | None:
        hours = self._hour_series(category, symbol, kind)
        if interval == "60":
            return hours
        key = (category, symbol, kind, interval)
        if key not in self._longer:
            self._longer[key] = self._build_closed(hours, *key)
        return self._longer[key]

    def _build_closed(self, hours: Series, category: str, symbol: str, kind: PriceKind, interval: str) -> Series | None:
        if interval == "W":
            days = self._closed_series(category, symbol, kind, "D")
            return None if days is None else resampled(days, WEEK_MS, MONDAY_MS)
        aggregated = resampled(hours, INTERVALS_MS[interval], 0)
        return overlaid(aggregated, self._daily_file(category, symbol, kind)) if interval == "D" else aggregated

    def _daily_file(self, category: str, symbol: str, kind: PriceKind) -> Series | None:
        """The recorded days of the price in question; recorded marks have none and the last price is another one."""
        if category == "linear" and kind == "index" and ("spot", symbol) in self._hours:
            return self._tape.days.get(("spot", symbol))
        if category == "linear" and kind != "last" and symbol in self._tape.marks:
            return None
        return self._tape.days.get((category, symbol))

    @staticmethod
    def _is_whole(hours: Series, closed: Series | None, bar_start_ms: int) -> bool:
        """Whether the running bar began with the data: a listing day that is not complete is never shown."""
        return bar_start_ms >= hours.first_ms or (closed is not None and closed.first_ms < bar_start_ms)

    @staticmethod
    def _running(hours: Series, start_ms: int, now_ms: int) -> Bar | None:
        hour_ms = hour_of(now_ms)
        parts = hours.window(start_ms, hour_ms - HOUR_MS, INTERVALS_MS["W"] // HOUR_MS)
        current = hours.at(hour_ms)
        seen = None if current is None or not passed(hour_ms, now_ms) else running_bar(current, now_ms)
        return merged(start_ms, parts if seen is None else [*parts, seen])
