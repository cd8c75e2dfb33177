"""Small registers beside the actors' own rows: signs of life (OR-8) and configuration versions (DA-5, RM-6)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from infra.database.connection import connect
from infra.database.outage import is_outage
from infra.database.statements import to_json

BEAT = """
INSERT INTO heartbeats (component, state, market_ms, detail) VALUES (%s, %s, %s, %s)
ON CONFLICT (component) DO UPDATE SET state = excluded.state, market_ms = excluded.market_ms,
    detail = excluded.detail, beat_at = now()"""

RECORD = """
INSERT INTO config_versions (who, reason, config)
SELECT %s, %s, %s WHERE NOT EXISTS (
    SELECT FROM (SELECT config FROM config_versions ORDER BY version DESC LIMIT 1) AS newest WHERE config = %s
)"""

_CONFIGURATION_LOCK = 7_315_003
"""Advisory lock: two programs that start at once agree on one version (a table lock needs rights beyond appending)."""


def write_heartbeat(
    connection: psycopg.Connection[Any], component: str, state: str, market_ms: int, detail: Mapping[str, Any]
) -> None:
    """Replace the component's newest sign of life."""
    connection.execute(BEAT, (component, state, market_ms, Jsonb(dict(detail), dumps=to_json)))


def record_configuration(url: str, config: Mapping[str, Any], who: str, reason: str) -> int:
    """Keep a configuration (without secrets) if it differs from the newest; returns the version in force."""
    document = Jsonb(dict(config), dumps=to_json)
    with connect(url, "configuration", is_patient=True) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CONFIGURATION_LOCK,))
        connection.execute(RECORD, (who, reason, document, document))
        row = connection.execute("SELECT max(version) FROM config_versions").fetchone()
    assert row is not None
    return int(row[0])


class Heartbeats:
    """Writes signs of life over a connection of its own; a database that is away is reported to the caller."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        self._guard = threading.Lock()

    def beat(self, component: str, state: str, market_ms: int, detail: Mapping[str, Any] | None = None) -> bool:
        """Whether the sign of life was written; False when the database cannot be reached."""
        with self._guard:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = connect(self._url, "heartbeats")
                write_heartbeat(self._connection, component, state, market_ms, detail or {})
            except psycopg.Error as error:
                self._close()
                if is_outage(error):
                    return False
                raise
            return True

    def close(self, timeout_s: float = 1.0) -> None:
        """Give the connection back. A sign of life that waits for a frozen server keeps it: it ends with the server."""
        if self._guard.acquire(timeout=timeout_s):
            try:
                self._close()
            finally:
                self._guard.release()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
