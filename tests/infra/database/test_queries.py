"""What the API reads: pages, balances, and the chain from an order back to its bar (P3, IF-4)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from actors.runtime.ports import EnvelopeDict, ExchangeCallRow, JournalRow
from infra.database.queries import Queries
from infra.database.reading.paging import JOURNAL
from infra.database.reading.reader import QueryUnavailableError
from infra.database.registers import Heartbeats
from infra.database.store import PostgresStore
from statemachines.actor_logic import StateRow
from statemachines.commands import ExchangeCall, JournalEntry, Remark
from statemachines.facts import (
    ExecutionFact,
    OrderFact,
    PortfolioFact,
    PositionFact,
    PostingFact,
    PostingLine,
    SummaryFact,
    TransferFact,
)
from statemachines.requests import PlaceOrder
from statemachines.values import DAY_MS, HOUR_MS, Side
from tests.kit import rows
from tests.kit.rows import ALERT, Pen, switch

BAR = "bar:spot:BTCUSDT:60:0"
LINK = "abc123t1k-1"


@pytest.fixture
def store(database_url: str) -> Iterator[PostgresStore]:
    store = PostgresStore(database_url)
    yield store
    store.close()


@pytest.fixture
def queries(database_url: str) -> Iterator[Queries]:
    queries = Queries(database_url)
    yield queries
    queries.close()


def message(actor: str, seq: int, to: str, kind: str, cause: str, market_ms: int = HOUR_MS) -> EnvelopeDict:
    return rows.message(actor, seq, to, kind, cause, BAR, market_time=market_ms)


def order(client_order_id: str = LINK, state: str = "FILLED", created_ms: int = HOUR_MS, **changes: Any) -> OrderFact:
    filled: dict[str, Any] = {
        "filled_quantity": Decimal("0.5"),
        "average_price": Decimal("58420.50"),
        "reason": "entry",
    }
    return rows.order(client_order_id, state, BAR, created_ms, intent_id="trend-1-k", **filled | changes)


def note(machine: str, source: str, dest: str, reason: str, cause: str) -> JournalRow:
    data = {"close": Decimal("58420.5")}
    if source == dest:
        return JournalRow(HOUR_MS, cause, BAR, Remark(machine, "bar", reason, data, source))
    return JournalRow(HOUR_MS, cause, BAR, JournalEntry(machine, "bar", source, dest, reason, data, "trend"))


def write_a_trade(store: PostgresStore) -> None:
    """A bar that became an order, as the four actors on its way write it."""
    Pen(store, "market-data").write(outbox=[message("market-data", 1, "trend-1", "bars_closed", BAR)])
    Pen(store, "trend-1").write(
        outbox=[message("trend-1", 1, "risk-manager", "intent", "market-data:1")],
        journal=[
            note("BTC", "FLAT", "LONG", "close 58,420.5 above SMA200: entry", "market-data:1"),
            note("ETH", "FLAT", "FLAT", "ADX 12 below 25: nothing", "market-data:1"),
        ],
        states=[StateRow("BTC", "LONG", 1, {"stop": "55000"})],
        market_ms=HOUR_MS,
    )
    Pen(store, "risk-manager").write(
        outbox=[message("risk-manager", 1, "order-manager", "approved", "trend-1:1")],
        journal=[note("trend-1-k", "", "", "all nine checks passed", "trend-1:1")],
    )
    call = rows.market_order(LINK)
    Pen(store, "order-manager").write(
        calls=[ExchangeCallRow(call, "risk-manager:1", BAR, HOUR_MS)], facts=[order(state="SENT")]
    )


def test_an_order_leads_back_to_its_bar_with_the_decision_taken_at_each_step(
    store: PostgresStore, queries: Queries
) -> None:
    """P3: every order leads back to the bar that caused it."""
    write_a_trade(store)
    chain = queries.order_chain(LINK)
    assert [(link["id"], link["kind"]) for link in chain] == [
        (BAR, "fact"),
        ("market-data:1", "bars_closed"),
        ("trend-1:1", "intent"),
        ("risk-manager:1", "approved"),
        (f"{LINK}:place:1", "place_order"),
        (LINK, "order"),
    ]
    reasons = [[line["reason"] for line in link["decisions"]] for link in chain]
    assert reasons[1] == ["close 58,420.5 above SMA200: entry", "ADX 12 below 25: nothing"]
    assert reasons[2] == ["all nine checks passed"]
    assert chain[1]["body"] == {"of": "bars_closed"}
    assert queries.order_chain("nothing") == []


def test_a_chain_over_an_answer_and_a_deadline_is_followed(store: PostgresStore, queries: Queries) -> None:
    """An order that follows from another request's answer, which began with a tick."""
    pen = Pen(store, "order-manager")
    first = PlaceOrder(
        client_order_id="one",
        category="linear",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(1),
        style="post_only",
    )
    second = first.model_copy(update={"client_order_id": "two"})
    trace = f"orchestrator@{DAY_MS}"
    pen.write(
        calls=[
            ExchangeCallRow(ExchangeCall("one:place:1", "TREND-1", first), trace, trace, DAY_MS),
            ExchangeCallRow(ExchangeCall("two:place:1", "TREND-1", second), "order-manager!one:place:1", trace, DAY_MS),
        ],
        facts=[order("two").model_copy(update={"trace": trace})],
    )
    chain = queries.order_chain("two")
    assert [link["kind"] for link in chain] == ["deadline", "place_order", "place_order", "order"]
    assert chain[0]["market_ms"] == DAY_MS


def test_the_journal_is_paged_without_gap_or_repeat(store: PostgresStore, queries: Queries) -> None:
    pen = Pen(store, "trend-1")
    for number in range(25):
        pen.write(journal=[note("BTC" if number % 2 else "ETH", "A", "B" if number % 5 else "A", str(number), "c")])
    seen: list[str] = []
    before = JOURNAL.newest
    while page := queries.journal(limit=10, before=before):
        seen += [row["reason"] for row in page]
        before = (page[-1]["id"],)
    assert seen == [str(number) for number in range(24, -1, -1)]
    assert [row["reason"] for row in queries.journal(machine="BTC", limit=2)] == ["23", "21"]
    assert len(queries.transitions("trend-1", limit=100)) == 20
    assert queries.journal(actor="nobody") == []
    assert queries.journal(limit=1)[0]["data"] == {"close": "58420.5"}


def posting(key: str, *amounts: str, coin: str = "USDT") -> PostingFact:
    lines = tuple(
        PostingLine(account="TREND-1", ledger_account=f"acct-{n}", coin=coin, amount=Decimal(amount))
        for n, amount in enumerate(amounts)
    )
    return PostingFact(posting_id=key, kind="fill", posted_ms=5, description=key, lines=lines)


def test_balances_add_up_exactly_and_a_crooked_posting_is_named(store: PostgresStore, queries: Queries) -> None:
    """OR-6: the ledger is in balance to the last unit, or it says where it is not."""
    pen = Pen(store, "order-manager")
    pen.write(
        facts=[posting("a", "0.1", "-0.1"), posting("b", "0.2", "-0.15", "-0.05"), posting("c", "2", "-2", coin="BTC")]
    )
    balances = {(row["ledger_account"], row["coin"]): row["balance"] for row in queries.ledger_balances("TREND-1")}
    assert balances[("acct-0", "USDT")] == Decimal("0.3")
    assert balances[("acct-1", "USDT")] == Decimal("-0.25")
    trial = queries.trial_balance()
    assert (trial["balanced"], trial["postings"]) == (True, 3)
    assert trial["coins"][1] == {
        "coin": "USDT", "debit": Decimal("0.3"), "credit": Decimal("0.3"), "difference": Decimal(0),
    }  # fmt: skip
    pen.write(facts=[posting("crooked", "1", "-0.999999999999")])
    trial = queries.trial_balance()
    assert not trial["balanced"]
    assert trial["unbalanced"] == [{"posting_id": "crooked", "coin": "USDT", "difference": Decimal("0.000000000001")}]
    assert [row["lines"][0]["amount"] for row in queries.postings(limit=1)] == ["1"]


def test_orders_fills_positions_and_the_rest_are_listed_newest_first(store: PostgresStore, queries: Queries) -> None:
    fill = ExecutionFact(
        account="TREND-1",
        execution_id="e1",
        client_order_id="o2",
        venue_order_id="x",
        engine="trend-1",
        category="linear",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(1),
        price=Decimal(2),
        fee=Decimal("0.1"),
        fee_coin="USDT",
        is_maker=False,
        realized_pnl=Decimal(0),
        executed_ms=9,
    )
    flat = PositionFact(
        account="TREND-1", symbol="ETHUSDT", quantity=Decimal(0), average_price=Decimal(0), updated_ms=1
    )
    held = PositionFact(
        account="TREND-1", symbol="BTCUSDT", quantity=Decimal(-1), average_price=Decimal(5), updated_ms=1
    )
    transfer = TransferFact(
        transfer_id="t", from_account="FUNDING", to_account="TACTICAL", coin="USDT", amount=Decimal(5), purpose="owed",
        state="DONE", reason="", requested_ms=3, updated_ms=4,
    )  # fmt: skip
    orders = [order("o1", "CANCELLED", 10), order("o2", "FILLED", 20), order("o3", "FILLED", 30, engine="funding")]
    summary = SummaryFact(day_ms=DAY_MS, completed_ms=DAY_MS, data={"orders": 3})
    pen = Pen(store, "order-manager")
    pen.write(facts=[*orders, fill, flat, held, transfer, ALERT, summary, switch("GLOBAL", "CAUTION")])
    assert [row["client_order_id"] for row in queries.orders()] == ["o3", "o2", "o1"]
    assert [row["client_order_id"] for row in queries.orders(engine="trend-1", state="FILLED")] == ["o2"]
    assert [row["client_order_id"] for row in queries.orders(before=(20, ""))] == ["o1"]
    found = queries.order("o1")
    assert found is not None
    assert found["average_price"] == Decimal("58420.50")
    assert queries.order("o9") is None
    assert [row["execution_id"] for row in queries.executions(client_order_id="o2")] == ["e1"]
    assert [row["symbol"] for row in queries.positions()] == ["BTCUSDT"]
    assert [row["transfer_id"] for row in queries.transfers()] == ["t"]
    assert [row["title"] for row in queries.alerts()] == ["t"]
    assert [row["data"] for row in queries.summaries()] == [{"orders": 3}]
    assert [row["state"] for row in queries.switches()] == ["CAUTION"]
    assert queries.discrepancies() == []
    counts = queries.counts()
    assert counts["orders"] == [
        {"engine": "funding", "state": "FILLED", "count": 1},
        {"engine": "trend-1", "state": "CANCELLED", "count": 1},
        {"engine": "trend-1", "state": "FILLED", "count": 1},
    ]
    assert counts["fees"] == [{"engine": "trend-1", "fee_coin": "USDT", "fee": Decimal("0.1")}]


def test_the_portfolio_is_its_newest_version(store: PostgresStore, queries: Queries) -> None:
    assert queries.portfolio() is None
    instants = [DAY_MS, DAY_MS + HOUR_MS, 3 * DAY_MS, 3 * DAY_MS + HOUR_MS]
    Pen(store, "risk-manager").write(
        facts=[PortfolioFact(version=n, market_ms=ms, equity_usdt=Decimal(n), data={}) for n, ms in enumerate(instants)]
    )
    newest = queries.portfolio()
    assert newest is not None
    assert newest["version"] == 3


def test_actors_states_and_events(store: PostgresStore, queries: Queries, database_url: str) -> None:
    write_a_trade(store)
    beats = Heartbeats(database_url)
    beats.beat("trend-1", "RUNNING", HOUR_MS, {"queue": 0})
    beats.close()
    actors: dict[str, dict[str, Any]] = {row["actor"]: row for row in queries.actors()}
    assert set(actors) == {"market-data", "trend-1", "risk-manager", "order-manager"}
    assert actors["trend-1"]["heartbeat_state"] == "RUNNING"
    assert actors["trend-1"]["commit_no"] == 1
    assert actors["trend-1"]["committed_age_s"] >= 0
    assert [(row["actor"], row["key"], row["state"]) for row in queries.states("trend-1")] == [
        ("trend-1", "BTC", "LONG")
    ]
    assert len(queries.states()) == 1
    assert [row["component"] for row in queries.heartbeats()] == ["trend-1"]
    assert [row["kind"] for row in queries.events(kind="intent")] == ["intent"]
    assert len(queries.events(trace=BAR)) == 3
    assert queries.config_versions() == []


class WritingQueries(Queries):
    """Queries that somebody has extended by a page that writes."""

    def lift(self) -> None:
        self.rows("INSERT INTO switches VALUES ('GLOBAL', 'NORMAL', '', '', 1)")


def test_a_page_cannot_write_and_reports_a_lost_database(database_url: str) -> None:
    queries = WritingQueries(database_url)
    queries.switches()
    with pytest.raises(QueryUnavailableError, match="read-only transaction"):
        queries.lift()
    queries.switches()
    base, _, name = database_url.rpartition("/")
    with psycopg.connect(f"{base}/postgres", autocommit=True) as operator:
        operator.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        operator.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,))
        with pytest.raises(QueryUnavailableError, match="refuses this program's login"):
            queries.switches()
        operator.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    assert queries.switches() == []


def test_only_rows_of_a_machines_table_are_transitions_and_one_table_can_be_asked_for(
    store: PostgresStore, queries: Queries
) -> None:
    """P3: a remark, or a look at a bar that changes nothing, is in the journal and is no transition."""
    day = JournalEntry("cycle", "reduced", "REDUCE", "ENTER", "exits have ended", {}, "trend-cycle", True)
    journal = [
        note("BTC", "SCANNING", "SIGNAL_DETECTED", "TR-3 holds", "c"),
        note("ETH", "SCANNING", "SCANNING", "ADX 12 below 25: nothing", "c"),
        JournalRow(HOUR_MS, "c", BAR, day),
    ]
    Pen(store, "trend-1").write(journal=journal, market_ms=HOUR_MS)
    found = [(row["machine_table"], row["machine"], row["trigger"]) for row in queries.transitions("trend-1")]
    assert found == [("trend-cycle", "cycle", "reduced"), ("trend", "BTC", "bar")]
    assert [row["machine"] for row in queries.transitions("trend-1", table="trend")] == ["BTC"]
    kinds = {row["machine"]: (row["kind"], row["is_bookkeeping"]) for row in queries.journal("trend-1")}
    assert kinds == {"BTC": ("transition", False), "ETH": ("remark", False), "cycle": ("transition", True)}
