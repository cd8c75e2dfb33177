"""PostgreSQL as an actor's store: the common suite, and what only a real database can do (DA-5, RM-5, DESIGN 1)."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest

from actors.runtime.ports import FencedError, JournalRow, Store, StoreUnavailableError
from infra.database.connection import connect
from infra.database.store import PostgresStore
from statemachines.actor_logic import StateRow
from statemachines.commands import JournalEntry
from statemachines.facts import ExecutionFact, OrderFact, PostingFact, PostingLine
from statemachines.values import ActorName, Side
from tests.actors.runtime.store_suite import OpenStore, StoreSuite
from tests.kit.rows import ACTOR, Pen, envelope, place, switch


@pytest.fixture
def open_store(database_url: str) -> Iterator[OpenStore]:
    opened: list[PostgresStore] = []

    def make() -> Store:
        opened.append(PostgresStore(database_url))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


class TestPostgresStore(StoreSuite):
    pass


def kill_connections(url: str) -> None:
    """End every other connection to the database, as a restart of the server would."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )


def test_repeating_a_commit_that_had_landed_changes_nothing_and_tells_what_was_blocked(
    open_store: OpenStore, database_url: str
) -> None:
    """An answer lost on the way must not become a second effect nor stop the actor."""
    Pen(open_store(), "risk-manager").write(facts=[switch("trend-1", "PAUSED")])
    pen = Pen(open_store())
    commit = pen.make(
        states=[StateRow("a", "1", 1, {})],
        outbox=[envelope(1, "risk-manager")],
        calls=[place("one", ActorName.TREND_1), place("two", ActorName.TREND_2)],
        journal=[JournalRow(1, "c", "t", JournalEntry("a", "x", "0", "1", "because"))],
        next_seq=2,
    )
    assert pen.store.commit(commit) == {"one"}
    kill_connections(database_url)
    Pen(open_store(), "risk-manager").write(facts=[switch("trend-1", "NORMAL"), switch("trend-2", "PAUSED")])
    with pytest.raises(StoreUnavailableError):
        pen.store.commit(commit)
    assert pen.store.commit(commit) == {"one"}, "the blocked keys are those of the first time"
    with connect(database_url, "test") as connection:
        for table in ("outbox", "journal"):
            assert connection.execute(f"SELECT count(*) FROM {table} WHERE true").fetchone() == (1,)
    assert pen.store.load(ACTOR, pen.epoch).number == 1


def test_a_lost_connection_is_reported_and_the_next_call_connects_again(
    open_store: OpenStore, database_url: str
) -> None:
    pen = Pen(open_store())
    pen.write(states=[StateRow("a", "1", 1, {})])
    kill_connections(database_url)
    with pytest.raises(StoreUnavailableError, match=r"the database (cannot be reached|is starting)"):
        pen.write(states=[StateRow("a", "2", 1, {})])
    pen.write(states=[StateRow("a", "2", 1, {})])
    assert pen.store.load(ACTOR, pen.epoch).states["a"].state == "2"


def test_an_unreachable_database_is_unavailable_and_its_password_is_not_told() -> None:
    store = PostgresStore("postgresql://eternal:topsecret@127.0.0.1:1/eternal")
    with pytest.raises(StoreUnavailableError) as caught:
        store.grant(ACTOR, "test")
    assert "topsecret" not in str(caught.value) + repr(store)


def test_a_store_travels_without_its_connection(open_store: OpenStore) -> None:
    pen = Pen(open_store())
    pen.write(states=[StateRow("a", "1", 1, {})])
    twin = pickle.loads(pickle.dumps(pen.store))
    try:
        assert twin.load(ACTOR, pen.epoch).number == 1
    finally:
        twin.close()


def test_a_broken_commit_leaves_nothing_and_the_store_usable(open_store: OpenStore) -> None:
    pen = Pen(open_store())
    pen.write(calls=[place("one")])
    with pytest.raises(psycopg.errors.UniqueViolation):
        pen.store.commit(pen.make(states=[StateRow("a", "1", 1, {})], calls=[place("one")]))
    loaded = pen.store.load(ACTOR, pen.epoch)
    assert (loaded.number, loaded.states) == (1, {})
    pen.write(states=[StateRow("a", "2", 1, {})])


def test_a_state_row_written_by_a_later_commit_is_never_overwritten(open_store: OpenStore, database_url: str) -> None:
    """The second guard: should a row ever be newer than its actor's number, the actor stops."""
    pen = Pen(open_store())
    pen.write(states=[StateRow("a", "1", 1, {})])
    with connect(database_url, "test") as connection:
        connection.execute("UPDATE machine_states SET version = 99")
    with pytest.raises(FencedError):
        pen.write(states=[StateRow("a", "2", 1, {})])
    assert pen.store.load(ACTOR, pen.epoch).states["a"].state == "1"


def test_a_takeover_in_the_middle_of_work_loses_and_doubles_nothing(open_store: OpenStore) -> None:
    """P5: what the old incarnation was told is committed is all there, and nothing of it comes later."""
    old = Pen(open_store())
    fenced = threading.Event()

    def work_until_fenced() -> None:
        while True:
            try:
                old.write(outbox=[envelope(old.number + 1, "risk-manager")], next_seq=old.number + 2)
            except FencedError:
                fenced.set()
                return

    thread = threading.Thread(target=work_until_fenced)
    thread.start()
    watcher = open_store()
    while old.number < 20:
        assert thread.is_alive()
    new = Pen(watcher)
    assert fenced.wait(20)
    thread.join()
    loaded = watcher.load(ACTOR, new.epoch)
    assert loaded.number == new.number == old.number
    assert [message["seq"] for message in loaded.outbox] == list(range(1, old.number + 1))


def test_a_switch_and_a_gated_request_cannot_pass_each_other(open_store: OpenStore, database_url: str) -> None:
    """RM-5: while a switch is being turned, a gated request waits for it, and then sees it."""
    pen = Pen(open_store())
    results: list[frozenset[str]] = []
    with psycopg.connect(database_url) as operator:
        operator.execute("SELECT pg_advisory_xact_lock(7315002)")
        operator.execute("INSERT INTO switches VALUES ('GLOBAL', 'HALTED', 'test', 'operator', 1)")
        thread = threading.Thread(target=lambda: results.append(pen.write(calls=[place("one", ActorName.TREND_1)])))
        thread.start()
        with psycopg.connect(database_url, autocommit=True) as observer:
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while observer.execute(waiting).fetchone() == (0,):
                assert thread.is_alive()
        operator.commit()
    thread.join()
    assert results == [frozenset({"one"})]


def test_facts_are_written_once_or_replaced_with_their_exact_figures(open_store: OpenStore, database_url: str) -> None:
    pen = Pen(open_store())
    fill = ExecutionFact(
        account="TREND-1",
        execution_id="e1",
        client_order_id="abc",
        venue_order_id="x1",
        engine="trend-1",
        category="linear",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal("0.00100000"),
        price=Decimal("58420.5"),
        fee=Decimal("-0.000000000000000123"),
        fee_coin="USDT",
        is_maker=True,
        realized_pnl=Decimal(0),
        executed_ms=1_600_000_000_000,
    )
    order = OrderFact(
        client_order_id="abc",
        intent_id="trend-1-1",
        engine="trend-1",
        account="TREND-1",
        category="linear",
        symbol="BTCUSDT",
        side=Side.BUY,
        order_type="market",
        quantity=Decimal("0.001"),
        price=None,
        trigger_price=None,
        reduce_only=False,
        state="SENT",
        venue_order_id="",
        filled_quantity=Decimal(0),
        average_price=None,
        reason="entry",
        created_ms=1,
        updated_ms=1,
        trace="bar:1",
    )
    pen.write(facts=[order, fill, order.model_copy(update={"state": "OPEN"})])
    pen.write(facts=[fill.model_copy(update={"price": Decimal(1)}), order.model_copy(update={"state": "FILLED"})])
    with connect(database_url, "test") as connection:
        found = connection.execute("SELECT price, fee, quantity, is_maker, executed_ms FROM executions").fetchall()
        assert found == [(fill.price, fill.fee, fill.quantity, True, fill.executed_ms)]
        assert connection.execute("SELECT state, price FROM orders").fetchall() == [("FILLED", None)]


def test_a_posting_is_booked_once_with_its_lines(open_store: OpenStore, database_url: str) -> None:
    """OR-6: the exchange's id is the key; a repeat adds no line."""
    lines = (
        PostingLine(account="TREND-1", ledger_account="cash", coin="USDT", amount=Decimal("-58.42")),
        PostingLine(account="TREND-1", ledger_account="fees", coin="USDT", amount=Decimal("58.42")),
    )
    posting = PostingFact(posting_id="e1:fee", kind="fee", posted_ms=5, description="fee of e1", lines=lines)
    pen = Pen(open_store())
    pen.write(facts=[posting, posting])
    pen.write(facts=[posting, posting.model_copy(update={"posting_id": "e2:fee"})])
    with connect(database_url, "test") as connection:
        rows = connection.execute(
            "SELECT posting_id, line_no, ledger_account, amount FROM posting_lines ORDER BY 1, 2"
        ).fetchall()
    amounts = [("cash", Decimal("-58.42")), ("fees", Decimal("58.42"))]
    assert rows == [(key, n + 1, *amounts[n]) for key in ("e1:fee", "e2:fee") for n in (0, 1)]


def test_a_message_of_the_version_that_kept_it_whole_is_sent_again_as_it_was(
    open_store: OpenStore, database_url: str
) -> None:
    """A row once held each message twice: in its columns and, whole, in its envelope."""
    pen, sent = Pen(open_store()), envelope(1, "risk-manager")
    pen.write(outbox=[sent], next_seq=2)
    assert list(pen.store.load(ACTOR, pen.epoch).outbox) == [sent]
    with connect(database_url, "test") as connection:
        kept = connection.execute("SELECT envelope FROM outbox").fetchone()
        assert kept is not None and sorted(kept[0]) == ["body", "prev", "version"]
        connection.execute("UPDATE outbox SET envelope = %s::json", (json.dumps(sent),))
    assert list(pen.store.load(ACTOR, pen.epoch).outbox) == [sent]
