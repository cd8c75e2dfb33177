"""Messages to people as the ways in show them (RM-5)."""

from __future__ import annotations

from typing import LiteralString

DELIVERIES: LiteralString = """SELECT delivery_id, number, kind, channel, action, alert_id, severity, title, state,
    attempts, market_ms, created_at, next_at, ended_at, remote_id, reason FROM deliveries
    WHERE (%(alert_id)s::text IS NULL OR alert_id = %(alert_id)s)
    AND (%(channel)s::text IS NULL OR channel = %(channel)s) AND (%(state)s::text IS NULL OR state = %(state)s)"""

CHANNELS: LiteralString = """
SELECT substr(m.key, 9) AS channel, m.state, m.data,
    (SELECT count(*) FROM deliveries d WHERE d.channel = substr(m.key, 9) AND d.ended_at IS NULL) AS waiting
FROM machine_states m WHERE m.actor = 'notifier' AND m.key LIKE 'channel:%%' ORDER BY m.key"""
"""Every channel that was ever on, as the notifier has it, with what waits for it."""

UNACKNOWLEDGED: LiteralString = """
SELECT count(*) AS count FROM alerts a LEFT JOIN acknowledgements k USING (alert_id)
WHERE a.severity = 'critical' AND a.state <> 'ended' AND k.alert_id IS NULL"""
