"""The alert of a silence as a row of `alerts`, written as soon as the database can be written to."""

from __future__ import annotations

import logging
import time
from typing import Any

import psycopg

from actors.runtime.ports import StoreUnavailableError
from infra.database.connection import Line
from statemachines.deadman.switch import Condition
from statemachines.values import Foundation

_log = logging.getLogger(__name__)

TITLE = "The system is silent"
NEWEST = "SELECT coalesce(max(market_ms), 0) FROM heartbeats"
WRITE = """
INSERT INTO alerts (alert_id, actor, condition, severity, title, text, state, market_ms, changed_ms, changes, ended_ms)
VALUES (%(id)s, %(actor)s, 'silence', 'critical', %(title)s, %(text)s, %(state)s, %(ms)s, %(ms)s, 0, %(ended_ms)s)
ON CONFLICT (alert_id) DO UPDATE SET text = excluded.text, changed_ms = excluded.changed_ms,
    changes = alerts.changes + 1, ended_ms = excluded.ended_ms,
    state = CASE WHEN excluded.ended_ms IS NULL THEN 'changed' ELSE 'ended' END"""


class AlertRow:
    """One row per silence. `alert_id` is that of the silence that lasts, or of the last one."""

    def __init__(self, line: Line) -> None:
        self.alert_id = ""
        self._line = line
        self._written: tuple[str, Condition] | None = None

    def begin(self) -> None:
        """A silence begins: its row is another one."""
        self.alert_id = f"{Foundation.DEAD_MAN}:{time.time_ns() // 1_000_000}"

    def show(self, condition: Condition | None) -> None:
        """Write the condition unless it stands there already; what a database that is away misses, the next call
        writes."""
        if condition is None or not self.alert_id or self._written == (self.alert_id, condition):
            return
        try:
            self._line.perform(lambda connection: self._write(connection, condition))
        except (StoreUnavailableError, psycopg.Error) as error:
            _log.warning("the alert cannot be written to the database yet: %s", error)
        else:
            self._written = (self.alert_id, condition)

    def _write(self, connection: psycopg.Connection[Any], condition: Condition) -> None:
        with connection.transaction():
            row = connection.execute(NEWEST).fetchone()
            market_ms = int(row[0]) if row is not None else 0
            values = {
                "id": self.alert_id,
                "actor": str(Foundation.DEAD_MAN),
                "title": TITLE,
                "text": condition.text,
                "state": "open" if condition.is_open else "ended",
                "ms": market_ms,
                "ended_ms": None if condition.is_open else market_ms,
            }
            connection.execute(WRITE, values)
