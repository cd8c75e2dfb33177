"""Small registers beside the actors' own rows: signs of life (OR-8), versions of configuration and policy (RM-6),
commands of the operator that wait for the risk manager (RM-5)."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from infra.database.connection import Line, connect
from infra.database.outage import is_outage
from infra.database.reading.operator import HELD
from infra.database.statements import SWITCH_LOCK, fact_statements, to_json
from infra.faults import OperatorError
from statemachines.facts import HeldCommandFact
from statemachines.messages.control import OperatorCommand

BEAT = """
INSERT INTO heartbeats (component, state, market_ms, detail) VALUES (%s, %s, %s, %s)
ON CONFLICT (component) DO UPDATE SET state = excluded.state, market_ms = excluded.market_ms,
    detail = excluded.detail, beat_at = now()"""

WAITING = f"""
SELECT command_id, held.who, held.action, held.asked_scope, held.reason
FROM {HELD} JOIN held_commands h USING (command_id, scope)
GROUP BY command_id, held.who, held.action, held.asked_scope, held.reason
ORDER BY max(age(h.xmin)) DESC, min(h.ctid), command_id"""
"""In the order of commit: market time may stand still, and ids are random. The rows are never changed, so the number of
the transaction that added one says when that was; the place of a row decides after a restored backup, where it says
the same of all rows."""

MARKET_MS = "SELECT coalesce(max(market_ms), 0) FROM actors"

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


# --- versions of the policy: only ever appended, with who, when and why; the newest applies (RM-6) ---

Origin = Literal["configuration", "operator", "rollback"]

_COLUMNS = "version, recorded_at, who, reason, origin, policy"
_NEWEST = f"SELECT {_COLUMNS} FROM policy_versions ORDER BY version DESC LIMIT %s"
_ONE = f"SELECT {_COLUMNS} FROM policy_versions WHERE version = %s"
_ADD = f"""
INSERT INTO policy_versions (version, who, reason, origin, policy) VALUES (%s, %s, %s, %s, %s) RETURNING {_COLUMNS}"""

_POLICY_LOCK = 7_315_008
"""Advisory lock: of two changes at once the second one sees the first."""


class PolicyVersion(NamedTuple):
    """One version. `origin`: whether it is the configuration's, was set by the operator, or is an earlier one again."""

    version: int
    recorded_at: datetime
    who: str
    reason: str
    origin: Origin
    policy: Mapping[str, Any]


class PolicyChangedError(OperatorError):
    """Another change was recorded meanwhile: this one was made for a policy that is no longer the newest."""


def newest_policy(url: str) -> PolicyVersion | None:
    """The policy that applies; None before the first start."""
    return next(iter(policy_history(url, 1)), None)


def policy_history(url: str, limit: int = 50) -> list[PolicyVersion]:
    """The newest versions, the newest first."""
    with connect(url, "policy") as connection, _cursor(connection) as cursor:
        return cursor.execute(_NEWEST, (limit,)).fetchall()


def policy_version(url: str, number: int) -> PolicyVersion | None:
    """The version of this number; None if there is none."""
    with connect(url, "policy") as connection:
        return read_version(connection, number)


def read_version(connection: psycopg.Connection[Any], number: int) -> PolicyVersion | None:
    """The version of this number; None if there is none."""
    with _cursor(connection) as cursor:
        return cursor.execute(_ONE, (number,)).fetchone()


def newest_version(connection: psycopg.Connection[Any]) -> int:
    """The number of the newest version; 0 before the first start."""
    found = connection.execute("SELECT coalesce(max(version), 0) FROM policy_versions").fetchone()
    assert found is not None
    return int(found[0])


def record_policy(
    url: str, after: int, policy: Mapping[str, Any], who: str, reason: str, origin: Origin
) -> PolicyVersion:
    """Append the version that follows `after` (0: the first one).

    Raises:
        PolicyChangedError: `after` is not the newest version.
    """
    document = Jsonb(dict(policy), dumps=to_json)
    with connect(url, "policy", is_patient=True) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_POLICY_LOCK,))
        with _cursor(connection) as cursor:
            last = cursor.execute(_NEWEST, (1,)).fetchone()
            if (0 if last is None else last.version) != after:
                shown = "none" if last is None else f"{last.version} of {last.who} ({last.reason})"
                raise PolicyChangedError(
                    f"The policy was changed meanwhile: the newest version is {shown}, and the change was made for "
                    f"version {after}. Nothing was recorded; look at `eternal policy diff` and repeat the change."
                )
            made = cursor.execute(_ADD, (after + 1, who, reason, origin, document)).fetchone()
    assert made is not None
    return made


def _cursor(connection: psycopg.Connection[Any]) -> psycopg.Cursor[PolicyVersion]:
    return connection.cursor(row_factory=class_row(PolicyVersion))


class HeldCommands:
    """Implements `actors.runtime.ports.HeldCommandsPort`, and takes a command while the interface is away. Every method
    raises StoreUnavailableError."""

    def __init__(self, url: str) -> None:
        self._line = Line(url, "held commands")

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()

    def waiting(self) -> Sequence[OperatorCommand]:
        """Those that the risk manager has not carried out, in the order in which they were given."""
        rows = self._line.perform(lambda connection: connection.execute(WAITING).fetchall())
        return [
            OperatorCommand(command_id=name, who=who, action=action, scope=scope, reason=reason)
            for name, who, action, scope, reason in rows
        ]

    def market_ms(self) -> int:
        """The newest market time that an actor has committed; 0 before the first."""
        row = self._line.perform(lambda connection: connection.execute(MARKET_MS).fetchone())
        return 0 if row is None else int(row[0])

    def put_in_force(self, facts: Sequence[HeldCommandFact]) -> None:
        """In one transaction that holds the switches' lock alone: a request to the exchange is either durable before it
        or sees it. A repeat changes nothing."""

        def write(connection: psycopg.Connection[object]) -> None:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (SWITCH_LOCK,))
                for statement in fact_statements(facts):
                    connection.execute(statement.sql, statement.parameters)

        self._line.perform(write)
