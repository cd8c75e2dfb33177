"""Numbers and dates as people read them: thousands separators, a true minus sign, a dash for what is not defined."""

from __future__ import annotations

import math
from datetime import UTC, datetime

NOTHING = "–"


def _signed(text: str) -> str:
    bare = text.lstrip("-")
    is_zero = not any(digit in bare for digit in "123456789")
    return bare if is_zero or text == bare else f"−{bare}"


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def usdt(value: float | None, digits: int = 0) -> str:
    """As "12,345", without the unit."""
    return _signed(f"{value:,.{digits}f}") if value is not None and _is_number(value) else NOTHING


def percent(value: float | None, digits: int = 1) -> str:
    """0.123 as "12.3 %"."""
    return f"{usdt(None if value is None else value * 100, digits)} %" if _is_number(value) else NOTHING


def ratio(value: float | None) -> str:
    """Two digits."""
    return usdt(value, 2)


def coins(value: float | None) -> str:
    """Four digits."""
    return usdt(value, 4)


def price(value: float | None) -> str:
    """Two digits below 1,000, else none."""
    return usdt(value, 2 if value is not None and abs(value) < 1000 else 0)


def count(value: float | None) -> str:
    """Whole number."""
    return usdt(value)


def counted(number: int, noun: str) -> str:
    """As "1 trade" or "1,234 trades"."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def day(ts_ms: float | None) -> str:
    """As "2024-03-01"."""
    return NOTHING if ts_ms is None else datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y-%m-%d")


def minute(ts_ms: float | None) -> str:
    """As "2024-03-01 08:00"."""
    return NOTHING if ts_ms is None else datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def listed(words: list[str]) -> str:
    """As "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"
