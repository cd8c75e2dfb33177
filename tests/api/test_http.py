"""The HTTP interface against a real database (IF-4, P3, P5): answers as documented, nonsense refused, nothing leaks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from api.access.judge import Judge
from api.http import market_models, models, notification_models, trade_models
from api.http.app import create_app
from api.http.pages import page_policy
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.tokens import Token
from infra.database.queries import Queries
from infra.database.registers import Heartbeats
from infra.database.server.embedded import EmbeddedPostgres
from tests.api.records import BAR, ENTRY, FILL, STOP, write_history
from tests.database import database_url, fresh_database, postgres_server  # noqa: F401 - fixtures

TOKEN = "the-token-of-this-test"
STATIC = Path(__file__).parents[2] / "api" / "http" / "static"
COMPONENT = {
    "name": "trend-1",
    "state": "RUNNING",
    "state_ru": "Работает",
    "since_s": 3.0,
    "reason": "it works",
    "restarts": 2,
    "recovered_in_ms": 800,
    "health": {"pid": 7, "inbox": 0, "pending_requests": 0, "last_error": "", "stream_faults": [], "market_ms": 5},
}
STATUS: Mapping[str, Any] = {
    "booted": True,
    "boot_error": "",
    "orchestrator": {"state": "RUNNING", "pid": 1},
    "components": [COMPONENT],
    "lockstep": {"state": "RUNNING", "why": "", "market_ms": 1_735_689_600_000, "step": 7},
}

ANSWERS: dict[str, Any] = {
    "/api/v1/overview": models.Overview,
    "/api/v1/actors": list[models.Actor],
    "/api/v1/actors/trend-1": models.ActorDetail,
    "/api/v1/actors/trend-1/transitions": models.Page[models.Transition],
    "/api/v1/actors/trend-1/remarks": models.Page[models.Remark],
    "/api/v1/decisions": models.Page[models.Decision],
    "/api/v1/machines": list[models.Machine],
    "/api/v1/orders": models.Page[trade_models.Order],
    f"/api/v1/orders/{STOP}/chain": list[trade_models.ChainLink],
    "/api/v1/executions": models.Page[trade_models.Execution],
    "/api/v1/positions": list[trade_models.Position],
    "/api/v1/candles?category=linear&symbol=BTCUSDT": market_models.Candles,
    "/api/v1/candles/series": list[market_models.Series],
    "/api/v1/engines/trend-1/indicators?symbol=BTCUSDT": market_models.IndicatorView,
    "/api/v1/regime": market_models.RegimeView,
    "/api/v1/pnl": list[market_models.Result],
    "/api/v1/control/preview?action=halt": market_models.ControlPreview,
    "/api/v1/config": market_models.Configuration,
    "/api/v1/version": market_models.Versions,
    "/api/v1/portfolio": trade_models.Portfolio,
    "/api/v1/ledger": trade_models.Ledger,
    "/api/v1/transfers": models.Page[trade_models.Transfer],
    "/api/v1/events": models.Page[trade_models.Event],
    "/api/v1/alerts": models.Page[trade_models.Alert],
    "/api/v1/notifications": notification_models.NotificationStatus,
    "/api/v1/notifications/deliveries": models.Page[notification_models.DeliveryRow],
    "/api/v1/summaries": models.Page[trade_models.Summary],
    "/api/v1/equity": models.Page[trade_models.PerformanceDay],
    "/api/v1/performance": list[trade_models.EnginePerformance],
    "/api/v1/discrepancies": models.Page[trade_models.Discrepancy],
    "/api/v1/switch-trips": models.Page[trade_models.SwitchTrip],
    "/api/v1/policies": trade_models.Policies,
    "/api/v1/switches": list[trade_models.Switch],
}


@pytest.fixture(scope="module")
def history_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:  # noqa: F811
    """The URL of one database for all tests that only read: it holds a small history."""
    with fresh_database(postgres_server) as url:
        write_history(url)
        yield url


@pytest.fixture(scope="module")
def client(history_url: str) -> Iterator[TestClient]:
    service = OperatorService(Queries(history_url), SnapshotCache(lambda: STATUS), lambda: "synthetic", True)
    with TestClient(create_app(service, Judge(Token(TOKEN)).judge)) as found:
        found.headers["Authorization"] = f"Bearer {TOKEN}"
        yield found
    service.close()


def test_every_answer_is_as_documented_and_none_is_empty(client: TestClient) -> None:
    for path, model in ANSWERS.items():
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert answer.json(), path
        TypeAdapter(model).validate_python(answer.json(), strict=True)


def test_the_description_tells_something_about_every_operation(client: TestClient) -> None:
    description = client.get("/api/v1/openapi.json").json()
    documented = set(description["paths"])
    assert {
        re.sub(f"{STOP}", "{client_order_id}", path.partition("?")[0])
        .replace("/engines/trend-1", "/engines/{engine}")
        .replace("/trend-1", "/{name}")
        for path in ANSWERS
    } <= documented
    for path, ways in description["paths"].items():
        for operation in ways.values():
            assert operation["summary"] and operation["description"], path
            kinds = operation["responses"]["200"]["content"]
            assert any(kind["schema"] for kind in kinds.values()), path


def test_money_is_exact_text_without_exponent(client: TestClient) -> None:
    """DESIGN 7: no digit is lost on the way to a reader."""
    assert client.get("/api/v1/transfers").json()["rows"][0]["amount"] == "1000"
    coin = client.get("/api/v1/ledger").json()["trial_balance"]["coins"][0]
    assert coin["debit"] == "0.000000000000000001"
    assert client.get("/api/v1/portfolio").json()["accounts"][0]["equity_usdt"] == "15000.10"


def test_a_stop_leads_back_over_the_entry_to_its_bar(client: TestClient) -> None:
    """P3: every order, also one that followed from another order's fill, leads back to the bar that caused it."""
    chain = client.get(f"/api/v1/orders/{STOP}/chain").json()
    assert [(link["link"], link["id"]) for link in chain] == [
        ("outside", BAR),
        ("message", "market-data:1"),
        ("message", "trend-1:1"),
        ("request", f"{ENTRY}:place:1"),
        ("order", ENTRY),
        ("outside", FILL),
        ("message", "trend-1:2"),
        ("request", f"{STOP}:place:1"),
        ("order", STOP),
    ]
    assert chain[0]["body"]["close"] == "58420.50"
    assert chain[1]["decisions"][0]["reason"] == "close 58,420.5 above SMA200: entry"
    assert (chain[5]["kind"], chain[5]["body"]["price"]) == ("fill", "58420.50")


def test_the_overview_shows_states_in_both_languages_and_counts_open_orders(client: TestClient) -> None:
    overview = client.get("/api/v1/overview").json()
    engine = next(one for one in overview["engines"] if one["name"] == "trend-1")
    assert (engine["state"], engine["russian"]) == ("BTC IN_POSITION", "BTC В_ПОЗИЦИИ")
    assert engine["open_orders"] == 1
    assert engine["equity_usdt"] == "15000.10"
    assert engine["last_transition"]["dest_russian"] == "ВХОД"
    assert overview["market"]["day"] == "2025-01-01"


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/api/v1/actors/%00", 404, "actor"),
        ("/api/v1/actors/..%2f..%2fetc", 404, "path"),
        ("/api/v1/actors/trend-1/transitions?machine=%00", 422, "machine"),
        ("/api/v1/actors/trend-1/remarks?subject=%00", 422, "subject"),
        ("/api/v1/actors/nobody/remarks", 404, "actor"),
        ("/api/v1/actors/trend-1/transitions?limit=1001", 422, "limit"),
        ("/api/v1/actors/trend-1/transitions?limit=many", 422, "limit"),
        ("/api/v1/actors/trend-1/transitions?before=-1", 422, "before"),
        ("/api/v1/actors/trend-1/transitions?before=99999999999999999999999999", 422, "before"),
        ("/api/v1/orders?before=bm90IGpzb24", 422, "before"),
        ("/api/v1/orders?before=WzEsMl0", 422, "before"),
        ("/api/v1/orders?before=WzFlOTksImEiXQ", 422, "before"),
        ("/api/v1/orders?before=" + "W1tb" * 90, 422, "before"),
        ("/api/v1/events?trace=%F0%9F%98%80%E2%80%AE", 422, "trace"),
        ("/api/v1/machines/trend/diagram?format=gif", 422, "format"),
        ("/api/v1/orders?engine=risk-manager", 422, "engine"),
        ("/api/v1/orders?symbol=" + "x" * 300, 422, "symbol"),
        ("/api/v1/orders/%27;drop/chain", 422, "client_order_id"),
        ("/api/v1/orders/" + "y" * 70 + "/chain", 422, "client_order_id"),
        ("/api/v1/ledger?account=MINE", 422, "account"),
        ("/api/v1/ledger?kind=bribe", 422, "kind"),
        ("/api/v1/events?kind=gossip", 422, "kind"),
        ("/api/v1/orders?next=WzEsMl0", 422, "next"),
        ("/api/v1/transfers?after=%00", 422, "after"),
        ("/api/v1/switches?scope=GLOBAL", 422, "scope"),
        ("/nowhere", 404, "path"),
        ("/nowhere%00%1b[31m", 404, "path"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(client: TestClient, path: str, status: int, field: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    refusal = models.Refusal.model_validate(answer.json())
    assert refusal.field == field
    assert refusal.error.endswith(".")
    assert len(answer.text) < 2_000


def test_a_refused_character_is_shown_as_one_escape(client: TestClient) -> None:
    """The sentence showed `\\\\u0000`."""
    for path in ("/api/v1/events?trace=%00", "/api/v1/actors/%00", "/api/v1/orders?engine=%00", "/nowhere%00"):
        told = client.get(path).json()["error"]
        assert "\\u0000'" in told and "\\\\" not in told, told


def test_a_well_formed_stranger_finds_nothing_and_breaks_nothing(client: TestClient) -> None:
    nothing: dict[str, Any] = {"rows": [], "next": None}
    assert client.get("/api/v1/orders?symbol=' OR 1=1 --").json() == nothing
    assert client.get("/api/v1/events?trace=никто").json() == nothing
    assert client.get("/api/v1/orders?state=OPEN_ANY").json()["rows"][0]["client_order_id"] == STOP


def test_only_reading_is_possible(client: TestClient) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.request(method, "/api/v1/orders").status_code == 405


def test_pages_are_whole_without_the_internet_and_run_nothing_foreign(client: TestClient) -> None:
    """The page of the documents; the console has tests of its own."""
    answer = client.get("/docs", headers={"Authorization": ""})
    text = (STATIC / "docs.html").read_text(encoding="utf-8")
    assert answer.text == text
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", text)
    policy = answer.headers["Content-Security-Policy"]
    assert policy == page_policy(text)
    assert "unsafe" not in policy and "sha256-" in policy
    assert not re.search(r"\son[a-z]+=|\sstyle=", text.split("<script>")[0]), "the policy forbids inline handlers"
    assert client.get("/api/v1/orders").headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert client.get("/api/v1/orders").headers["X-Content-Type-Options"] == "nosniff"


def test_remarks_are_what_was_decided_without_a_change_of_state(client: TestClient) -> None:
    """The treasury's moves and the daily figures are remarks; only the database showed them."""
    (row,) = client.get("/api/v1/actors/trend-1/remarks").json()["rows"]
    assert (row["subject"], row["trigger"], row["reason"], row["data"]) == (
        "ETH",
        "no_signal",
        "ADX 17.2",
        {"adx": "17.2"},
    )
    assert client.get("/api/v1/actors/trend-1/remarks", params={"subject": "BTC"}).json()["rows"] == []


def test_without_the_token_only_the_verdict_and_empty_pages_are_seen(client: TestClient) -> None:
    for header in ("", f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x", "Bearer \udcff"):
        for path in ("/api/v1/openapi.json", *ANSWERS):
            answer = client.get(path, headers={"Authorization": header.encode("utf-8", "surrogateescape")})
            assert answer.status_code in (401, 429), (path, header)  # wrong ones are slowed
            expected = {401: "WWW-Authenticate", 429: "Retry-After"}[answer.status_code]
            assert answer.headers[expected] and set(answer.json()) == {"error"}
    assert set(client.get("/health", headers={"Authorization": ""}).json()) == {"ok", "reasons"}


def test_no_answer_shows_a_secret(client: TestClient, history_url: str) -> None:
    password = history_url.split(":")[2].partition("@")[0]
    for path in ("/", "/docs", "/health", "/api/v1/openapi.json", "/nowhere", *ANSWERS):
        text = client.get(path).text
        assert TOKEN not in text and password not in text, path


def test_while_the_orchestrator_is_down_the_last_signs_of_life_are_shown(database_url: str) -> None:  # noqa: F811
    """OR-8: what the database remembers, named as old; who has left no sign stays UNKNOWN."""

    def nobody() -> Mapping[str, Any]:
        raise LookupError("there is no orchestrator")

    write_history(database_url)
    heartbeats = Heartbeats(database_url)
    assert heartbeats.beat("trend-1", "RECOVERING", 5, {"pid": 4711})
    heartbeats.close()
    service = OperatorService(Queries(database_url), SnapshotCache(nobody), lambda: "synthetic", True)
    with TestClient(create_app(service, Judge(Token(TOKEN)).judge)) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        answer = client.get("/api/v1/actors").json()
        detail = client.get("/api/v1/actors/trend-1").json()
        health = client.get("/health").json()
    service.close()
    TypeAdapter(list[models.Actor]).validate_python(answer, strict=True)
    rows = {row["name"]: row for row in answer}
    assert (rows["trend-1"]["state"], rows["trend-1"]["russian"]) == ("RECOVERING", "Восстанавливается")
    assert rows["trend-1"]["pid"] == 4711
    assert "the orchestrator cannot be reached" in rows["trend-1"]["reason"]
    assert rows["trend-1"]["heartbeat_age_s"] is not None
    assert detail["state"] == "RECOVERING" and detail["machines"]
    assert rows["funding"]["state"] == "UNKNOWN"
    assert not health["ok"]
