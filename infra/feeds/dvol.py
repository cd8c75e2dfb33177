"""DVOL, the implied volatility index of Deribit (TA-3): daily closes in per cent a year."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from infra.feeds.source import FeedUnavailableError, GetJson, Reading

DAY_MS = 86_400_000
_DAYS_READ = 30

_PATH = "/api/v2/public/get_volatility_index_data"


class DvolFeed:
    """Reads Deribit's `get_volatility_index_data` with daily resolution."""

    def __init__(self, get_json: GetJson, currency: str = "BTC") -> None:
        self._get_json = get_json
        self._currency = currency

    def read(self, market_ms: int) -> Reading:
        """The close of the newest day that ended at or before `market_ms` (`published_ms` is that end), or None.

        How old a close may be is decided by the rule that reads it (A6).
        """
        parameters: dict[str, str | int] = {
            "currency": self._currency,
            "start_timestamp": market_ms - _DAYS_READ * DAY_MS,
            "end_timestamp": market_ms,
            "resolution": "1D",
        }
        try:
            closes = parse_dvol(self._get_json(_PATH, parameters))
        except FeedUnavailableError as error:
            return Reading(None, None, f"DVOL is not available: {error}")
        closed = [(start + DAY_MS, close) for start, close in closes if start + DAY_MS <= market_ms]
        if not closed:
            return Reading(None, None, f"DVOL has no day closed in the {_DAYS_READ} days before {market_ms}")
        at, close = max(closed)
        return Reading(close, at, "")


def parse_dvol(answer: Any) -> list[tuple[int, Decimal]]:
    """`(day_start_ms, close)` of an answer; JSON numbers become Decimal by their shortest notation.

    Raises:
        FeedUnavailableError: the answer is not of the expected form or a close is not above 0.
    """
    result = answer.get("result") if isinstance(answer, dict) else None
    rows = result.get("data") if isinstance(result, dict) else None
    if not isinstance(rows, list):
        raise FeedUnavailableError("field 'result.data' is missing; a list is required")
    found: list[tuple[int, Decimal]] = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 5 or any(isinstance(x, bool) for x in row):
            raise FeedUnavailableError(f"a row is {row!r}; [time, open, high, low, close] is required")
        start, close = row[0], row[4]
        if not isinstance(start, int) or not isinstance(close, int | float) or not close > 0:
            raise FeedUnavailableError(f"a row is {row!r}; a whole time and a close above 0 are required")
        found.append((start, Decimal(repr(close))))
    return found
