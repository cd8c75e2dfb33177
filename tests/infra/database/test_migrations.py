"""The migrations make exactly the tables the program uses, and refuse a newer database (DA-5)."""

from __future__ import annotations

import threading

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.sql import SQL, Identifier
from sqlalchemy import create_engine

from infra.database.embedded import EmbeddedPostgres
from infra.database.migrations import NewerDatabaseError, upgrade
from infra.database.schema import FACT_TABLES, METADATA, column_type
from infra.database.urls import sqlalchemy_url
from statemachines import facts


def test_migrated_database_equals_the_tables_of_the_program(database_url: str) -> None:
    """Fails after a change of a table or a fact: run `python -m infra.database.migrations "what changes"`."""
    engine = create_engine(sqlalchemy_url(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_every_fact_has_a_table_with_its_key() -> None:
    def leaves(kind: type[facts.Fact]) -> list[type[facts.Fact]]:
        return [kind, *(leaf for child in kind.__subclasses__() for leaf in leaves(child))]

    for fact in leaves(facts.Fact)[1:]:
        assert tuple(column.name for column in FACT_TABLES[fact.TABLE].primary_key) == fact.KEY


def test_a_field_without_a_column_type_is_refused() -> None:
    with pytest.raises(TypeError, match="float"):
        column_type(float)


def test_upgrading_twice_and_at_once_is_harmless(postgres_server: EmbeddedPostgres) -> None:
    base, _, _ = postgres_server.url.rpartition("/")
    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE racing")
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(upgrade(f"{base}/racing"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert len(set(results)) == 1


def test_a_database_of_a_newer_program_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(NewerDatabaseError, match="9999"):
        upgrade(database_url)


def test_alerts_of_earlier_versions_become_events(postgres_server: EmbeddedPostgres) -> None:
    """0002: an alert without a duration keeps its instant and is open no more."""
    base, _, _ = postgres_server.url.rpartition("/")
    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE of_old_alerts")
    url = f"{base}/of_old_alerts"
    upgrade(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for column in ("condition", "state", "changed_ms", "changes", "ended_ms"):
            connection.execute(SQL("ALTER TABLE alerts DROP COLUMN {}").format(Identifier(column)))
        connection.execute("DROP TABLE operator_commands")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.execute("INSERT INTO alerts VALUES ('a', 'trend-1', 'critical', 't', 'x', 7)")
    upgrade(url)
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT condition, state, market_ms, changed_ms, changes, ended_ms FROM alerts")
        assert row.fetchone() == ("", "ended", 7, 7, 0, 7)
