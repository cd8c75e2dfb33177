"""Lists read page by page (IF-4, case 22): no row is lost or repeated, however many share a millisecond."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from actors.runtime.ports import JournalRow
from api.access.judge import Judge
from api.http.app import create_app
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.tokens import Token
from infra.database.queries import Queries
from infra.database.store import PostgresStore
from statemachines.commands import JournalEntry, Remark
from statemachines.facts import (
    AlertFact,
    DiscrepancyFact,
    ExecutionFact,
    Fact,
    OrderFact,
    PostingFact,
    PostingLine,
    SwitchReading,
    SwitchTripFact,
    TransferFact,
)
from statemachines.values import ActorName, Side
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.kit.rows import Pen, envelope

ROWS = 57
INSTANTS = (1_000, 1_001, 1_002)


def facts(number: int, at_ms: int) -> list[Fact]:
    """One row for every list, all within three milliseconds."""
    name = f"{number:03d}"
    return [
        OrderFact(
            client_order_id=f"o{name}", intent_id=name, engine="trend-1", account="TREND-1", category="linear",
            symbol="BTCUSDT", side=Side.BUY, order_type="market", quantity=Decimal(1), price=None, trigger_price=None,
            reduce_only=False, state="FILLED", venue_order_id="", filled_quantity=Decimal(1), average_price=None,
            reason="", created_ms=at_ms, updated_ms=at_ms, trace="bar:1",
        ),
        # Two accounts may have executions of one id.
        ExecutionFact(
            account=("TREND-1", "TREND-2")[number % 2], execution_id=f"e{number // 2:03d}", client_order_id=f"o{name}",
            venue_order_id="x", engine="trend-1", category="linear", symbol="BTCUSDT", side=Side.BUY,
            quantity=Decimal(1), price=Decimal(1), fee=Decimal(0), fee_coin="USDT", is_maker=False,
            realized_pnl=Decimal(0),
            executed_ms=INSTANTS[0],
        ),
        PostingFact(
            posting_id=f"p{name}", kind="transfer", posted_ms=at_ms, description="",
            lines=(
                PostingLine(account="TREND-1", ledger_account="wallet", coin="USDT", amount=Decimal(1)),
                PostingLine(account="MASTER", ledger_account="wallet", coin="USDT", amount=Decimal(-1)),
            ),
        ),
        TransferFact(
            transfer_id=f"t{name}", from_account="MASTER", to_account="TREND-1", coin="USDT", amount=Decimal(1),
            purpose="", state="DONE", reason="", requested_ms=at_ms, updated_ms=at_ms,
        ),
        AlertFact(
            alert_id=f"a{name}", actor=ActorName.TREND_1, severity="info", title="", text="", state="open",
            market_ms=at_ms, changed_ms=at_ms,
        ),
        SwitchTripFact(
            trip_id=f"s{name}", switch="clock_off", subject="", effect="", reason="", tripped_ms=at_ms,
            readings=[SwitchReading(source="clock", value="2000 ms", limit="1000 ms")],
        ),
        DiscrepancyFact(
            discrepancy_id=f"d{name}", account="TREND-1", kind="order", subject="", ours="", theirs="", resolution="",
            found_ms=at_ms,
        ),
    ]  # fmt: skip


@pytest.fixture
def client(database_url: str) -> Iterator[TestClient]:  # noqa: F811
    store, chance = PostgresStore(database_url), random.Random(1)
    pen = Pen(store)
    lines = [
        JournalRow(INSTANTS[0], "c", "t", JournalEntry("trend", "enter", "SCANNING", "ENTRY", f"line {number}"))
        for number in range(ROWS)
    ]
    lines += [
        JournalRow(INSTANTS[0], "c", "t", Remark("BTC", "measured", f"line {number}", {})) for number in range(ROWS)
    ]
    envelopes = [{**envelope(number + 1, "trend-1"), "market_time": chance.choice(INSTANTS)} for number in range(ROWS)]
    rows = [fact for number in range(ROWS) for fact in facts(number, chance.choice(INSTANTS))]
    pen.write(facts=rows, outbox=envelopes, journal=lines, next_seq=ROWS + 1)
    store.close()
    service = OperatorService(Queries(database_url), SnapshotCache(lambda: {}), lambda: "synthetic", True)
    with TestClient(create_app(service, Judge(Token("word"), burst=1_000_000).judge)) as found:
        found.headers["Authorization"] = "Bearer word"
        yield found
    service.close()


@pytest.mark.parametrize("limit", [1, 7, 19, 57, 58, 1000])
def test_every_row_comes_exactly_once(client: TestClient, limit: int) -> None:
    """Rows of one millisecond were lost: 14 of 180 orders, 128 of 1,000 messages."""
    for path, key in {
        "/api/v1/orders": ("client_order_id",),
        "/api/v1/orders?state=OPEN_ANY": ("client_order_id",),
        "/api/v1/executions": ("account", "execution_id"),
        "/api/v1/transfers": ("transfer_id",),
        "/api/v1/alerts": ("alert_id",),
        "/api/v1/discrepancies": ("discrepancy_id",),
        "/api/v1/switch-trips": ("trip_id",),
        "/api/v1/events": ("id",),
        "/api/v1/actors/order-manager/transitions": ("id",),
        "/api/v1/actors/order-manager/remarks": ("id",),
        "/api/v1/ledger": ("posting_id",),
    }.items():
        found, cursor, pages = [], None, 0
        while True:
            query = {"limit": limit} | ({} if cursor is None else {"before": cursor})
            answer = client.get(path, params=query | ({"state": "OPEN_ANY"} if "OPEN_ANY" in path else {}))
            assert answer.status_code == 200, answer.text
            page = answer.json()["postings"] if path == "/api/v1/ledger" else answer.json()
            assert len(page["rows"]) <= limit
            found += [tuple(row[name] for name in key) for row in page["rows"]]
            pages, cursor = pages + 1, page["next"]
            if cursor is None:
                break
        expected = 0 if "OPEN_ANY" in path else ROWS
        assert len(found) == len(set(found)) == expected, path
        assert pages == max(-(-expected // limit), 1), "no empty page at the end"
