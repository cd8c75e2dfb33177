"""Opening the database at the start: the embedded server, or the one that DATABASE_URL names; migrated either way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from infra.database.embedded import EmbeddedPostgres
from infra.database.migrations import upgrade
from infra.database.urls import psycopg_url


@dataclass(frozen=True, slots=True)
class Database:
    """The running database. `server` is None when it is not ours to run."""

    url: str
    server: EmbeddedPostgres | None

    def __repr__(self) -> str:
        return f"Database(server={self.server!r})"

    def ensure_running(self) -> bool:
        """Restart our own server if it has died; True when it had. To be called about every half second."""
        return self.server is not None and self.server.ensure_running()

    def stop(self) -> None:
        """Stop our own server; the last thing that stops."""
        if self.server is not None:
            self.server.stop()


def open_database(url: str | None, folder: Path, port: int = 0) -> Database:
    """Start (when `url` is None) and migrate the database.

    Raises:
        EmbeddedDatabaseError: our server cannot be started.
        NewerDatabaseError: the database belongs to a newer program.
        DatabaseUrlError: the URL is not PostgreSQL's.
        sqlalchemy.exc.OperationalError: the database of `url` cannot be reached.
    """
    if url is not None:
        upgrade(psycopg_url(url))
        return Database(psycopg_url(url), None)
    server = EmbeddedPostgres(folder, port)
    try:
        upgrade(server.start())
    except BaseException:
        server.stop()
        raise
    return Database(server.url, server)
