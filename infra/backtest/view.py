"""The public market as the core sees it, read from the in-process exchange without the detour through text.

Under Ray the same bars and quotes arrive as WebSocket frames; that both lead to the same decisions is what the parity
test proves. Bid and ask, which are computed, take the form that the wire would give them; all else has it already.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from infra.simulator.api import Exchange
from infra.simulator.api.shapes.bars import closed_bar
from infra.simulator.api.shapes.quotes import touch
from infra.simulator.market.port import Bar
from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.instruments import INSTRUMENTS, Instrument
from infra.simulator.venue.money import text
from infra.simulator.venue.stepper import Public
from statemachines.facts import BarFact
from statemachines.messages.envelope import Body
from statemachines.messages.market import BarFrame, QuoteFrame
from statemachines.requests import Quote
from statemachines.values import Category

INTERVALS = ("60", "D")


class MarketView:
    """Quotes of every micro-step that the public sees, and bars as they close."""

    def __init__(self, exchange: Exchange, symbols: Sequence[tuple[Category, str]]) -> None:
        self._venue = exchange.venue
        self._symbols = tuple((category, symbol, INSTRUMENTS[category, symbol]) for category, symbol in symbols)

    def see(self, public: Public, passed_ms: Sequence[int] = ()) -> list[tuple[Body, str]]:
        """Message bodies with their natural ids, as the streams would deliver them; with the bars of the hours that
        were passed over."""
        if public is Public.NOTHING:
            return []
        found: list[tuple[Body, str]] = []
        quotes = tuple(quote for item in self._symbols if (quote := self._quote(*item)) is not None)
        if quotes:
            found.append((QuoteFrame.model_construct(quotes=quotes), ""))
        if public is Public.BARS:
            now_ms = self._venue.now_ms
            bars = tuple(bar for end_ms in (*passed_ms, now_ms) for bar in self._bars(end_ms))
            if bars:
                found.append((BarFrame.model_construct(bars=bars), f"bars:{now_ms}"))
        return found

    def _quote(self, category: Category, symbol: str, spec: Instrument) -> Quote | None:
        venue = self._venue
        if not venue.prices.is_listed(category, symbol, venue.now_ms):
            return None
        try:
            now = touch(venue, spec)
        except VenueError:
            return None  # listed, but never traded yet
        return Quote.model_construct(
            category=category,
            symbol=symbol,
            bid=_plain(now.bid),
            ask=_plain(now.ask),
            last=now.last,
            mark=now.mark,
            index=now.index_price,
            predicted_funding_rate=now.funding_rate,
            next_funding_ms=now.next_funding_ms,
            market_ms=venue.now_ms,
        )

    def _bars(self, end_ms: int) -> list[BarFact]:
        found: list[BarFact] = []
        for interval in INTERVALS:
            for category, symbol, spec in self._symbols:
                bar = closed_bar(self._venue, spec, interval, end_ms)
                if bar is not None:
                    found.append(_fact(category, symbol, interval, bar))
        return found


def _fact(category: Category, symbol: str, interval: str, bar: Bar) -> BarFact:
    return BarFact.model_construct(
        category=category,
        symbol=symbol,
        interval=interval,
        start_ms=bar.start_ms,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
    )


def _plain(value: Decimal) -> Decimal:
    return Decimal(text(value))
