"""Trades of the public: one at every path point, the taker on the side to which the price went. Synthetic.

Together the trades of an hour have its volume; where time does not pass by itself, that of the hour before, since an
hour's own volume would reveal what is still to come.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from infra.simulator.market.path import HOUR_MS
from infra.simulator.venue.instruments import Instrument
from infra.simulator.venue.model import Row
from infra.simulator.venue.money import ZERO, floor_to, text
from infra.simulator.venue.state import Venue

OLDEST_HOURS = 48
"""How far back trades are kept."""


class Trade(NamedTuple):
    """One trade; ``move`` is its price less that of the one before."""

    number: int
    spec: Instrument
    time_ms: int
    price: Decimal
    size: Decimal
    move: Decimal

    @property
    def side(self) -> str:
        """The taker's."""
        return "Sell" if self.move < 0 else "Buy"


def trade_at(venue: Venue, spec: Instrument, hour_ms: int, index: int) -> Trade | None:
    """The trade at a path point; None in a gap."""
    market, path = venue.market, venue.prices.points
    price = market.path_point(spec.category, spec.symbol, hour_ms, index)
    if price is None:
        return None
    before_hour_ms, before_index = (hour_ms, index - 1) if index else (hour_ms - HOUR_MS, path.count - 1)
    before = market.path_point(spec.category, spec.symbol, before_hour_ms, before_index)
    volume_of = hour_ms if venue.config.tick_ms is not None else hour_ms - HOUR_MS
    bar = market.hour(spec.category, spec.symbol, volume_of)
    size = max(floor_to((bar.volume if bar else ZERO) / path.count, spec.qty_step), spec.min_qty)
    time_ms = hour_ms + path.offset_ms(index)
    number = hour_ms // HOUR_MS * path.count + index
    return Trade(number, spec, time_ms, price, size, ZERO if before is None else price - before)


def newest_trades(venue: Venue, spec: Instrument, limit: int) -> list[Trade]:
    """The trades up to the present path point, newest first, of the last two days at most."""
    found: list[Trade] = []
    hour_ms, index = venue.prices.hour_ms, venue.prices.index
    oldest_ms = max(venue.market.listed_from_ms(spec.category, spec.symbol), hour_ms - OLDEST_HOURS * HOUR_MS)
    while hour_ms >= oldest_ms:
        for point in range(index, -1, -1):
            trade = trade_at(venue, spec, hour_ms, point)
            if trade is not None:
                found.append(trade)
            if len(found) == limit:
                return found
        hour_ms, index = hour_ms - HOUR_MS, venue.prices.points.count - 1
    return found


def trade_row(venue: Venue, trade: Trade) -> dict[str, Any]:
    """A trade as in /v5/market/recent-trade."""
    return {
        "execId": _id(trade),
        "symbol": trade.spec.symbol,
        "price": text(trade.price),
        "size": text(trade.size),
        "side": trade.side,
        "time": str(trade.time_ms),
        "isBlockTrade": False,
        "isRPITrade": False,
        "seq": str(trade.number),
    }


def trade_entry(trade: Trade, time_ms: int) -> dict[str, Any]:
    """A trade as in the topic ``publicTrade``."""
    entry = {
        "T": time_ms,
        "s": trade.spec.symbol,
        "S": trade.side,
        "v": text(trade.size),
        "p": text(trade.price),
        "i": _id(trade),
        "BT": False,
        "RPI": False,
        "seq": trade.number,
    }
    if not trade.spec.is_spot:
        entry["L"] = "PlusTick" if trade.move > 0 else "MinusTick" if trade.move < 0 else "ZeroPlusTick"
    return entry


def own_trade_entry(spec: Instrument, row: Row) -> dict[str, Any]:
    """A fill of this exchange's own accounts as in the topic ``publicTrade``; the side is the taker's."""
    data = row.data
    sides = {"Buy": "Sell", "Sell": "Buy"}
    entry = {
        "T": row.time_ms,
        "s": spec.symbol,
        "S": sides[data["side"]] if data["isMaker"] else data["side"],
        "v": data["execQty"],
        "p": data["execPrice"],
        "i": data["execId"],
        "BT": False,
        "RPI": False,
        "seq": row.seq,
    }
    if not spec.is_spot:
        entry["L"] = "ZeroPlusTick"
    return entry


def _id(trade: Trade) -> str:
    return (
        f"21{trade.number}" if trade.spec.is_spot else f"{trade.number:08x}-0f18-5866-9415-{trade.spec.symbol_id:012x}"
    )
