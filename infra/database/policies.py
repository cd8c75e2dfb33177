"""The versions of the policy (RM-6): rows that are only ever appended, with who, when and why; the newest applies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from infra.database.connection import connect
from infra.database.statements import to_json
from infra.faults import OperatorError

Origin = Literal["configuration", "operator", "rollback"]

COLUMNS = "version, recorded_at, who, reason, origin, policy"
NEWEST = f"SELECT {COLUMNS} FROM policy_versions ORDER BY version DESC LIMIT %s"
ONE = f"SELECT {COLUMNS} FROM policy_versions WHERE version = %s"
ADD = f"""
INSERT INTO policy_versions (version, who, reason, origin, policy) VALUES (%s, %s, %s, %s, %s) RETURNING {COLUMNS}"""

_LOCK = 7_315_008
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


def newest(url: str) -> PolicyVersion | None:
    """The policy that applies; None before the first start."""
    return next(iter(history(url, 1)), None)


def history(url: str, limit: int = 50) -> list[PolicyVersion]:
    """The newest versions, the newest first."""
    with connect(url, "policy") as connection, _cursor(connection) as cursor:
        return cursor.execute(NEWEST, (limit,)).fetchall()


def version(url: str, number: int) -> PolicyVersion | None:
    """The version of this number; None if there is none."""
    with connect(url, "policy") as connection, _cursor(connection) as cursor:
        return cursor.execute(ONE, (number,)).fetchone()


def record(url: str, after: int, policy: Mapping[str, Any], who: str, reason: str, origin: Origin) -> PolicyVersion:
    """Append the version that follows `after` (0: the first one).

    Raises:
        PolicyChangedError: `after` is not the newest version.
    """
    document = Jsonb(dict(policy), dumps=to_json)
    with connect(url, "policy", is_patient=True) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        with _cursor(connection) as cursor:
            last = cursor.execute(NEWEST, (1,)).fetchone()
            if (0 if last is None else last.version) != after:
                shown = "none" if last is None else f"{last.version} of {last.who} ({last.reason})"
                raise PolicyChangedError(
                    f"The policy was changed meanwhile: the newest version is {shown}, and the change was made for "
                    f"version {after}. Nothing was recorded; look at `eternal policy diff` and repeat the change."
                )
            made = cursor.execute(ADD, (after + 1, who, reason, origin, document)).fetchone()
    assert made is not None
    return made


def _cursor(connection: psycopg.Connection[Any]) -> psycopg.Cursor[PolicyVersion]:
    return connection.cursor(row_factory=class_row(PolicyVersion))
