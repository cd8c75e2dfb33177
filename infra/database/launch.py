"""Opening the database at the start: the embedded server, or the one that DATABASE_URL names; migrated either way."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from infra.database.embedded import EmbeddedPostgres
from infra.database.migrations import upgrade
from infra.database.outage import told
from infra.database.roles import APPLICATION, READER, RETENTION, ROLES, as_role, secure
from infra.database.urls import psycopg_url, shown_url
from infra.faults import OperatorError


class DatabaseUnreachableError(OperatorError):
    """The database that DATABASE_URL names does not answer or refuses the login; the text never shows the password."""


@dataclass(frozen=True, slots=True)
class Database:
    """The running database and its URLs (never to be shown: they carry passwords). `server` is None when it is not ours
    to run.

    `url` is the application's, `retention_url` of the one part that deletes, `reader_url` of whoever only reads.
    """

    url: str = field(repr=False)
    retention_url: str = field(repr=False)
    reader_url: str = field(repr=False)
    server: EmbeddedPostgres | None

    def ensure_running(self) -> bool:
        """Restart our own server if it has died; True when it had. To be called about every half second."""
        return self.server is not None and self.server.ensure_running()

    def stop(self) -> None:
        """Stop our own server; the last thing that stops."""
        if self.server is not None:
            self.server.stop()


def open_database(url: str | None, folder: Path, port: int = 0, server: EmbeddedPostgres | None = None) -> Database:
    """Start (when `url` is None), migrate and secure the database. A `server` handed in can be stopped meanwhile.

    Raises:
        EmbeddedDatabaseError: our server cannot be started.
        NewerDatabaseError: the database belongs to a newer program.
        DatabaseUrlError: the URL is not PostgreSQL's.
        DatabaseUnreachableError: the database of `url` cannot be reached.
        DatabaseRolesError: its login may not make the roles of the application.
    """
    if url is not None:
        return _open_external(psycopg_url(url))
    server = server or EmbeddedPostgres(folder, port)
    try:
        upgrade(server.start())
        passwords = {role: server.password_of(role) for role in ROLES}
        secure(server.url, passwords)
    except BaseException:
        server.stop()
        raise
    return Database(server.url_of(APPLICATION), server.url_of(RETENTION), server.url_of(READER), server)


def _open_external(url: str) -> Database:
    try:
        upgrade(url)
    except DBAPIError as error:
        raise DatabaseUnreachableError(
            f"DATABASE_URL {shown_url(url)} cannot be used: {told(error.orig or error)}. Nothing was started; "
            "check that the server runs, its address, its database and the login."
        ) from error
    secure(url)
    return Database(as_role(url, APPLICATION), as_role(url, RETENTION), as_role(url, READER), None)
