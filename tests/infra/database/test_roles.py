"""What the application may do in the database (DE-3, P5): append to journal and ledger, never rewrite or delete."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from infra.database.installation import bind
from infra.database.launch import open_database
from infra.database.migrations import upgrade
from infra.database.registers import Heartbeats, record_configuration
from infra.database.roles import APPEND_ONLY, ARCHIVED, REPLACED, DatabaseRolesError, as_role, secure
from infra.database.schema import METADATA
from infra.database.server.embedded import EmbeddedPostgres
from infra.database.store import PostgresStore
from infra.database.urls import APPLICATION, READER, RETENTION, ROLES
from statemachines import facts
from tests.kit.rows import ACTOR, Pen, envelope

DENIED = psycopg.errors.InsufficientPrivilege


@cache
def connection_of(url: str) -> psycopg.Connection[Any]:
    """One connection per URL: a new one for each of hundreds of statements would cost a minute."""
    return psycopg.connect(url)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    connection_of.cache_clear()


def refused(url: str, statement: str) -> bool:
    """Whether the database refuses a statement for want of rights."""
    connection = connection_of(url)
    try:
        connection.execute(statement.encode())
    except DENIED:
        return True
    finally:
        connection.rollback()
    return False


@pytest.fixture
def application(database_url: str) -> str:
    return as_role(database_url, APPLICATION)


def test_no_role_of_ours_is_a_superuser_or_makes_roles(database_url: str) -> None:
    for role in ROLES:
        with psycopg.connect(as_role(database_url, role)) as connection:
            found = connection.execute(
                "SELECT current_user, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles "
                "WHERE rolname = current_user"
            ).fetchone()
        assert found == (role, False, False, False, False)


def test_the_application_deletes_nowhere_and_rewrites_no_history(application: str) -> None:
    for table in METADATA.tables:
        column = list(METADATA.tables[table].columns)[-1].name
        for statement in (
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"DROP TABLE {table}",
            f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        ):
            assert refused(application, statement), statement
        assert refused(application, f"UPDATE {table} SET {column} = {column}") is (table not in REPLACED), table


def test_not_even_the_owner_rewrites_what_is_appended(database_url: str) -> None:
    """A login without the grants' protection, as where one external login does everything, meets the trigger."""
    for table in APPEND_ONLY:
        column = list(METADATA.tables[table].columns)[-1].name
        for statement in (
            f"UPDATE {table} SET {column} = {column}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            assert refused(database_url, statement), statement


def test_retention_deletes_only_what_is_archived(database_url: str) -> None:
    retention = as_role(database_url, RETENTION)
    for table in METADATA.tables:
        assert refused(retention, f"DELETE FROM {table}") is (table not in ARCHIVED), table
        assert refused(retention, f"INSERT INTO {table} DEFAULT VALUES"), table


def test_the_reader_only_reads(database_url: str) -> None:
    reader = as_role(database_url, READER)
    for table in METADATA.tables:
        assert not refused(reader, f"SELECT * FROM {table}")
        assert refused(reader, f"INSERT INTO {table} DEFAULT VALUES"), table
        assert refused(reader, f"DELETE FROM {table}"), table


def test_a_planted_grant_is_taken_back_at_the_next_start(database_url: str, application: str) -> None:
    """The check notices: with the right given by hand a delete passes, after `secure` it is refused again."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(sql.SQL("GRANT DELETE ON transfers TO {}").format(sql.Identifier(APPLICATION)))
    assert not refused(application, "DELETE FROM transfers")
    secure(database_url)
    assert refused(application, "DELETE FROM transfers")


def test_the_application_can_do_its_work(application: str) -> None:
    """Binding, configuration, signs of life, epochs and commits with every kind of row."""
    assert bind(application, "paper", "sim-1", {"MASTER": "1"}).profile == "paper"
    assert record_configuration(application, {"a": 1}, "test", "start") == 1
    beats = Heartbeats(application)
    assert beats.beat("trend-1", "RUNNING", 1)
    beats.close()
    store = PostgresStore(application)
    pen = Pen(store)
    pen.write(outbox=[envelope(1)])
    pen.write()
    assert store.load(ACTOR, pen.epoch).number == 2
    store.close()


def test_an_external_login_that_may_not_make_roles_is_told_what_to_run(postgres_server: EmbeddedPostgres) -> None:
    base, _, _ = postgres_server.url.rpartition("/")
    with psycopg.connect(f"{base}/postgres", autocommit=True) as administrator:
        administrator.execute("CREATE ROLE tenant LOGIN PASSWORD 'tenant-password'")
        administrator.execute("CREATE DATABASE tenant OWNER tenant")
    host = base.rpartition("@")[2]
    url = f"postgresql://tenant:tenant-password@{host}/tenant"
    try:
        upgrade(url)
        with pytest.raises(DatabaseRolesError, match=f"CREATE ROLE {APPLICATION}; GRANT {APPLICATION} TO"):
            secure(url)
        with psycopg.connect(f"{base}/postgres", autocommit=True) as administrator:
            for role in ROLES:
                administrator.execute(sql.SQL("GRANT {} TO tenant").format(sql.Identifier(role)))
        database = open_database(url, Path("unused"))
        assert refused(database.url, "DELETE FROM journal")
        assert not refused(database.retention_url, "DELETE FROM journal")
    finally:
        with psycopg.connect(f"{base}/postgres", autocommit=True) as administrator:
            administrator.execute("DROP DATABASE tenant WITH (FORCE)")
            administrator.execute("DROP ROLE tenant")


def test_the_tables_that_are_replaced_are_those_that_the_program_replaces() -> None:
    """Bars and other facts that are written once could be rewritten by the application's login."""
    kinds = [kind for kind in vars(facts).values() if isinstance(kind, type) and issubclass(kind, facts.Fact)]
    replaced = {kind.TABLE for kind in kinds if kind is not facts.Fact and not kind.ONCE}
    assert replaced | {"actors", "leases", "machine_states", "exchange_calls", "heartbeats", "installation"} == REPLACED
    assert not REPLACED & APPEND_ONLY


def test_a_bound_database_stays_bound(database_url: str, application: str) -> None:
    """The application's login could make a paper account's books those of a live one."""
    change = "UPDATE installation SET profile = 'live'"
    bind(application, "paper", "sim-1", {"MASTER": "1"})
    for url in (application, database_url):
        with psycopg.connect(url) as connection, pytest.raises(psycopg.Error, match="bound to its owner once"):
            connection.execute(change)
    assert bind(application, "paper", "sim-1", {"MASTER": "1"}).profile == "paper"
