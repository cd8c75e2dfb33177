"""The migrations make exactly the tables the program uses, and refuse a newer database (DA-5)."""

from __future__ import annotations

import threading
from decimal import Decimal

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Json
from sqlalchemy import create_engine

from infra.database.migrations import NewerDatabaseError, make_config, upgrade
from infra.database.roles import secure
from infra.database.schema import FACT_TABLES, METADATA, column_type
from infra.database.server.embedded import EmbeddedPostgres
from infra.database.urls import sqlalchemy_url
from statemachines import facts
from statemachines.actor_logic import StateRow
from statemachines.execution.context import DIALECT, ExecutionContext
from statemachines.execution.parameters import OrderParameters
from statemachines.state_store import restore
from statemachines.values import Account


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


def made_at(server: EmbeddedPostgres, name: str, revision: str) -> str:
    """The URL of a new database as the program of `revision` left it."""
    base, _, _ = server.url.rpartition("/")
    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    engine = create_engine(sqlalchemy_url(f"{base}/{name}"))
    with engine.begin() as connection:
        config = make_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    return f"{base}/{name}"


def test_alerts_of_earlier_versions_become_events(postgres_server: EmbeddedPostgres) -> None:
    """0002: an alert without a duration keeps its instant and is open no more."""
    url = made_at(postgres_server, "of_old_alerts", "0001")
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO alerts VALUES ('a', 'trend-1', 'critical', 't', 'x', 7)")
    upgrade(url)
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT condition, state, market_ms, changed_ms, changes, ended_ms FROM alerts")
        assert row.fetchone() == ("", "ended", 7, 7, 0, 7)


INTENT = {
    "intent_id": "trend-1:7", "engine": "trend-1", "account": "TREND-1", "category": "linear", "symbol": "BTCUSDT",
    "side": "Buy", "quantity": "1", "style": "maker", "reference_price": "100", "reduce_only": False, "stake": "entry",
    "reason": 'a reason that quotes "link_id": as text', "trigger_price": None,
    "expires_ms": None,
    "closes_rest": False,
}  # fmt: skip
ORDER = {
    "link_id": "abc123t17-1", "intent_id": "trend-1:7", "child": 1, "engine": "trend-1", "account": "TREND-1",
    "category": "linear", "symbol": "BTCUSDT", "side": "Buy", "style": "post_only", "quantity": "1", "price": "100",
    "trigger_price": None, "reduce_only": False, "slippage_limit": None, "created_ms": 5, "trace": "bars:5",
    "state": "PARTIALLY_FILLED", "exchange_id": "x-1", "executions": ["e-1"], "executed": "0.4", "cash": "40",
    "status": "PartiallyFilled", "reported_executed": "0.4", "reported_ms": 6, "end_reason": "", "refusal": None,
    "refusal_code": 0, "cancel_cause": "", "cancel_reason": "", "amended": {}, "replaced": {}, "closes_rest": False,
    "updated_ms": 6,
}  # fmt: skip
WORK = {
    "number": 1, "approved": {"intent": INTENT, "portfolio_version": 3, "max_quantity": "1", "price_limit": "102",
    "slippage_limit": "0.01", "expires_ms": None}, "approved_ms": 5, "trace": "bars:5", "quantity": "1",
    "trigger_price": None, "expires_ms": None, "filled": "0.4", "cash": "40", "wants_child": False, "order": ORDER,
    "requests": {"pending": {}, "numbers": {"place": 1}, "tries": {}, "check_ms": None, "is_retry_waiting": False,
    "is_absent": False, "is_doubtful": False, "is_stuck": False}, "withdrawn": "", "is_expired": False, "quoted_ms": 5,
    "price_refusals": ["", 0], "amend_failures": ["", 0], "unproven": [], "told": "", "ended_number": 0, "outcome": "",
}  # fmt: skip
"""A partly filled order as the program of revision 0003 kept it."""


def secure_as_then(url: str) -> None:
    """`secure` of a program that does not have today's tables yet: empty ones stand in for them meanwhile."""
    with psycopg.connect(url) as connection:
        there = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables").fetchall()}
        missing = [Identifier(name) for name in METADATA.tables if name not in there]
        for name in missing:
            connection.execute(SQL("CREATE TABLE {} ()").format(name))
    secure(url)
    with psycopg.connect(url) as connection:
        for name in missing:
            connection.execute(SQL("DROP TABLE {}").format(name))


def test_a_data_folder_of_revision_0003_opens_with_its_orders(postgres_server: EmbeddedPostgres) -> None:
    """0004 renames columns and names within documents; what an order was, what was sent and asked stays."""
    url = made_at(postgres_server, "of_old_names", "0003")
    wire = {"id": "order-manager:1", "kind": "fill", "body": {"link_id": "abc123t17-1", "quantity": "0.4"}}
    with psycopg.connect(url) as connection:
        states = "INSERT INTO machine_states VALUES ('order-manager', %s, 1, 1, %s, 1, %s, 6)"
        connection.execute(states, ("work:0", "PARTIALLY_FILLED", Json(WORK)))
        connection.execute(states, ("seen:TREND-1:0", "KEPT", Json({"round": 0, "forgotten_ms": 0, "ids": {"e-1": 6}})))
        connection.execute(
            "INSERT INTO outbox VALUES ('order-manager', 1, 'order-manager:1', '{trend-1}', 'fill', 6, '', '', %s)",
            (Json(wire),),
        )
        connection.execute(
            """INSERT INTO asks VALUES ('order-manager', 'k', 1, 0, 'TREND-1', 'look_up_order', %s, NULL, 0, 'PENDING',
               NULL, 6, '', '')""",
            (Json({"kind": "look_up_order", "link_id": "abc123t17-1"}),),
        )
    upgrade(url)
    with psycopg.connect(url) as connection:
        (sent,) = connection.execute("SELECT envelope FROM outbox").fetchone() or ()
        (asked,) = connection.execute("SELECT request FROM exchange_calls").fetchone() or ()
        found = connection.execute("SELECT key, state, schema, data FROM machine_states").fetchall()
    assert sent["body"] == {"client_order_id": "abc123t17-1", "quantity": "0.4"}
    assert asked == {"kind": "look_up_order", "client_order_id": "abc123t17-1"}
    rows = {key: StateRow(key, state, schema, data) for key, state, schema, data in found}
    context = ExecutionContext("abc123", OrderParameters())
    restore("order-manager", context, rows, DIALECT)
    parent = context.parents.get("trend-1:7")
    assert parent is not None and parent.order is not None
    assert (parent.order.venue_order_id, parent.order.filled_quantity) == ("x-1", Decimal("0.4"))
    assert (parent.intent.purpose, parent.intent.reason) == ("entry", INTENT["reason"])
    assert "e-1" in context.books[Account.TREND_1].deduplicator


def test_the_journal_of_revision_0004_tells_transitions_from_remarks(postgres_server: EmbeddedPostgres) -> None:
    """0005: a line with two states was a transition, unless what stood there was no state of a machine."""
    url = made_at(postgres_server, "of_old_journals", "0004")
    lines = (
        ("trend-1", "order", "SIGNAL_DETECTED", "ENTRY", "decision", ("transition", False)),
        ("trend-1", "stop_moved", "IN_POSITION", "IN_POSITION", "decision", ("remark", False)),
        ("order-manager", "send", "VALIDATED", "SENT", "component", ("transition", True)),
        ("order-manager", "look_up", "", "", "component", ("remark", True)),
        ("risk-manager", "withdraw", "PROPOSED", "FORWARDED", "decision", ("remark", False)),
        ("risk-manager", "repeat", "PROPOSED", "DENIED", "decision", ("remark", False)),
        ("orchestrator", "component_changed", "FAILED", "RUNNING", "component", ("remark", True)),
    )
    with psycopg.connect(url) as connection:
        for actor, trigger, source, dest, kind, _ in lines:
            connection.execute(
                """INSERT INTO journal (actor, commit_no, market_ms, machine, trigger, source, dest, reason, data, kind,
                       cause, trace) VALUES (%s, 1, 5, 'm', %s, %s, %s, 'because', '{}', %s, '', '')""",
                (actor, trigger, source, dest, kind),
            )
    secure_as_then(url)  # as every start left it: the journal can only be appended to
    upgrade(url)
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT kind, is_bookkeeping, machine_table FROM journal ORDER BY id").fetchall()
    assert found == [(*expected, "") for *_, expected in lines]
    with psycopg.connect(url) as connection, pytest.raises(psycopg.Error, match="journal"):
        connection.execute("UPDATE journal SET reason = 'another'")


def test_the_journal_of_revision_0005_takes_the_names_of_the_tables(postgres_server: EmbeddedPostgres) -> None:
    """0006: a table was "TREND cycle" in the journal and "trend-cycle" in the API; CORE-HODL's machine had two keys."""
    url = made_at(postgres_server, "of_old_tables", "0005")
    lines = (
        ("trend-1", "TREND cycle", "cycle", ("trend-cycle", "cycle")),
        ("core-hodl", "CORE-HODL", "CORE", ("core-hodl", "ENGINE")),
        ("order-manager", "parent order", "CORE", ("parent-order", "CORE")),
        ("core-hodl", "", "CORE", ("", "ENGINE")),
    )
    with psycopg.connect(url) as connection:
        for actor, table, machine, _ in lines:
            connection.execute(
                """INSERT INTO journal (actor, commit_no, market_ms, machine_table, machine, trigger, source, dest,
                       reason, data, kind, cause, trace)
                   VALUES (%s, 1, 5, %s, %s, 'go', 'A', 'B', 'because', '{}', 'transition', '', '')""",
                (actor, table, machine),
            )
    secure_as_then(url)
    upgrade(url)
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT machine_table, machine FROM journal ORDER BY id").fetchall()
    assert found == [expected for *_, expected in lines]
