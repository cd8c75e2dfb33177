"""Values as JSON: money as text without exponent, wall time as ISO 8601, everything else as it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

DAY_MS = 86_400_000


def plain(value: Any) -> Any:
    """The value as JSON can carry it; a Decimal becomes text, since a JSON number would lose digits."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    return value


def day_of(instant_ms: int | None) -> str | None:
    """The UTC day of an instant as 2024-01-31; None when the instant is not known (or lies beyond year 9999)."""
    if not instant_ms:
        return None
    try:
        return date.fromordinal(date(1970, 1, 1).toordinal() + instant_ms // DAY_MS).isoformat()
    except (ValueError, OverflowError):
        return None


def time_of(instant_ms: int, *, with_seconds: bool = False) -> str:
    """A UTC instant for a sentence, to the minute or second; the number itself where the calendar does not reach."""
    form = "%Y-%m-%d %H:%M:%S" if with_seconds else "%Y-%m-%d %H:%M"
    try:
        return f"{datetime.fromtimestamp(instant_ms / 1000, UTC).strftime(form)} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{instant_ms} ms"
