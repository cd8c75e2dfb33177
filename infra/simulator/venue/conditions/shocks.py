"""Price gaps: the market with its prices moved for a while, path points and bars alike."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from infra.simulator.market.path import HOUR_MS, PathPoints, hour_of
from infra.simulator.market.port import Bar, Market, PriceKind
from infra.simulator.market.tape import INTERVALS_MS
from infra.simulator.venue.instruments import INSTRUMENTS
from infra.simulator.venue.money import ZERO, floor_to

ALL = "*"
ONE = Decimal(1)


@dataclass(slots=True)
class Shock:
    """From ``from_ms`` to ``until_ms`` (None: it has not ended) prices of ``symbol`` (``*``: of all) are ``change``
    (a fraction) away from those of the market."""

    symbol: str
    change: Decimal
    from_ms: int
    until_ms: int | None = None

    def dump(self) -> list[Any]:
        """As JSON-ready data."""
        return [self.symbol, str(self.change), self.from_ms, self.until_ms]

    @classmethod
    def load(cls, row: list[Any]) -> Shock:
        """What ``dump`` gave."""
        return cls(row[0], Decimal(row[1]), row[2], row[3])


def moved(price: Decimal, factor: Decimal, category: str, symbol: str) -> Decimal:
    """The price times the factor, on the nearest tick above zero."""
    if factor == ONE:
        return price
    tick = INSTRUMENTS["linear" if category == "mark" else category, symbol].tick
    return max(floor_to(price * factor + tick / 2, tick), tick)


class _ShockedMarket:
    """``base`` under ``shocks``, which may change while it is in use."""

    def __init__(self, base: Market, shocks: Collection[Shock], path: PathPoints) -> None:
        self.base = base
        self._shocks = shocks
        self._path = path

    def __getattr__(self, name: str) -> Any:
        # Funding, feeds, listings and whatever else a market has are those of the base: gaps are in prices alone.
        return getattr(self.base, name)

    def path_point(self, category: str, symbol: str, hour_start_ms: int, index: int) -> Decimal | None:
        found = self.base.path_point(category, symbol, hour_start_ms, index)
        factor = self._factor(symbol, hour_start_ms + self._path.offset_ms(index))
        return None if found is None else moved(found, factor, category, symbol)

    def mark_point(self, symbol: str, hour_start_ms: int, index: int) -> Decimal:
        found = self.base.mark_point(symbol, hour_start_ms, index)
        return moved(found, self._factor(symbol, hour_start_ms + self._path.offset_ms(index)), "mark", symbol)

    def hour(self, category: str, symbol: str, start_ms: int) -> Bar | None:
        bar = self.base.hour(category, symbol, start_ms)
        return None if bar is None else self._bar(category, symbol, bar, start_ms + HOUR_MS)

    def mark_hour(self, symbol: str, start_ms: int) -> Bar | None:
        bar = self.base.mark_hour(symbol, start_ms)
        return None if bar is None else self._bar("mark", symbol, bar, start_ms + HOUR_MS)

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
        found = self.base.bars(category, symbol, interval, start_ms, end_ms, limit, kind, now_ms)
        series = category
        if kind != "last":
            series = "spot" if kind == "index" and ("spot", symbol) in self.base.symbols() else "mark"
        step_ms = INTERVALS_MS[interval]
        return [self._bar(series, symbol, bar, min(bar.start_ms + step_ms, now_ms + 1)) for bar in found]

    def _factor(self, symbol: str, at_ms: int) -> Decimal:
        factor = ONE
        for one in self._shocks:
            if one.symbol in (ALL, symbol) and one.from_ms <= at_ms and (one.until_ms is None or at_ms < one.until_ms):
                factor *= 1 + one.change
        return factor

    def _bar(self, series: str, symbol: str, bar: Bar, end_ms: int) -> Bar:
        """The bar from its start to ``end_ms`` (exclusive) under the shocks."""
        concerned = [one for one in self._shocks if one.symbol in (ALL, symbol)]
        edges = {edge for one in concerned for edge in (one.from_ms, one.until_ms) if edge is not None}
        if any(bar.start_ms < edge < end_ms for edge in edges):
            return self._rebuilt(series, symbol, bar, end_ms)
        factor = self._factor(symbol, bar.start_ms)
        if factor == ONE:
            return bar
        opened, high, low, close = (
            moved(price, factor, series, symbol) for price in (bar.open, bar.high, bar.low, bar.close)
        )
        return Bar(bar.start_ms, opened, high, low, close, bar.volume, bar.turnover * factor)

    def _rebuilt(self, series: str, symbol: str, bar: Bar, end_ms: int) -> Bar:
        prices: list[Decimal] = []
        turnover = ZERO
        for hour_ms in range(hour_of(bar.start_ms), end_ms, HOUR_MS):
            whole = None
            if hour_ms >= bar.start_ms and hour_ms + HOUR_MS <= end_ms and end_ms - bar.start_ms > HOUR_MS:
                whole = self.mark_hour(symbol, hour_ms) if series == "mark" else self.hour(series, symbol, hour_ms)
            if whole is not None:
                prices += (whole.open, whole.high, whole.low, whole.close)
                turnover += whole.turnover
                continue
            prices += self._points(series, symbol, hour_ms, bar.start_ms, end_ms)
        if not prices:
            return bar
        return Bar(bar.start_ms, prices[0], max(prices), min(prices), prices[-1], bar.volume, turnover or bar.turnover)

    def _points(self, series: str, symbol: str, hour_ms: int, start_ms: int, end_ms: int) -> list[Decimal]:
        found = []
        for index in range(self._path.count):
            if not start_ms <= hour_ms + self._path.offset_ms(index) < end_ms:
                continue
            if series == "mark":
                found.append(self.mark_point(symbol, hour_ms, index))
            elif (price := self.path_point(series, symbol, hour_ms, index)) is not None:
                found.append(price)
        return found


def shocked(base: Market, shocks: Collection[Shock], path: PathPoints) -> Market:
    """The market under these shocks; the collection may change afterwards."""
    return cast("Market", _ShockedMarket(base, shocks, path))
