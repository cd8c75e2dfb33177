"""Stand-ins for two feeds outside Bybit, answered from the market at market time, in their own shapes."""

from __future__ import annotations

from typing import Any

from infra.simulator.api.params import Params
from infra.simulator.venue.state import Venue

DAY_MS = 86_400_000
_CLASSES = ((25, "Extreme Fear"), (46, "Fear"), (55, "Neutral"), (76, "Greed"), (101, "Extreme Greed"))
_MAX_ROWS = 100_000


def fear_and_greed(venue: Venue, params: Params) -> dict[str, Any]:
    """GET /fng/ as alternative.me answers: newest first, ``limit=0`` for all, timestamps in seconds as text."""
    limit = params.integer("limit")
    limit = 1 if limit is None else limit or _MAX_ROWS
    rows: list[dict[str, str]] = [
        {
            "value": str(value),
            "value_classification": next(name for bound, name in _CLASSES if value < bound),
            "timestamp": str(published_ms // 1000),
        }
        for published_ms, value in venue.market.fear_greed(venue.now_ms, limit)
    ]
    if rows:
        next_ms = (int(rows[0]["timestamp"]) * 1000 // DAY_MS + 1) * DAY_MS
        rows[0]["time_until_update"] = str(max(next_ms - venue.now_ms, 0) // 1000)
    return {"name": "Fear and Greed Index", "data": rows, "metadata": {"error": None}}


def volatility_index(venue: Venue, params: Params, wall_ms: int) -> dict[str, Any]:
    """GET /api/v2/public/get_volatility_index_data as Deribit answers: ``[ms, open, high, low, close]``, oldest first.

    Only closes are known, so the four prices of a day are its close. Currencies other than BTC are empty.
    """
    start, end = params.integer("start_timestamp"), params.integer("end_timestamp")
    rows = venue.market.dvol(venue.now_ms) if params.text("currency") == "BTC" else []
    data = [
        [day_ms, *[float(close)] * 4]
        for day_ms, close in reversed(rows)
        if (start is None or day_ms >= start) and (end is None or day_ms <= end)
    ]
    micros = wall_ms * 1000
    return {
        "jsonrpc": "2.0",
        "result": {"data": data[-1000:], "continuation": None},
        "usIn": micros,
        "usOut": micros,
        "usDiff": 0,
        "testnet": False,
    }
