"""Opening the database at the start: the embedded server, or the one that DATABASE_URL names; migrated either way."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from infra.database.connection import connect
from infra.database.migrations import upgrade
from infra.database.outage import DatabaseUnreachableError, reason_of
from infra.database.roles import DatabaseRolesError, as_login, as_role, may_make_roles, own_logins, secure, weaknesses
from infra.database.server.embedded import EmbeddedPostgres
from infra.database.urls import APPLICATION, READER, RETENTION, ROLES, psycopg_url, shown_url

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Database:
    """The running database and its URLs (never to be shown: they carry passwords). `server` is None when it is not ours
    to run.

    `url` is the application's, `retention_url` of the one part that deletes, `reader_url` that of all who only read.
    `warnings` say how a login that we were given could undo what is append-only.
    """

    url: str = field(repr=False)
    retention_url: str = field(repr=False)
    reader_url: str = field(repr=False)
    server: EmbeddedPostgres | None
    warnings: tuple[str, ...] = ()

    def ensure_running(self) -> bool:
        """Restart our own server if it has died; True when it had. To be called about every half second."""
        return self.server is not None and self.server.ensure_running()

    def stop(self) -> None:
        """Stop our own server; the last thing that stops."""
        if self.server is not None:
            self.server.stop()


def open_database(
    url: str | None,
    folder: Path,
    port: int = 0,
    server: EmbeddedPostgres | None = None,
    owner_url: str | None = None,
) -> Database:
    """Start (when `url` is None), migrate and secure the database. A `server` handed in can be stopped meanwhile.
    `owner_url` is a login of its own for migration and retention.

    Raises:
        EmbeddedDatabaseError: our server cannot be started.
        NewerDatabaseError: the database belongs to a newer program.
        DatabaseUrlError: the URL is not PostgreSQL's.
        DatabaseUnreachableError: the database of `url` cannot be reached.
        DatabaseRolesError: its login may not make the roles of the application.
    """
    if url is not None:
        return _open_external(psycopg_url(url), None if owner_url is None else psycopg_url(owner_url))
    server = server or EmbeddedPostgres(folder, port)
    try:
        upgrade(server.start())
        passwords = {role: server.password_of(role) for role in ROLES}
        secure(server.url, passwords)
    except BaseException:
        server.stop()
        raise
    return Database(server.url_of(APPLICATION), server.url_of(RETENTION), server.url_of(READER), server)


def _open_external(url: str, owner_url: str | None) -> Database:
    variable = "DATABASE_URL" if owner_url is None else "DATABASE_OWNER_URL"
    owner = owner_url or url
    try:
        upgrade(owner)
    except DBAPIError as error:
        raise DatabaseUnreachableError(
            f"{variable} {shown_url(owner)} cannot be used: {reason_of(error.orig or error)}. Nothing was started; "
            "check that the server runs, its address, its database and the login."
        ) from error
    database = _with_owner(url, owner_url) if owner_url is not None else _with_own_logins(url) or _with_set_role(url)
    try:
        return replace(database, warnings=tuple(weaknesses(database.url, "DATABASE_URL")))
    except psycopg.Error as error:
        raise DatabaseUnreachableError(
            f"DATABASE_URL {shown_url(url)} cannot be used: {reason_of(error)}. Nothing was started; check the login."
        ) from error


def _with_owner(url: str, owner_url: str) -> Database:
    """Two logins: the owner migrates, and retention acts for it; the other one only takes the application's roles."""
    secure(owner_url, login=make_url(url).username)
    return Database(as_role(url, APPLICATION), as_role(owner_url, RETENTION), as_role(url, READER), None)


def _with_own_logins(url: str) -> Database | None:
    """One login that may make roles: the application logs in as roles of its own, whose logins own nothing, and the
    given one stays in this process. None where that is not allowed, by its rights or by the server's pg_hba.conf."""
    passwords = own_logins(url)
    if passwords is None:
        return None
    logins = {role: as_login(url, role, passwords[role]) for role in ROLES}
    found = Database(logins[APPLICATION], logins[RETENTION], logins[READER], None)
    try:
        secure(url, passwords)
        for one in (found.url, found.retention_url, found.reader_url):
            connect(one, "roles").close()
    except (DatabaseRolesError, psycopg.OperationalError) as error:
        LOG.info("roles of our own cannot log in: %s", reason_of(error))
        return None
    return found


def _with_set_role(url: str) -> Database:
    """The given login takes the roles: it can end that, which is reported (`weaknesses`)."""
    secure(url)
    return Database(as_role(url, APPLICATION), as_role(url, RETENTION), as_role(url, READER), None)


def undoing(url: str, owner_url: str | None) -> list[str]:
    """`weaknesses` of the login that the application has, or will have from the next start on; nothing is changed."""
    passwords = None if owner_url is not None else own_logins(url)
    if passwords is None:
        return weaknesses(url, "DATABASE_URL")
    try:
        return weaknesses(as_login(url, APPLICATION, passwords[APPLICATION]), "DATABASE_URL")
    except psycopg.OperationalError:
        return [] if may_make_roles(url) else weaknesses(url, "DATABASE_URL")
