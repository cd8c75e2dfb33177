"""Alerts as the ways in show them: with who has acknowledged them (RM-5)."""

from __future__ import annotations

from typing import Any, LiteralString, NamedTuple

ACKNOWLEDGED: LiteralString = """k.who AS acknowledged_by, k.text AS acknowledged_text,
    (extract(epoch FROM k.acknowledged_at) * 1000)::bigint AS acknowledged_ms"""
"""The columns of an acknowledgement; `acknowledged_ms` is wall time."""

JOINED: LiteralString = f"SELECT a.*, {ACKNOWLEDGED} FROM alerts a LEFT JOIN acknowledgements k USING (alert_id)"
"""Every alert with its acknowledgement."""

ALERTS: LiteralString = f"""SELECT * FROM ({JOINED}) AS seen
    WHERE (%(severity)s::text IS NULL OR severity = %(severity)s)
    AND (%(actor)s::text IS NULL OR actor = %(actor)s)
    AND (%(state)s::text IS NULL OR state = %(state)s OR (%(state)s = 'standing' AND state <> 'ended'))
    AND (%(acknowledged)s::boolean IS NULL OR (acknowledged_by IS NOT NULL) = %(acknowledged)s)"""

ONE: LiteralString = f"{JOINED} WHERE a.alert_id = %(alert_id)s"


class Asked(NamedTuple):
    """Which alerts are asked for; None: all. State "standing": open or changed, not ended."""

    severity: str | None = None
    state: str | None = None
    actor: str | None = None
    acknowledged: bool | None = None


EVERY = Asked()


def parameters(asked: Asked) -> dict[str, Any]:
    """The values of `ALERTS`."""
    return asked._asdict()
