"""A database that the operator names (DATABASE_URL): what is append-only cannot be undone with the login that the
actors have, or the start says plainly that it can. With one login that owned all,
SET ROLE NONE undid it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from api.cli.doctor import examine
from infra.config import EternalConfig
from infra.config.sections import DatabaseConfig
from infra.database.launch import Database, open_database
from infra.database.outage import DatabaseUnreachableError
from infra.database.roles import weaknesses
from infra.database.server.embedded import EmbeddedPostgres
from infra.database.store import PostgresStore
from infra.database.urls import APPLICATION, READER, RETENTION, ROLES
from tests.database import open_temporary_folder
from tests.kit.rows import ACTOR, Pen, envelope

pytestmark = pytest.mark.database

FOLDER = Path("unused")
UNDOING = (
    "ALTER TABLE journal DISABLE TRIGGER ALL",
    "DROP TRIGGER append_only ON postings",
    "ALTER TABLE executions OWNER TO CURRENT_USER",
    "DROP TABLE posting_lines",
    "DELETE FROM journal",
    f"SET ROLE {RETENTION}",
)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server of its own: roles belong to the whole of it, and their passwords are changed here."""
    folder = open_temporary_folder()
    found = EmbeddedPostgres(folder / "database")
    try:
        found.start()
        yield found
    finally:
        found.stop()
        shutil.rmtree(folder)


@pytest.fixture
def administrator(server: EmbeddedPostgres) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    base = server.url.rpartition("/")[0]
    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        yield connection
        connection.execute("DROP DATABASE IF EXISTS books WITH (FORCE)")
        for role in (*ROLES, "owner_login", "runner"):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


def url_of(server: EmbeddedPostgres, login: str) -> str:
    return f"postgresql://{login}:{login}-password@{server.url.rpartition('@')[2].rpartition('/')[0]}/books"


def make_login(administrator: psycopg.Connection[tuple[object, ...]], name: str, rights: str = "") -> None:
    administrator.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}-password' {rights}".encode())


def undone(url: str) -> list[str]:
    """What of the undoing the login may do once it has put its role aside."""
    done = []
    with psycopg.connect(url) as connection:
        for statement in UNDOING:
            try:
                connection.execute("SET ROLE NONE")
                connection.execute(statement.encode())
                done.append(statement)
            except psycopg.errors.InsufficientPrivilege:
                pass
            connection.rollback()
    return done


def works(database: Database) -> bool:
    """Whether the application, retention and readers can do what is theirs."""
    store = PostgresStore(database.url)
    pen = Pen(store)
    pen.write(outbox=[envelope(1)])
    assert store.load(ACTOR, pen.epoch).number == pen.number
    store.close()
    with psycopg.connect(database.retention_url) as connection:
        connection.execute("DELETE FROM journal")
    with psycopg.connect(database.reader_url) as connection:
        connection.execute("SELECT * FROM journal")
    return True


def test_a_login_that_may_make_roles_never_reaches_the_actors(
    server: EmbeddedPostgres, administrator: psycopg.Connection[tuple[object, ...]]
) -> None:
    """One URL: the application logs in as roles of its own, at every start with the same passwords."""
    make_login(administrator, "owner_login", "CREATEROLE")
    administrator.execute("CREATE DATABASE books OWNER owner_login")
    url = url_of(server, "owner_login")
    database = open_database(url, FOLDER)
    assert database.warnings == ()
    for given, role in (
        (database.url, APPLICATION),
        (database.retention_url, RETENTION),
        (database.reader_url, READER),
    ):
        with psycopg.connect(given) as connection:
            assert connection.execute("SELECT session_user, current_user").fetchone() == (role, role)
        assert "owner_login" not in given
    assert undone(database.url) == []
    assert undone(url), "the owner's login can: the test's statements are the right ones"
    assert works(database)
    assert open_database(url, FOLDER) == database
    assert "password" not in repr(database)
    config = EternalConfig(database=DatabaseConfig(url=SecretStr(url)))
    assert [one.text for one in examine(config) if one.what == "database" and not one.ok] == []


def test_one_login_that_owns_all_and_may_not_make_roles_is_told_plainly(
    server: EmbeddedPostgres, administrator: psycopg.Connection[tuple[object, ...]]
) -> None:
    make_login(administrator, "owner_login")
    administrator.execute("CREATE DATABASE books OWNER owner_login")
    for role in ROLES:
        administrator.execute(f"CREATE ROLE {role}; GRANT {role} TO owner_login".encode())
    url = url_of(server, "owner_login")
    database = open_database(url, FOLDER)
    assert undone(database.url)
    (warning,) = database.warnings
    assert warning.startswith(
        "The database login owner_login of DATABASE_URL owns the tables acknowledgements, config_versions, "
    )
    assert "can undo" in warning and "DATABASE_OWNER_URL" in warning and "owner_login-password" not in warning
    assert works(database)
    config = EternalConfig(database=DatabaseConfig(url=SecretStr(url)))
    (told,) = [one.text for one in examine(config) if one.what == "database"]
    assert warning in told


def test_with_two_urls_the_actors_login_owns_nothing(
    server: EmbeddedPostgres, administrator: psycopg.Connection[tuple[object, ...]]
) -> None:
    """As README tells to make them."""
    make_login(administrator, "owner_login")
    make_login(administrator, "runner")
    administrator.execute("CREATE DATABASE books OWNER owner_login")
    for role in ROLES:
        administrator.execute(f"CREATE ROLE {role}".encode())
    administrator.execute(f"GRANT {RETENTION} TO owner_login; GRANT {APPLICATION}, {READER} TO runner".encode())
    url, owner_url = url_of(server, "runner"), url_of(server, "owner_login")
    database = open_database(url, FOLDER, owner_url=owner_url)
    assert database.warnings == ()
    assert undone(database.url) == [] and undone(database.reader_url) == []
    assert works(database)
    administrator.execute("GRANT owner_login TO runner")
    (warning,) = open_database(url, FOLDER, owner_url=owner_url).warnings
    assert "login runner of DATABASE_URL owns the tables" in warning
    with pytest.raises(DatabaseUnreachableError, match=r"DATABASE_OWNER_URL postgresql://nobody:\*\*\*@"):
        open_database(url, FOLDER, owner_url=url_of(server, "nobody"))


def test_two_urls_with_an_owner_that_may_make_roles_need_no_administrator(
    server: EmbeddedPostgres, administrator: psycopg.Connection[tuple[object, ...]]
) -> None:
    make_login(administrator, "owner_login", "CREATEROLE")
    make_login(administrator, "runner")
    administrator.execute("CREATE DATABASE books OWNER owner_login")
    database = open_database(url_of(server, "runner"), FOLDER, owner_url=url_of(server, "owner_login"))
    assert database.warnings == () and undone(database.url) == [] and works(database)


POWERS = {
    "ALTER DATABASE books OWNER TO runner": "owns the database",
    "ALTER SCHEMA public OWNER TO runner": "owns the schema public",
    "GRANT pg_execute_server_program TO runner": "has pg_execute_server_program",
    "GRANT pg_write_server_files, pg_read_server_files TO runner": "has pg_read_server_files, pg_write_server_files",
    "GRANT pg_write_all_data TO runner": "has pg_write_all_data",
    "ALTER ROLE runner CREATEROLE": "may make roles",
    "ALTER ROLE runner REPLICATION": "REPLICATION",
    "ALTER ROLE runner BYPASSRLS": "BYPASSRLS",
    "GRANT eternal_retention TO runner WITH ADMIN TRUE, INHERIT FALSE, SET FALSE": "may act as eternal_retention",
    "GRANT TRIGGER ON journal TO runner": "put triggers on the tables journal",
    "ALTER FUNCTION refuse_change() OWNER TO runner": "owns the function that refuses changes",
    "GRANT eternal TO runner": "is a superuser, or may act as one",
}


@pytest.mark.parametrize("power", POWERS)
def test_every_power_that_no_actor_needs_is_told(
    server: EmbeddedPostgres, administrator: psycopg.Connection[tuple[object, ...]], power: str
) -> None:
    """Two logins, the runner with one power too many: only ownership of the tables was told."""
    make_login(administrator, "owner_login", "CREATEROLE")
    make_login(administrator, "runner")
    administrator.execute("CREATE DATABASE books OWNER owner_login")
    url, owner_url = url_of(server, "runner"), url_of(server, "owner_login")
    assert open_database(url, FOLDER, owner_url=owner_url).warnings == ()
    base = server.url.rpartition("/")[0]
    with psycopg.connect(f"{base}/books", autocommit=True) as books:
        books.execute(power.encode())
    (warning,) = weaknesses(url, "DATABASE_URL")
    assert POWERS[power] in warning
