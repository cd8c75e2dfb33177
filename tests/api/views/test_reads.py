"""Lists cut by time and by what they are about, decisions found, candles with what was done on them, the regime."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from actors.runtime.ports import JournalRow
from api.access.judge import Judge
from api.http.app import create_app
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.tokens import Token
from infra.database.queries import Queries
from infra.database.server.embedded import EmbeddedPostgres
from infra.database.store import PostgresStore
from statemachines.actor_logic import StateRow
from statemachines.commands import JournalEntry, Remark
from statemachines.facts import BarFact, ExecutionFact
from statemachines.orchestration.capital import ALLOCATION_KEY
from statemachines.values import DAY_MS, HOUR_MS, Side
from tests.api.records import write_history
from tests.api.test_http import STATUS
from tests.database import fresh_database, postgres_server  # noqa: F401 - a fixture
from tests.kit.rows import Pen

DAYS = 10


@pytest.fixture(scope="module")
def client(postgres_server: EmbeddedPostgres) -> Iterator[TestClient]:  # noqa: F811
    with fresh_database(postgres_server) as url:
        write_history(url)
        store = PostgresStore(url)
        try:
            _write_market(store)
        finally:
            store.close()
        service = OperatorService(Queries(url), SnapshotCache(lambda: STATUS), lambda: "synthetic", True)
        with TestClient(create_app(service, Judge(Token("t" * 43), burst=1_000_000).judge)) as found:
            found.headers["Authorization"] = f"Bearer {'t' * 43}"
            yield found
        service.close()


def _write_market(store: PostgresStore) -> None:
    bars = [_bar(at) for at in range(1, DAYS)]
    Pen(store, "market-data-2").write(facts=bars)
    trend = Pen(store, "trend-2")
    entry = JournalEntry("BTC", "fill", "ENTRY", "IN_POSITION", "filled", {"stop": "95"}, table="trend")
    moved = Remark("BTC", "stop_moved", "TR-6: 100 % of the way_up", {"from": "95", "to": "99"})
    ended = JournalEntry("BTC", "closed", "CLOSING", "SCANNING", "stop filled", {}, table="trend")
    for at, line in ((2, entry), (4, moved), (6, ended)):
        trend.write(journal=[JournalRow(at * DAY_MS, "c", "bar:x", line)], market_ms=at * DAY_MS)
    trend.write(facts=[_fill("f-1", "0.3", "100"), _fill("f-2", "0.1", "108")])
    treasury = Pen(store, "orchestrator-2")
    treasury.write(journal=[JournalRow(DAY_MS, "c", "t", Remark("other", "standing", "no", {}))])


def _bar(at: int) -> BarFact:
    price = Decimal(100 + at)
    return BarFact(category="linear", symbol="BTCUSDT", interval="D", start_ms=at * DAY_MS, open=price, high=price,
                   low=price, close=price, volume=Decimal(1))  # fmt: skip


def _fill(name: str, quantity: str, price: str) -> ExecutionFact:
    return ExecutionFact(
        account="TREND-2", execution_id=name, client_order_id="two-fills", venue_order_id="v", engine="trend-2",
        category="linear", symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(quantity), price=Decimal(price),
        fee=Decimal(0), fee_coin="USDT", is_maker=False, realized_pnl=Decimal(0), executed_ms=2 * DAY_MS,
    )  # fmt: skip


def get(client: TestClient, path: str, **parameters: Any) -> Any:
    answer = client.get(f"/api/v1/{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_candles_hold_the_fills_of_an_order_together_and_the_way_of_the_stop(client: TestClient) -> None:
    found = get(client, "candles", category="linear", symbol="BTCUSDT")
    assert [bar["start_ms"] for bar in found["bars"]["rows"]] == [at * DAY_MS for at in reversed(range(DAYS))]
    two = next(fill for fill in found["fills"] if fill["client_order_id"] == "two-fills")
    assert (two["quantity"], two["price"]) == ("0.4", "102")
    assert [(step["market_ms"] // DAY_MS, step["price"]) for step in found["stops"]] == [
        (2, "95"),
        (4, "99"),
        (6, None),
    ]


def test_a_page_of_candles_holds_what_was_done_within_it_alone(client: TestClient) -> None:
    first = get(client, "candles", category="linear", symbol="BTCUSDT", limit=3)
    assert first["fills"] == [] and first["stops"] == [] and len(first["bars"]["rows"]) == 3
    second = get(client, "candles", category="linear", symbol="BTCUSDT", limit=3, before=first["bars"]["next"])
    assert [step["price"] for step in second["stops"]] == ["99", None]
    starts = [bar["start_ms"] // DAY_MS for bar in first["bars"]["rows"] + second["bars"]["rows"]]
    assert starts == [9, 8, 7, 6, 5, 4], "nothing lost, nothing twice"


def test_a_market_without_bars_is_refused_with_those_that_there_are(client: TestClient) -> None:
    answer = client.get("/api/v1/candles", params={"category": "spot", "symbol": "BTCUSDT"})
    assert answer.status_code == 404 and answer.json()["allowed"] == ["BTCUSDT (linear)"]
    assert get(client, "candles", category="linear", symbol="BTCUSDT", interval="60")["bars"]["rows"] == []
    wrong = client.get("/api/v1/candles", params={"category": "margin", "symbol": "BTCUSDT"})
    assert wrong.status_code == 422 and wrong.json()["allowed"] == ["linear", "spot"]


def test_a_list_is_cut_by_time_from_the_first_instant_on_and_before_the_second(client: TestClient) -> None:
    def days(**cut: Any) -> list[int]:
        rows = get(client, "candles", category="linear", symbol="BTCUSDT", **cut)["bars"]["rows"]
        return [row["start_ms"] // DAY_MS for row in rows]

    assert days(**{"from": 3 * DAY_MS, "to": 5 * DAY_MS}) == [4, 3]
    assert days(**{"from": "1970-01-09"}) == [9, 8]
    assert days(to="1970-01-02T00:00:01Z") == [1, 0]
    assert days(to="1970-01-02T03:00:00+03:00") == [0]
    assert len(get(client, "equity", engine="total", **{"from": "1970-01-10", "to": "1970-01-12"})["rows"]) == 2


@pytest.mark.parametrize("word", ["soon", "2025-13-01", "", "-5", "1e5", "2025-01-01T25:00"])
def test_an_instant_that_is_none_is_refused(client: TestClient, word: str) -> None:
    answer = client.get("/api/v1/orders", params={"from": word})
    assert answer.status_code == 422 and answer.json()["field"] == "from"


def test_an_end_before_the_beginning_is_refused(client: TestClient) -> None:
    answer = client.get("/api/v1/orders", params={"from": "2025-01-02", "to": "2025-01-01"})
    assert answer.status_code == 422 and "not later than `to`" in answer.json()["error"]


def test_decisions_are_found_by_what_they_say_and_by_whom(client: TestClient) -> None:
    def found(**sought: str) -> list[str]:
        return [row["reason"] for row in get(client, "decisions", **sought)["rows"]]

    everything = found()
    assert "ADX 17.2" in everything and "network" not in everything, "bookkeeping is left out"
    assert found(actor="trend-2", kind="remark") == ["TR-6: 100 % of the way_up"]
    assert found(text="100 % of THE") == ["TR-6: 100 % of the way_up"]
    assert found(text="%of") == [] and found(text="way_u") and found(text="wayxu") == [], "no pattern: as it is written"
    assert found(state="IN_POSITION", actor="trend-2") == ["filled"]
    assert found(machine="BTC", actor="trend-2", **{"from": str(5 * DAY_MS)}) == ["stop filled"]
    refused = client.get("/api/v1/decisions", params={"actor": "nemo"})
    assert refused.status_code == 422
    assert client.get("/api/v1/decisions", params={"kind": "guess"}).status_code == 422


def test_orders_and_fills_of_one_symbol(client: TestClient) -> None:
    assert get(client, "executions", symbol="ETHUSDT")["rows"] == []
    assert {row["symbol"] for row in get(client, "executions", symbol="BTCUSDT")["rows"]} == {"BTCUSDT"}
    assert get(client, "transfers", state="FAILED")["rows"] == [] and get(client, "transfers", state="DONE")["rows"]


def test_the_regime_before_the_first_close_is_unknown_and_then_has_its_numbers(
    postgres_server: EmbeddedPostgres,  # noqa: F811
) -> None:
    with fresh_database(postgres_server) as url:
        service = OperatorService(Queries(url), SnapshotCache(lambda: STATUS), lambda: "synthetic", True)
        with TestClient(create_app(service, Judge(Token("t" * 43)).judge)) as client:
            client.headers["Authorization"] = f"Bearer {'t' * 43}"
            assert get(client, "regime")["regime"] is None
            store = PostgresStore(url)
            _write_regime(store)
            store.close()
            view = get(client, "regime")
        service.close()
    assert (view["regime"], view["candidate"], view["candidate_closes"]) == ("BEAR", "DEFAULT", 3)
    assert view["weights"] == {"CORE-HODL": "0.55"} and view["weights_before"] == {"CORE-HODL": "0.60"}
    assert view["close"]["data"]["winner"] == "DEFAULT" and view["since_ms"] == DAY_MS
    assert view["standing"]["reason"] == "portfolio 5 USDT"


def _write_regime(store: PostgresStore) -> None:
    data = {"candidate": "DEFAULT", "closes": 3, "weights": {"CORE-HODL": "0.55"},
            "step": {"day_ms": 1, "before": {"CORE-HODL": "0.60"}, "after": {}}}  # fmt: skip
    lines: list[JournalEntry | Remark] = [
        JournalEntry("regime", "bear", "DEFAULT", "BEAR", "BEAR has won", {"winner": "BEAR"}, table="regime"),
        Remark("regime", "close", "DEFAULT wins", {"winner": "DEFAULT"}),
        Remark("treasury", "standing", "portfolio 5 USDT", {"total_usdt": "5"}),
    ]
    Pen(store, "orchestrator").write(
        journal=[JournalRow((at + 1) * DAY_MS, "c", "t", line) for at, line in enumerate(lines)],
        states=[StateRow(ALLOCATION_KEY, "BEAR", 1, data)],
        market_ms=HOUR_MS,
    )
