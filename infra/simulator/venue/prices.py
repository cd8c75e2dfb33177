"""The prices of the present path point and of the one before it; memo over the market, no state of its own to save."""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.market.path import PathPoints
from infra.simulator.market.port import Market
from infra.simulator.venue.instruments import INSTRUMENTS, Instrument, unknown_symbol

HOUR_MS = 3_600_000
LOCKSTEP_POINTS = PathPoints()

Key = tuple[str, str]


class Prices:
    """Last, mark and index prices at path point ``index`` of hour ``hour_ms``."""

    def __init__(self, market: Market, hour_ms: int, index: int, points: PathPoints = LOCKSTEP_POINTS) -> None:
        self.market = market
        self.points = points
        self.hour_ms = hour_ms
        self.index = index
        self._listed = {key: market.listed_from_ms(*key) for key in market.symbols() if key in INSTRUMENTS}
        self._memo: dict[tuple[str, str, int], Decimal | None] = {}
        self._known: dict[Key, tuple[int, Decimal | None]] = {}

    def move(self, hour_ms: int, index: int) -> None:
        """Go to another path point; everything remembered of the old one is dropped."""
        self.hour_ms = hour_ms
        self.index = index
        self._memo.clear()

    def replace_market(self, market: Market) -> None:
        """Prices come from this market now; everything remembered is dropped."""
        self.market = market
        self._memo.clear()
        self._known.clear()

    @property
    def point(self) -> int:
        """A number that grows with every path point."""
        return self.hour_ms // HOUR_MS * self.points.count + self.index

    def listed(self, now_ms: int) -> list[Instrument]:
        """The instruments that are listed at this instant, in the market's order."""
        return [INSTRUMENTS[key] for key, since in self._listed.items() if since <= now_ms]

    def is_listed(self, category: str, symbol: str, now_ms: int) -> bool:
        """Whether the symbol can be traded at this instant."""
        since = self._listed.get((category, symbol))
        return since is not None and since <= now_ms

    def last(self, category: str, symbol: str) -> Decimal:
        """Last price now. Raises ``VenueError`` while the symbol has never had a price."""
        return self._required(category, symbol, 0)

    def previous_last(self, category: str, symbol: str) -> Decimal:
        """Last price at the path point before this one (the present one where there was none)."""
        found = self._at(category, symbol, 1)
        return self._required(category, symbol, 0) if found is None else found

    def mark(self, symbol: str) -> Decimal:
        """Mark price of the perpetual now."""
        return self._required("mark", symbol, 0)

    def previous_mark(self, symbol: str) -> Decimal:
        """Mark price at the path point before this one."""
        found = self._at("mark", symbol, 1)
        return self.mark(symbol) if found is None else found

    def index_price(self, symbol: str) -> Decimal:
        """Index price: the spot price of the symbol where spot is listed, else its mark price."""
        spot = self._at("spot", symbol, 0)
        return self.mark(symbol) if spot is None else spot

    def trigger_pair(self, category: str, symbol: str, trigger_by: str) -> tuple[Decimal, Decimal]:
        """(previous, present) price of the series that a conditional order watches."""
        if trigger_by == "MarkPrice" and category == "linear":
            return self.previous_mark(symbol), self.mark(symbol)
        if trigger_by == "IndexPrice" and category == "linear" and ("spot", symbol) in self._listed:
            return self.previous_last("spot", symbol), self.index_price(symbol)
        return self.previous_last(category, symbol), self.last(category, symbol)

    def usd(self, coin: str) -> Decimal | None:
        """USD index of a coin (USDT is 1); None for a coin without a price."""
        if coin == "USDT":
            return Decimal(1)
        symbol = f"{coin}USDT"
        spot = self._at("spot", symbol, 0)
        return spot if spot is not None else self._at("linear", symbol, 0)

    def _required(self, series: str, symbol: str, back: int) -> Decimal:
        found = self._at(series, symbol, back)
        if found is None:
            raise unknown_symbol("linear" if series == "mark" else series, symbol)
        return found

    def _at(self, series: str, symbol: str, back: int) -> Decimal | None:
        key = (series, symbol, back)
        if key in self._memo:
            return self._memo[key]
        hour_ms, index = self.hour_ms, self.index - back
        if index < 0:
            hour_ms, index = hour_ms - HOUR_MS, self.points.count - 1
        found = self._mark(symbol, hour_ms, index) if series == "mark" else self._last(series, symbol, hour_ms, index)
        self._memo[key] = found
        return found

    def _mark(self, symbol: str, hour_ms: int, index: int) -> Decimal | None:
        if ("linear", symbol) not in self._listed:
            return None
        try:
            return self.market.mark_point(symbol, hour_ms, index)
        except LookupError:
            return self._last("linear", symbol, hour_ms, index)

    def _last(self, category: str, symbol: str, hour_ms: int, index: int) -> Decimal | None:
        listed_ms = self._listed.get((category, symbol))
        if listed_ms is None or hour_ms < listed_ms:
            return None
        found = self.market.path_point(category, symbol, hour_ms, index)
        if found is not None:
            return found
        # A gap: the price stands still at the last close before it.
        known = self._known.get((category, symbol))
        if known is None or known[0] != hour_ms:
            bars = self.market.bars(category, symbol, "60", listed_ms, hour_ms - HOUR_MS, 1, "last", hour_ms)
            known = (hour_ms, bars[-1].close if bars else None)
            self._known[(category, symbol)] = known
        return known[1]
