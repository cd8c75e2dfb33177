"""The journal, read: changes of state, and what was decided or measured without one (P3)."""

from __future__ import annotations

from typing import LiteralString

TRANSITIONS: LiteralString = """
SELECT id, actor, market_ms, recorded_at, machine_table, machine, trigger, source, dest, reason, data, cause, trace
FROM journal WHERE actor = %(actor)s AND kind = 'transition'
    AND (%(machine)s::text IS NULL OR machine = %(machine)s)
    AND (%(table)s::text IS NULL OR machine_table IN ('', %(table)s))"""

REMARKS: LiteralString = """
SELECT id, actor, market_ms, recorded_at, machine AS subject, trigger, reason, data, cause, trace
FROM journal WHERE actor = %(actor)s AND kind = 'remark' AND NOT is_bookkeeping
    AND (%(subject)s::text IS NULL OR machine = %(subject)s)"""
