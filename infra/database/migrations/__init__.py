"""Alembic migrations, run by the program itself: `upgrade(url)`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine, text

from infra.database.urls import sqlalchemy_url
from infra.faults import OperatorError

_UPGRADE_LOCK = 7_315_001
"""Advisory lock: two programs that start at once must not migrate at once."""


class NewerDatabaseError(OperatorError):
    """The database was written by a newer program; this one must not touch it."""


def make_config() -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def upgrade(url: str) -> str:
    """Bring the database to the newest revision and return it; repeating it changes nothing.

    Raises:
        NewerDatabaseError: the database's revision is not known to this program.
    """
    config = make_config()
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    assert head is not None
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
            current = MigrationContext.configure(connection).get_current_revision()
            if current == head:
                return head
            known = {script.revision for script in scripts.walk_revisions()}
            if current is not None and current not in known:
                raise NewerDatabaseError(
                    f"the database has revision {current}, which this program does not know "
                    f"(its newest is {head}); use the program that wrote the database, or another database."
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
    return head
