"""What an error of PostgreSQL means: an outage, which is waited for, or a fault of our own, which is raised.

A refusal of our own statement or data is a fault of the program. Everything else (a lost connection, a database that
is read-only after a failover, out of space, shutting down, refusing the login, taking too long) is an outage: nothing
is known to be committed, and the same call may succeed later (DESIGN 1).
"""

from __future__ import annotations

import psycopg

_OURS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.ProgrammingError,
    psycopg.NotSupportedError,
)
"""SQLSTATE classes 22, 23, 42 and 0A: the statement or its data are wrong, whatever the state of the server."""

_NOT_OURS = (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidCatalogName)
"""Filed among the former, but said by a server whose roles or databases are being changed or restored."""


def is_outage(error: BaseException) -> bool:
    """Whether waiting and repeating the call is right."""
    if not isinstance(error, psycopg.Error):
        return False
    return isinstance(error, _NOT_OURS) or not isinstance(error, _OURS)


def told(error: BaseException) -> str:
    """The error as one line for people."""
    return " ".join(str(error).split()) or type(error).__name__
