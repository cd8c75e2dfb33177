"""Market data as Bybit shows it: tickers with their 24-hour statistics, and the order book."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from infra.simulator.market.port import Bar
from infra.simulator.venue.depth import book
from infra.simulator.venue.impact import displayed
from infra.simulator.venue.instruments import Instrument
from infra.simulator.venue.money import ZERO, text
from infra.simulator.venue.prices import HOUR_MS
from infra.simulator.venue.state import Venue
from infra.simulator.venue.surroundings.crowd import held_of, own_interest

HOURS = 24
VALUE_UNIT = Decimal("0.01")


class Statistics:
    """The last 24 closed hours of each symbol, kept rolling so that an hour costs one look-up."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._bars: dict[tuple[str, str], tuple[int, list[Bar]]] = {}

    def bars(self, category: str, symbol: str) -> list[Bar]:
        """Closed hourly bars of the 24 hours before the present hour, oldest first; gaps are missing."""
        market, hour_ms = self._venue.market, self._venue.prices.hour_ms
        known = self._bars.get((category, symbol))
        if known is not None and known[0] == hour_ms:
            return known[1]
        first_ms = hour_ms - HOURS * HOUR_MS
        if known is not None and known[0] == hour_ms - HOUR_MS:
            kept = [bar for bar in known[1] if bar.start_ms >= first_ms]
            starts = range(hour_ms - HOUR_MS, hour_ms, HOUR_MS)
        else:
            kept, starts = [], range(first_ms, hour_ms, HOUR_MS)
        new = (market.hour(category, symbol, start_ms) for start_ms in starts)
        kept = kept + [bar for bar in new if bar is not None]
        self._bars[(category, symbol)] = (hour_ms, kept)
        return kept


def _change(last: Decimal, before: Decimal) -> str:
    if not before:
        return "0"
    return text(((last - before) / before).quantize(Decimal("0.000001")))


class Touch(NamedTuple):
    """What a quote of one symbol is made of, as numbers; the last four are None for spot."""

    last: Decimal
    bid: Decimal
    ask: Decimal
    mark: Decimal | None
    index_price: Decimal | None
    funding_rate: Decimal | None
    next_funding_ms: int | None


def touch(venue: Venue, spec: Instrument) -> Touch:
    """Best prices and reference prices now. Raises ``VenueError`` while the symbol has never had a price."""
    last = venue.prices.last(spec.category, spec.symbol)
    liquidity = displayed(venue, spec)
    bid, ask = (book.touch(venue.config, spec, last, sign, liquidity) for sign in (-1, 1))
    if spec.is_spot:
        return Touch(last, bid, ask, None, None, None, None)
    return Touch(
        last,
        bid,
        ask,
        venue.prices.mark(spec.symbol),
        venue.prices.index_price(spec.symbol),
        venue.market.predicted_rate(spec.symbol, venue.now_ms),
        venue.market.next_funding_ms(spec.symbol, venue.now_ms),
    )


def ticker(venue: Venue, statistics: Statistics, spec: Instrument) -> dict[str, str]:
    """All figures of one symbol's ticker (REST and stream show different selections of them)."""
    now = touch(venue, spec)
    last, bid, ask = now.last, now.bid, now.ask
    bars = statistics.bars(spec.category, spec.symbol)
    before = bars[0].open if bars else last
    bids, asks = book.displayed(venue.config, spec, last, 1, displayed(venue, spec))
    figures = {
        "symbol": spec.symbol,
        "lastPrice": text(last),
        "bid1Price": text(bid),
        "bid1Size": text(bids[0][1]),
        "ask1Price": text(ask),
        "ask1Size": text(asks[0][1]),
        "prevPrice24h": text(before),
        "price24hPcnt": _change(last, before),
        "highPrice24h": text(max([last, *(bar.high for bar in bars)])),
        "lowPrice24h": text(min([last, *(bar.low for bar in bars)])),
        "turnover24h": text(sum((bar.turnover for bar in bars), ZERO)),
        "volume24h": text(sum((bar.volume for bar in bars), ZERO)),
    }
    if now.mark is None or now.index_price is None or now.funding_rate is None:
        figures["usdIndexPrice"] = text(last)
        return figures
    interest = held_of(sum((bar.volume for bar in bars), ZERO), spec.symbol) + own_interest(venue, spec.symbol)
    value = (interest * now.mark).quantize(VALUE_UNIT)
    figures |= {
        "markPrice": text(now.mark),
        "indexPrice": text(now.index_price),
        "prevPrice1h": text(bars[-1].open if bars else last),
        "openInterest": text(interest),
        "openInterestValue": text(value),
        "singleOpenInterest": text(interest / 2),
        "singleOpenInterestValue": text(value / 2),
        "fundingRate": text(now.funding_rate),
        "nextFundingTime": str(now.next_funding_ms),
        "fundingIntervalHour": str(spec.funding_minutes // 60),
        "fundingCap": text(spec.funding_cap),
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
    }
    return figures


REST_LINEAR_EXTRA = {
    "predictedDeliveryPrice": "",
    "basisRate": "",
    "basisRateYear": "",
    "basis": "",
    "deliveryFeeRate": "",
    "deliveryTime": "0",
}
STREAM_SPOT = (
    "symbol", "lastPrice", "highPrice24h", "lowPrice24h", "prevPrice24h", "volume24h", "turnover24h",
    "price24hPcnt", "usdIndexPrice",
)  # fmt: skip


def book_data(venue: Venue, spec: Instrument, depth: int) -> dict[str, Any]:
    """The displayed book: ``b`` best bid first, ``a`` best ask first, text pairs."""
    last = venue.prices.last(spec.category, spec.symbol)
    bids, asks = book.displayed(venue.config, spec, last, depth, displayed(venue, spec))
    return {
        "s": spec.symbol,
        "b": [[text(price), text(size)] for price, size in bids],
        "a": [[text(price), text(size)] for price, size in asks],
    }
