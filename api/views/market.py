"""The market as the engines saw it: bars with what was done on them, and the regime (OR-2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from api.json_values import plain
from api.views.arguments import UnknownNameError, identifier, one_of
from api.views.lists import NEWEST
from api.views.paging import page_of
from api.views.reading import PageRequest, Reading, Row, place_of
from infra.database.reading import market
from statemachines.market_data.parameters import INTERVALS
from statemachines.orchestration.capital import ALLOCATION_KEY
from statemachines.values import DAILY, DAY_MS, HOUR_MS, HOURLY, LINEAR, SPOT, ActorName

CATEGORIES = frozenset({LINEAR, SPOT})
STOPPED_ENGINES = [str(ActorName.TREND_1), str(ActorName.TREND_2)]
"""The engines that keep a stop at the exchange (TR-5)."""

LENGTH_MS = {HOURLY: HOUR_MS, DAILY: DAY_MS}


class Market:
    """Raises UnknownNameError, BadValueError and DatabaseAwayError (all methods)."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._queries = reading.queries

    async def series(self) -> list[Row]:
        """Of which markets there are bars."""
        return await self._reading.rows(lambda: self._queries.rows(market.KNOWN))

    async def candles(self, category: str, symbol: str, interval: str, asked: PageRequest = NEWEST) -> Row:
        """A page of bars, newest first, and the fills and stops within the time of its bars."""
        one_of("category", category, CATEGORIES)
        one_of("interval", interval, frozenset(INTERVALS))
        identifier("symbol", symbol)
        place = place_of(market.BARS_KEY, asked)
        found: Row = plain(await self._reading.read(lambda: self._candles(category, symbol, interval, place)))
        return found

    def _candles(self, category: str, symbol: str, interval: str, place: Any) -> Row:
        of = {"category": category, "symbol": symbol, "interval": interval}
        rows = self._queries.page(market.BARS_KEY, market.BARS, place.start, place.rows + 1, place.span, **of)
        page = page_of(rows, place.rows, market.BARS_KEY)
        bars = page["rows"]
        if not bars:
            known = self._queries.rows(market.KNOWN)
            if (category, symbol) not in {(row["category"], row["symbol"]) for row in known}:
                raise UnknownNameError("symbol", symbol, sorted({f"{r['symbol']} ({r['category']})" for r in known}))
            return {**of, "bars": page, "fills": [], "stops": []}
        within = {"from_ms": bars[-1]["start_ms"], "to_ms": bars[0]["start_ms"] + LENGTH_MS[interval]}
        moves = []
        if category == LINEAR:
            asset = symbol.removesuffix("USDT")
            moves = self._queries.rows(market.STOPS, engines=STOPPED_ENGINES, asset=asset, **within)
        return {
            **of,
            "bars": page,
            "fills": self._queries.rows(market.FILLS, category=category, symbol=symbol, **within),
            "stops": list(_steps(moves)),
        }

    async def regime(self) -> Row:
        """The regime in force, its candidate, the day's weights, and the numbers of the newest close."""
        found: Row = plain(await self._reading.read(self._regime))
        return found

    def _regime(self) -> Row:
        rows = self._queries.rows(market.REGIME, key=ALLOCATION_KEY)
        data: Mapping[str, Any] = rows[0]["data"] if rows else {}
        step = data.get("step") or {}
        since = self._queries.rows(market.RULES_SINCE)
        closes, standing = self._queries.rows(market.CLOSES), self._queries.rows(market.STANDING)
        return {
            "regime": rows[0]["state"] if rows else None,
            "since_ms": since[0]["market_ms"] if since else None,
            "since_reason": since[0]["reason"] if since else "",
            "candidate": data.get("candidate"),
            "candidate_closes": data.get("closes", 0),
            "weights": data.get("weights", {}),
            "weights_before": step.get("before", {}),
            "close": _noted(closes),
            "standing": _noted(standing),
        }


def _steps(moves: Iterable[Mapping[str, Any]]) -> Iterable[Row]:
    """The stop's price from an instant on; None from when the position was closed."""
    for move in moves:
        if move["trigger"] == "closed" or (price := move["placed"] or move["moved"]):
            price = None if move["trigger"] == "closed" else price
            yield {"engine": move["engine"], "market_ms": move["market_ms"], "price": price}


def _noted(rows: list[Row]) -> Row | None:
    return {name: rows[0][name] for name in ("market_ms", "reason", "data")} if rows else None
