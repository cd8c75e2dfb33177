"""What engines' rules have read over time, beside the bars: funding rates, external values, CORE's daily figures."""

from __future__ import annotations

from typing import LiteralString

RATES: LiteralString = """
SELECT symbol, settle_ms, rate, interval_min FROM funding_rates WHERE symbol = %(symbol)s
ORDER BY settle_ms DESC LIMIT %(count)s"""

FEAR: LiteralString = """
SELECT feed ->> 'fear_greed' AS value, (feed ->> 'fear_greed_ms')::bigint AS market_ms FROM (
    SELECT seq, envelope -> 'body' -> 'feed' AS feed FROM outbox
    WHERE sender = 'market-data' AND kind = 'day_closed' ORDER BY seq DESC LIMIT %(count)s) AS days
WHERE feed ->> 'fear_greed' IS NOT NULL AND feed ->> 'fear_greed_ms' IS NOT NULL ORDER BY seq DESC"""
"""As the daily messages had it, as long as these are kept (`retention.messages_days`)."""

CYCLES: LiteralString = """
SELECT market_ms, data FROM journal WHERE actor = 'core-hodl' AND kind = 'remark' AND trigger = 'cycle'
ORDER BY id DESC LIMIT %(count)s"""
