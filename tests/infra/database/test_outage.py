"""A failure of the database that is no refusal of our own data is an outage: it is waited for (case 1)."""

from __future__ import annotations

import time

import psycopg
import pytest
from psycopg.errors import lookup

from actors.runtime.ports import StoreUnavailableError
from api.service import HEALTH_TIMEOUT_S
from infra.database.outage import Outage, is_outage, outage_of
from infra.database.queries import Queries
from infra.database.reading.reader import QueryUnavailableError
from infra.database.registers import Heartbeats
from infra.database.store import PostgresStore
from tests.kit.rows import ACTOR, Pen

OUTAGES = {
    "25006": ("read-only after a failover", Outage.READ_ONLY),
    "53100": ("disk full", Outage.FULL),
    "53200": ("out of memory", Outage.EXHAUSTED),
    "53300": ("too many connections", Outage.EXHAUSTED),
    "57014": ("cancelled, as by a statement's time limit", Outage.SLOW),
    "57P01": ("shut down by an administrator", Outage.STARTING),
    "57P03": ("starting up", Outage.STARTING),
    "58030": ("input or output failed", Outage.FAULTY),
    "08006": ("connection lost", Outage.AWAY),
    "28P01": ("password refused, as while it is rotated", Outage.REFUSING),
    "40001": ("serialisation failed", Outage.SLOW),
    "40P01": ("deadlock", Outage.SLOW),
    "42501": ("rights being changed", Outage.REFUSING),
    "3D000": ("database being restored", Outage.REFUSING),
    "55P03": ("lock not available", Outage.LOCKED),
    "42P01": ("tables renamed or dropped, as while a backup is restored", Outage.INCOMPLETE),
    "3F000": ("schema dropped, as while a backup is restored", Outage.INCOMPLETE),
    "54000": ("a limit of the server, which answers", Outage.FAULTY),
    "25P03": ("ended by the server, which answers", Outage.FAULTY),
    "XX000": ("internal error", Outage.FAULTY),
    "XX001": ("data corrupted", Outage.FAULTY),
}
OURS = {
    "22003": "number out of range",
    "22012": "division by zero",
    "22021": "character not in the encoding",
    "23505": "unique violation",
    "23502": "not null violation",
    "42601": "syntax error",
    "42703": "undefined column",
    "0A000": "not supported",
}


@pytest.mark.parametrize("code", OUTAGES)
def test_what_is_waited_for(code: str) -> None:
    why, kind = OUTAGES[code]
    assert is_outage(lookup(code)("said by the server")), why
    assert outage_of(lookup(code)("said by the server")) is kind


@pytest.mark.parametrize("code", OURS)
def test_what_is_raised(code: str) -> None:
    assert not is_outage(lookup(code)("said by the server")), OURS[code]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ('connection failed: FATAL:  password authentication failed for user "eternal_app"', Outage.REFUSING),
        ('connection failed: FATAL:  database "eternal" does not exist', Outage.REFUSING),
        ("connection failed: FATAL:  the database system is starting up", Outage.STARTING),
        ("connection failed: FATAL:  sorry, too many clients already", Outage.EXHAUSTED),
        ("connection failed: Connection refused. Is the server running on that host?", Outage.AWAY),
        ("connection timeout expired", Outage.SLOW),
        ('connection failed: FATAL:  role "eternal_app" is not permitted to log in', Outage.REFUSING),
        ('connection failed: FATAL:  no pg_hba.conf entry for host "10.0.0.1"', Outage.REFUSING),
        ('connection failed: FATAL:  database "eternal" is not currently accepting connections', Outage.REFUSING),
        ("connection failed: FATAL:  connection limit exceeded for non-superusers", Outage.EXHAUSTED),
        ("out of memory", Outage.EXHAUSTED),
    ],
)
def test_a_refused_connection_is_told_by_its_words(words: str, kind: Outage) -> None:
    """It carries no SQLSTATE."""
    assert outage_of(psycopg.OperationalError(words)) is kind


def test_other_exceptions_are_no_outage() -> None:
    assert not is_outage(ValueError("a fault of the program"))
    assert is_outage(psycopg.InterfaceError("the connection is closed"))


def test_a_read_only_database_is_waited_for_and_work_resumes(database_url: str) -> None:
    """The database turned read-only while the system ran: the orchestrator stood FAILED for ever, market data died.
    Elsewhere a database failed over to its read-only standby, and the program crashed and stayed down."""
    store, beats, queries = PostgresStore(database_url), Heartbeats(database_url), Queries(database_url)
    pen = Pen(store)
    pen.write()
    assert beats.beat("trend-1", "RUNNING", 1)
    name = database_url.rpartition("/")[2]
    with psycopg.connect(database_url, autocommit=True) as operator:
        operator.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
        operator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    try:
        for _ in range(3):
            with pytest.raises(StoreUnavailableError) as caught:
                pen.write()
        assert caught.value.what == Outage.READ_ONLY, "the first one is the cut connection"
        with pytest.raises(StoreUnavailableError):
            store.grant(ACTOR, "another")
        assert beats.beat("trend-1", "RUNNING", 2) is False
        _reads(queries)
    finally:
        with psycopg.connect(database_url, autocommit=True) as operator:
            operator.execute("SET default_transaction_read_only = off")
            operator.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
    assert store.load(ACTOR, pen.epoch).number == 1
    pen.write()
    assert store.load(ACTOR, pen.epoch).number == 2
    assert beats.beat("trend-1", "RUNNING", 3)
    store.close()
    beats.close()
    queries.close()


def _reads(queries: Queries) -> None:
    """Reading goes on in a read-only database, once the cut connection was noticed."""
    try:
        queries.actors()
    except QueryUnavailableError:
        queries.actors()


def test_a_locked_table_is_an_outage_that_is_told_well_before_a_worker_counts_as_hung(database_url: str) -> None:
    """`LOCK TABLE journal` for a minute: a statement waited for 60 s, the order manager and then the orchestrator were
    replaced as hung, and /health never named the database."""
    store, queries = PostgresStore(database_url), Queries(database_url)
    pen = Pen(store)
    pen.write()
    queries.transitions(ACTOR)
    with psycopg.connect(database_url) as operator:
        operator.execute("LOCK TABLE journal, actors IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError) as caught:
            pen.write()
        assert caught.value.what == Outage.LOCKED
        assert time.monotonic() - began < 10.0, "a worker that stands still for 15 s counts as hung"
        began = time.monotonic()
        with pytest.raises(QueryUnavailableError, match="locked by another session"):
            queries.actors()
        assert time.monotonic() - began < HEALTH_TIMEOUT_S + 0.5, "/health names what holds it up"
    pen.write()
    assert store.load(ACTOR, pen.epoch).number == 2
    queries.actors()
    store.close()
    queries.close()


def test_tables_that_are_away_for_a_moment_are_an_outage(database_url: str) -> None:
    """`pg_restore --clean` drops the tables first: every worker failed, and readers raised a traceback."""
    store, queries = PostgresStore(database_url), Queries(database_url)
    pen = Pen(store)
    with psycopg.connect(database_url, autocommit=True) as operator:
        operator.execute("ALTER TABLE actors RENAME TO actors_x")
        with pytest.raises(StoreUnavailableError) as caught:
            pen.write()
        assert caught.value.what == Outage.INCOMPLETE
        with pytest.raises(QueryUnavailableError, match="lacks tables"):
            queries.actors()
        operator.execute("ALTER TABLE actors_x RENAME TO actors")
    pen.write()
    queries.actors()
    store.close()
    queries.close()


def test_no_query_raises_what_its_reader_does_not_expect(database_url: str) -> None:
    """A column that is missing is no outage; whoever reads is told it all the same, and the fault is logged."""
    queries = Queries(database_url)
    with psycopg.connect(database_url, autocommit=True) as operator:
        operator.execute("ALTER TABLE journal RENAME COLUMN reason TO reason_x")
    with pytest.raises(QueryUnavailableError, match="refuses a query of this program"):
        queries.transitions(ACTOR)
    queries.close()


def test_a_reading_connection_that_was_ended_while_idle_costs_no_answer(database_url: str) -> None:
    """`pg_terminate_backend` of an idle reader made the next /health say that the database does not answer."""
    queries = Queries(database_url)
    queries.actors()
    with psycopg.connect(database_url, autocommit=True) as operator:
        operator.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    queries.actors()
    queries.close()
