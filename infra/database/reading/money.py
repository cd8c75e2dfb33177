"""What results and positions are made of: daily records, realised profit, stops at the exchange, instruments."""

from __future__ import annotations

from typing import LiteralString

DAYS: LiteralString = """
SELECT * FROM performance WHERE (%(engine)s::text IS NULL OR engine = %(engine)s)
    AND day_ms >= %(from_ms)s AND day_ms < %(to_ms)s ORDER BY day_ms DESC, engine"""

FIRST_DAYS: LiteralString = "SELECT engine, min(day_ms) AS day_ms FROM performance GROUP BY engine"

REALISED: LiteralString = """
SELECT engine, executed_ms / 86400000 * 86400000 AS day_ms, count(*) AS fills, sum(realized_pnl) AS realised_usdt
FROM executions WHERE executed_ms >= %(from_ms)s AND executed_ms < %(to_ms)s
    AND (%(engine)s::text IS NULL OR %(engine)s = 'total' OR engine = %(engine)s)
GROUP BY 1, 2"""
"""The exchange's own figure, of derivatives; a fill of a day counts on that day (UTC)."""

STOPS: LiteralString = """
SELECT account, symbol, side, client_order_id, trigger_price, quantity, filled_quantity, state FROM orders
WHERE trigger_price IS NOT NULL AND reduce_only AND category = 'linear'
    AND state = ANY(%(states)s) ORDER BY created_ms"""

NEWEST_PRICES: LiteralString = """
SELECT held.symbol, bar.start_ms, bar.close FROM (SELECT DISTINCT symbol FROM positions WHERE quantity <> 0) AS held
CROSS JOIN LATERAL (
    SELECT start_ms, close FROM bars WHERE category = 'linear' AND symbol = held.symbol AND interval = %(interval)s
    ORDER BY start_ms DESC LIMIT 1) AS bar"""
"""The newest closed price of every perpetual that is held."""

INSTRUMENTS: LiteralString = """
SELECT data FROM machine_states WHERE actor = 'risk-manager' AND key = 'instruments'"""

TRACKS: LiteralString = """
SELECT data -> 'tracks' AS tracks FROM machine_states WHERE actor = 'risk-manager' AND key = 'results'"""
"""The risk manager's drawdown tracks by group (RM-3)."""
