"""One record of the exchange: the plain row that its lists are made of."""

from __future__ import annotations

from typing import Any, NamedTuple


class Row(NamedTuple):
    """One immutable record (execution, transaction-log row, closed P&L, transfer) as the API shows it."""

    seq: int
    time_ms: int
    data: dict[str, Any]
