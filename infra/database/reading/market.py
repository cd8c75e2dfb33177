"""Bars, and what an engine did on them: fills, and the stops that it set and moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, LiteralString

from infra.database.reading.paging import PageKey
from statemachines.facts import BarFact

BARS_KEY = PageKey(("start_ms",), (int,), "start_ms")

BARS: LiteralString = """
SELECT start_ms, open, high, low, close, volume FROM bars
WHERE category = %(category)s AND symbol = %(symbol)s AND interval = %(interval)s"""

CLOSED: LiteralString = """
SELECT category, symbol, interval, start_ms, open, high, low, close, volume FROM bars
WHERE category = %(category)s AND symbol = %(symbol)s AND interval = %(interval)s AND start_ms <= %(last_start_ms)s
ORDER BY start_ms DESC LIMIT %(count)s"""
"""The newest `count` bars that start at or before an instant."""


def bars_of(rows: Iterable[Mapping[str, Any]]) -> list[BarFact]:
    """The bars of rows that come newest first, oldest first. The columns' types are the fields' types: validating
    thousands of bars again would only cost time."""
    return [BarFact.model_construct(**row) for row in rows][::-1]


KNOWN: LiteralString = "SELECT DISTINCT category, symbol, interval FROM bars ORDER BY 1, 2, 3"

FILLS: LiteralString = """
SELECT engine, client_order_id, side, sum(quantity) AS quantity,
    trim_scale(sum(quantity * price) / sum(quantity)) AS price,
    min(executed_ms) AS executed_ms
FROM executions WHERE category = %(category)s AND symbol = %(symbol)s
    AND executed_ms >= %(from_ms)s AND executed_ms < %(to_ms)s AND quantity > 0
GROUP BY engine, client_order_id, side ORDER BY executed_ms DESC LIMIT 2000"""
"""One row per order: its fills together, at their average price."""

STOPS: LiteralString = """
SELECT actor AS engine, market_ms, trigger, data ->> 'stop' AS placed, data ->> 'to' AS moved FROM journal
WHERE actor = ANY(%(engines)s) AND machine = %(asset)s AND market_ms >= %(from_ms)s AND market_ms < %(to_ms)s
    AND ((kind = 'remark' AND trigger = 'stop_moved')
         OR (kind = 'transition' AND machine_table = 'trend' AND trigger IN ('fill', 'closed')))
ORDER BY id"""

REGIME: LiteralString = """
SELECT state, data, market_ms FROM machine_states WHERE actor = 'orchestrator' AND key = %(key)s"""

CLOSES: LiteralString = """
SELECT market_ms, kind, trigger, dest, reason, data FROM journal
WHERE actor = 'orchestrator' AND machine = 'regime' AND data ? 'winner' ORDER BY id DESC LIMIT 1"""

RULES_SINCE: LiteralString = """
SELECT market_ms, reason FROM journal
WHERE actor = 'orchestrator' AND machine = 'regime' AND kind = 'transition' ORDER BY id DESC LIMIT 1"""

STANDING: LiteralString = """
SELECT market_ms, reason, data FROM journal
WHERE actor = 'orchestrator' AND machine = 'treasury' AND trigger = 'standing' ORDER BY id DESC LIMIT 1"""
