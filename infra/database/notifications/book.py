"""The alerts, and how far each was taken: implements `actors.notifications.ports.NotificationBook`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from infra.database.connection import Line
from statemachines.facts import DeliveryFact, NoticeFact
from statemachines.notifications.message import SEVERITIES
from statemachines.notifications.seen import SeenAlert

_COLUMNS: LiteralString = """
SELECT a.alert_id, a.actor, a.condition, a.severity, a.title, a.text, a.state, a.changes, a.market_ms, a.changed_ms,
    k.who AS acknowledged_by, to_jsonb(n.*) AS notice"""

_JOINED: LiteralString = "LEFT JOIN notices n USING (alert_id) LEFT JOIN acknowledgements k USING (alert_id)"

_ALERT: LiteralString = f"{_COLUMNS} FROM alerts a {_JOINED}"

_ONE: LiteralString = f"{_ALERT} WHERE a.alert_id = %(alert_id)s"

_NEWS: LiteralString = """
WHERE n.alert_id IS NULL OR n.changes <> a.changes OR n.state <> a.state
    OR (k.alert_id IS NOT NULL AND NOT n.is_acknowledged)
ORDER BY a.changed_ms, a.alert_id LIMIT %(limit)s"""

_RECENT: LiteralString = f"""{_COLUMNS} FROM (SELECT * FROM alerts ORDER BY changed_ms DESC LIMIT 500) AS a
    LEFT JOIN LATERAL (SELECT * FROM notices WHERE alert_id = a.alert_id OFFSET 0) AS n ON true
    LEFT JOIN LATERAL (SELECT * FROM acknowledgements WHERE alert_id = a.alert_id OFFSET 0) AS k ON true
    {_NEWS}"""
"""Of the newest alerts: what the look of every second costs does not grow with their number."""

_UNSEEN: LiteralString = f"{_ALERT} {_NEWS}"
"""Every alert is compared with what was taken of it, and not only those after a place: the number or the time of a row
that commits late lies before that of one that was seen already."""

_STANDING: LiteralString = f"""{_ALERT}
WHERE n.state <> 'ended' OR n.repeat_at IS NOT NULL ORDER BY a.changed_ms, a.alert_id"""

_UNDELIVERED: LiteralString = "SELECT * FROM deliveries WHERE ended_at IS NULL ORDER BY number"


class PostgresBook:
    """Reads over a connection of its own; a lost one is made again at the next call."""

    def __init__(self, url: str) -> None:
        self._line = Line(url, "notifier")

    def __repr__(self) -> str:
        return "PostgresBook()"

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()

    def alert(self, alert_id: str) -> SeenAlert | None:
        found = self._rows(_ONE, alert_id=alert_id)
        return _seen(found[0]) if found else None

    def unseen(self, limit: int) -> Sequence[SeenAlert]:
        return [_seen(row) for row in self._rows(_UNSEEN, limit=limit)]

    def unseen_recent(self, limit: int) -> Sequence[SeenAlert]:
        return [_seen(row) for row in self._rows(_RECENT, limit=limit)]

    def standing(self) -> Sequence[SeenAlert]:
        return [_seen(row) for row in self._rows(_STANDING)]

    def undelivered(self) -> Sequence[DeliveryFact]:
        return [DeliveryFact.model_validate(row) for row in self._rows(_UNDELIVERED)]

    def newest_number(self) -> int:
        return int(self._rows("SELECT coalesce(max(number), 0) AS newest FROM deliveries")[0]["newest"])

    def market_ms(self) -> int:
        return int(self._rows("SELECT coalesce(max(market_ms), 0) AS newest FROM actors")[0]["newest"])

    def is_recorded(self, delivery_id: str) -> bool:
        query: LiteralString = "SELECT 1 AS one FROM deliveries WHERE delivery_id = %(delivery_id)s"
        return bool(self._rows(query, delivery_id=delivery_id))

    def _rows(self, query: LiteralString, **parameters: Any) -> list[dict[str, Any]]:
        def read(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
            with connection.cursor(row_factory=dict_row) as cursor:
                return cursor.execute(query, parameters).fetchall()

        return self._line.perform(read)


def _seen(row: Mapping[str, Any]) -> SeenAlert:
    severity = row["severity"] if row["severity"] in SEVERITIES else "critical"
    notice = None if row["notice"] is None else NoticeFact.model_validate(row["notice"])
    return SeenAlert(**{**row, "severity": severity, "notice": notice})
