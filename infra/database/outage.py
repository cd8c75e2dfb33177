"""What an error of PostgreSQL means: an outage, which is waited for, or a fault of our own, which is raised.

A refusal of our own statement or data is a fault of the program. Everything else (a lost connection, a database that
is read-only after a failover, out of space, shutting down, refusing the login, taking too long) is an outage: nothing
is known to be committed, and the same call may succeed later (DESIGN 1). What kind of outage it is, is decided here
alone: actors wait for it; /health, page and alert report it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import psycopg

from actors.runtime.ports import StoreUnavailableError
from infra.faults import OperatorError


class Outage(StrEnum):
    """What is wrong with the database; the value continues a sentence that begins with "The database"."""

    READ_ONLY = "is read-only"
    FULL = "has no space left on its disk"
    EXHAUSTED = "has no memory or no connection left"
    REFUSING = "refuses this program's login or its rights"
    STARTING = "is starting, stopping or restarting"
    SLOW = "does not answer in time"
    LOCKED = "is locked by another session"
    INCOMPLETE = "lacks tables of this program (as while a backup is restored)"
    FAULTY = "reports a fault of its own"
    AWAY = "cannot be reached"


_OURS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.ProgrammingError,
    psycopg.NotSupportedError,
)
"""SQLSTATE classes 22, 23, 42 and 0A: the statement or its data are wrong, whatever the state of the server."""

_NOT_OURS = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.InvalidCatalogName,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
)
"""Filed among the former, but said by a server whose roles, databases or tables are being changed or restored: every
start has migrated, so that the tables were there."""

LOST_CONNECTION = frozenset({Outage.AWAY, Outage.STARTING})
"""Errors of a connection that died while idle, whatever the state of the server now."""

_BY_STATE = {
    "25006": Outage.READ_ONLY,
    "53100": Outage.FULL,
    "53": Outage.EXHAUSTED,
    "28": Outage.REFUSING,
    "42501": Outage.REFUSING,
    "3D": Outage.REFUSING,
    "57014": Outage.SLOW,
    "57": Outage.STARTING,
    "55P03": Outage.LOCKED,
    "42P01": Outage.INCOMPLETE,
    "3F": Outage.INCOMPLETE,
    "40": Outage.SLOW,
    "58": Outage.FAULTY,
    "XX": Outage.FAULTY,
}
"""By SQLSTATE, or by its class where that is enough."""

_BY_WORDS = {
    "starting up": Outage.STARTING,
    "shutting down": Outage.STARTING,
    "in recovery mode": Outage.STARTING,
    "not currently accepting connections": Outage.REFUSING,
    "accepting connections": Outage.STARTING,
    "authentication failed": Outage.REFUSING,
    "not permitted to log in": Outage.REFUSING,
    "pg_hba.conf": Outage.REFUSING,
    "no password supplied": Outage.REFUSING,
    "does not exist": Outage.REFUSING,
    "permission denied": Outage.REFUSING,
    "too many": Outage.EXHAUSTED,
    "remaining connection slots": Outage.EXHAUSTED,
    "connection limit exceeded": Outage.EXHAUSTED,
    "out of memory": Outage.EXHAUSTED,
    "no space left": Outage.FULL,
    "timeout expired": Outage.SLOW,
}
"""A refused connection carries no SQLSTATE, only the server's words (English unless the operator changed them)."""


def outage_of(error: BaseException) -> Outage | None:
    """The kind of outage that an error means; None when it is none."""
    if not isinstance(error, psycopg.Error):
        return None
    if isinstance(error, _OURS) and not isinstance(error, _NOT_OURS):
        return None
    state, words = error.sqlstate or "", str(error).lower()
    by_state = _BY_STATE.get(state) or _BY_STATE.get(state[:2])
    if by_state is not None:
        return by_state
    # A server that sends a SQLSTATE can be reached, unless the code itself says otherwise.
    unknown = Outage.AWAY if state[:2] in ("", "08") else Outage.FAULTY
    return next((kind for part, kind in _BY_WORDS.items() if part in words), unknown)


def is_outage(error: BaseException) -> bool:
    """Whether waiting and repeating the call is right."""
    return outage_of(error) is not None


def reason_of(error: BaseException) -> str:
    """The error as one line for people: of what the server says its message, without the statement."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return " ".join((primary or str(error)).split()) or type(error).__name__


# --- as a sentence for the person who starts or asks ---


class DatabaseUnreachableError(OperatorError):
    """The database that DATABASE_URL names does not answer or refuses the login; the text never shows the password."""


@contextmanager
def told_as_sentence() -> Iterator[None]:
    """What the database refuses during the start because of an outage is reported as one.

    Raises:
        DatabaseUnreachableError: in place of the driver's error.
    """
    try:
        yield
    except StoreUnavailableError as error:
        raise _unreachable(error.what, error.why) from error
    except psycopg.Error as error:
        outage = outage_of(error)
        if outage is None:
            raise
        raise _unreachable(outage, reason_of(error)) from error


def _unreachable(what: str, why: str) -> DatabaseUnreachableError:
    return DatabaseUnreachableError(
        f"The database {what}: {why}. Nothing was started; see what else uses that database, and start again."
    )
