"""Fear & Greed index of alternative.me (TA-2): an integer of 0 to 100, published once a day."""

from __future__ import annotations

from typing import Any

from infra.feeds.source import FeedUnavailableError, GetJson, Reading

_VALUES_READ = 10


class FearGreedFeed:
    """Reads `GET /fng/?limit=N&format=json`; the simulated exchange serves the same shape."""

    def __init__(self, get_json: GetJson) -> None:
        self._get_json = get_json

    def read(self, market_ms: int) -> Reading:
        """The newest value published before `market_ms` with that time, or None with the reason.

        How old a value may be is decided by the rule that reads it (A5).
        """
        try:
            values = parse_fear_greed(self._get_json("/fng/", {"limit": _VALUES_READ, "format": "json"}))
        except FeedUnavailableError as error:
            return Reading(None, None, f"Fear & Greed is not available: {error}")
        before = [(at, value) for at, value in values if at < market_ms]
        if not before:
            return Reading(None, None, f"Fear & Greed has no value published before {market_ms}")
        at, value = max(before)
        return Reading(value, at, "")


def parse_fear_greed(answer: Any) -> list[tuple[int, int]]:
    """`(published_ms, value)` of an answer.

    Raises:
        FeedUnavailableError: a field is missing or out of range; none of the answer is used.
    """
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise FeedUnavailableError("field 'data' is missing; a list is required")
    found: list[tuple[int, int]] = []
    for row in rows:
        value = _whole(row, "value")
        if value > 100:
            raise FeedUnavailableError(f"field 'value' is {value}; 0 to 100 is allowed")
        found.append((_whole(row, "timestamp") * 1000, value))
    return found


def _whole(row: Any, key: str) -> int:
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, str) or not value.isascii() or not value.isdigit():
        raise FeedUnavailableError(f"field {key!r} is {value!r}; digits as text are required")
    return int(value)
