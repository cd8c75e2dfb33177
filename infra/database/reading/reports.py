"""Which reports were handed to the notifier, and when (IF-4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, LiteralString

MADE: LiteralString = "SELECT delivery_id, created_at FROM deliveries WHERE kind = 'report'"


def made_of(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, datetime]]:
    """The key of each report, and when (wall time) it was handed over. The delivery's id is `report:KEY/CHANNEL`."""
    return [(row["delivery_id"].removeprefix("report:").rpartition("/")[0], row["created_at"]) for row in rows]
