"""Unmodified pybit against the exchange: signatures, orders, errors, limits, streams (SE-3, EX-4, DESIGN 4)."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests
import websocket
from pybit.exceptions import FailedRequestError, InvalidRequestError

from tests.conformance.process import SimulatorProcess, wait_for

Start = Callable[..., SimulatorProcess]
BTC = {"category": "linear", "symbol": "BTCUSDT"}


def test_public_and_private_endpoints_answer(simulator: SimulatorProcess) -> None:
    session = simulator.http("TREND-1")
    server_s = int(session.get_server_time()["result"]["timeSecond"])
    assert abs(server_s - time.time()) < 60
    assert len(session.get_instruments_info(category="linear")["result"]["list"]) == 3
    assert session.get_kline(**BTC, interval="D", limit=5)["result"]["list"]
    assert session.get_tickers(category="spot", symbol="ETHUSDT")["result"]["list"][0]["symbol"] == "ETHUSDT"
    assert session.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]["totalEquity"] == "15000"
    assert session.get_account_info()["result"]["unifiedMarginStatus"] == 5
    assert session.get_api_key_information()["result"]["readOnly"] == 0


def test_an_order_from_create_to_closed_pnl(simulator: SimulatorProcess) -> None:
    session = simulator.http("TREND-2")
    session.place_order(**BTC, side="Buy", orderType="Market", qty="0.01", orderLinkId="life-1")
    row = session.get_open_orders(**BTC, orderLinkId="life-1")["result"]["list"][0]
    assert row["orderStatus"] == "Filled"
    assert session.get_positions(**BTC)["result"]["list"][0]["size"] == "0.01"
    price = str(Decimal(row["avgPrice"]) - 500)
    rests = session.place_order(**BTC, side="Buy", orderType="Limit", qty="0.01", price=price)["result"]["orderId"]
    session.amend_order(**BTC, orderId=rests, qty="0.02")
    session.cancel_order(**BTC, orderId=rests)
    session.place_order(**BTC, side="Sell", orderType="Market", qty="0.01", reduceOnly=True)
    assert session.get_closed_pnl(category="linear")["result"]["list"][0]["closedSize"] == "0.01"
    rows = session.get_transaction_log(accountType="UNIFIED")["result"]["list"]
    assert (
        rows[0]["cashBalance"]
        == session.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]["coin"][0]["walletBalance"]
    )


def test_a_cursor_with_percent_signs_passes_the_signature(simulator: SimulatorProcess) -> None:
    session = simulator.http("TREND-1")
    for _ in range(3):
        session.place_order(**BTC, side="Buy", orderType="Market", qty="0.001")
    first = session.get_executions(category="linear", limit=2)["result"]
    assert "%" in first["nextPageCursor"]
    second = session.get_executions(category="linear", limit=2, cursor=first["nextPageCursor"])["result"]
    assert {row["execId"] for row in first["list"]}.isdisjoint({row["execId"] for row in second["list"]})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"X-BAPI-API-KEY": "nobody"}, 10003),
        ({"X-BAPI-SIGN": "0" * 64}, 10004),
        ({"X-BAPI-TIMESTAMP": "1700000000000"}, 10002),
        ({"X-BAPI-TIMESTAMP": "later"}, 10002),
    ],
)
def test_signatures_and_times_are_verified(simulator: SimulatorProcess, change: dict[str, str], code: int) -> None:
    key, secret = simulator.key_of("TREND-1")
    stamp = change.get("X-BAPI-TIMESTAMP", str(time.time_ns() // 1_000_000))
    if stamp == "later":
        stamp = str(time.time_ns() // 1_000_000 + 3_000)
    sign = hmac.new(secret.encode(), f"{stamp}{key}5000".encode(), hashlib.sha256).hexdigest()
    headers = {"X-BAPI-API-KEY": key, "X-BAPI-RECV-WINDOW": "5000", "X-BAPI-SIGN": sign} | change
    headers["X-BAPI-TIMESTAMP"] = stamp
    answer = requests.get(simulator.url + "/v5/account/info", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["retCode"]) == (200, code)


def test_the_body_is_verified_byte_for_byte(simulator: SimulatorProcess) -> None:
    key, secret = simulator.key_of("TREND-1")
    stamp = str(time.time_ns() // 1_000_000)
    body = '{"category":"linear", "symbol":"BTCUSDT","side":"Buy","orderType":"Market","qty":"0.001","unknown":1}'
    sign = hmac.new(secret.encode(), f"{stamp}{key}5000{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"X-BAPI-API-KEY": key, "X-BAPI-RECV-WINDOW": "5000", "X-BAPI-SIGN": sign, "X-BAPI-TIMESTAMP": stamp}
    url = simulator.url + "/v5/order/create"
    assert requests.post(url, data=body, headers=headers, timeout=10).json()["retCode"] == 0
    tampered = body.replace("0.001", "0.002")
    assert requests.post(url, data=tampered, headers=headers, timeout=10).json()["retCode"] == 10004


def test_key_scopes_are_enforced(simulator: SimulatorProcess) -> None:
    order = {**BTC, "side": "Buy", "orderType": "Market", "qty": "0.001"}
    reader = simulator.keys["read_only"]
    for session in (simulator.session(reader["api_key"], reader["api_secret"]), simulator.http("MASTER")):
        with pytest.raises(InvalidRequestError) as refused:
            session.place_order(**order)
        assert refused.value.status_code == 10005
    transfer = {"transferId": "pybit-1", "coin": "USDT", "amount": "25",
                "fromMemberId": simulator.uid_of("CORE-HODL"), "toMemberId": simulator.uid_of("TACTICAL"),
                "fromAccountType": "UNIFIED", "toAccountType": "UNIFIED"}  # fmt: skip
    with pytest.raises(InvalidRequestError) as refused:
        simulator.http("CORE-HODL").create_universal_transfer(**transfer)
    assert refused.value.status_code == 10005
    assert simulator.http("MASTER").create_universal_transfer(**transfer)["result"]["status"] == "SUCCESS"
    balance = simulator.http("MASTER").get_coin_balance(
        memberId=simulator.uid_of("TACTICAL"), accountType="UNIFIED", coin="USDT"
    )
    assert balance["result"]["balance"]["walletBalance"] == "5025"


def test_unknown_routes_are_http_404(simulator: SimulatorProcess) -> None:
    assert requests.get(simulator.url + "/v5/nothing", timeout=10).status_code == 404
    with pytest.raises(FailedRequestError) as refused:
        simulator.http("TREND-1").get_long_short_ratio(**BTC, period="1h")
    assert refused.value.status_code == 404


def test_the_control_interface_needs_its_token_and_shows_no_secret(simulator: SimulatorProcess) -> None:
    assert requests.get(simulator.url + "/sim/status", timeout=10).status_code == 403
    text = json.dumps(simulator.control("GET", "/sim/status")) + json.dumps(simulator.control("GET", "/sim/accounts"))
    assert simulator.instance in text
    assert all(one["api_secret"] not in text and one["api_key"] not in text for one in simulator.keys["accounts"])
    assert (simulator.folder / "keys.json").stat().st_mode & 0o777 == 0o600


def test_the_rate_limit_answers_10006_with_a_reset_in_the_future(fresh: Start) -> None:
    exchange = fresh()
    session = exchange.http("TREND-1", max_retries=1, retry_codes={10002})
    answers: Counter[int] = Counter()
    for _ in range(12):
        try:
            session.get_fee_rates(**BTC)
            answers[0] += 1
        except InvalidRequestError as error:
            answers[error.status_code] += 1
            headers = error.resp_headers
            assert int(headers["X-Bapi-Limit-Reset-Timestamp"]) > int(headers["Timenow"])
            assert headers["X-Bapi-Limit"] == "5"
    assert answers[0] >= 5 and answers[10006] >= 1
    assert exchange.http("TREND-2").get_fee_rates(**BTC)["retCode"] == 0


def test_streams_show_an_order_before_its_answer_and_the_lockstep_waits_for_them(fresh: Start) -> None:
    exchange = fresh("--no-rate-limits")
    seen: list[dict[str, Any]] = []
    private = exchange.stream("private", "TREND-1", seen.append)
    public = exchange.stream("linear", None, seen.append)
    try:
        wait_for(lambda: any(m.get("op") == "auth" and m["success"] for m in seen), "authenticated")
        for topic in ("order", "execution", "position", "wallet"):
            private.subscribe(topic, lambda message: None)
        public.subscribe("kline.60.{symbol}", lambda message: None, "BTCUSDT")
        public.subscribe("tickers.{symbol}", lambda message: None, ["BTCUSDT", "ETHUSDT"])
        wait_for(lambda: sum(m.get("op") == "subscribe" for m in seen) == 6, "six acks")
        wait_for(lambda: sum(m.get("topic", "").startswith("tickers") for m in seen) == 2, "two snapshots")

        exchange.http("TREND-1").place_order(**BTC, side="Buy", orderType="Market", qty="0.01")
        sent = exchange.control("GET", "/sim/status")["sent"]
        assert sorted(sent.values()) == [2, 4]
        wait_for(lambda: sum("topic" in m for m in seen) == 6, "all frames")
        topics = [m["topic"] for m in seen if "topic" in m and not m["topic"].startswith("tickers")]
        assert topics == ["execution", "order", "position", "wallet"]

        behind = {key: count - 1 for key, count in sent.items()}
        refused = exchange.advance(0, None, behind)
        assert (refused["settled"], refused["step"], refused["sent"]) == (False, 0, sent)
        done = exchange.advance(0, None, sent)
        assert (done["settled"], done["advanced"], done["step"]) == (True, True, 1)
        wait_for(lambda: sum("topic" in m for m in seen) == sum(done["sent"].values()), "the frames of the step")
        bars = [m for m in seen if m.get("topic") == "kline.60.BTCUSDT"]
        assert [bar["data"][0]["confirm"] for bar in bars] == [True]
    finally:
        private.exit()
        public.exit()


def test_pong_dialects_and_refusals(simulator: SimulatorProcess) -> None:
    def talk(path: str, *messages: dict[str, Any]) -> list[dict[str, Any]]:
        socket = websocket.create_connection(simulator.url.replace("http", "ws") + path, timeout=10)
        try:
            answers = []
            for message in messages:
                socket.send(json.dumps(message))
                answers.append(json.loads(socket.recv()))
            return answers
        finally:
            socket.close()

    (spot,) = talk("/v5/public/spot", {"op": "ping"})
    assert (spot["op"], spot["ret_msg"], spot["success"]) == ("ping", "pong", True)
    (linear,) = talk("/v5/public/linear", {"op": "ping", "req_id": "7"})
    assert (linear["req_id"], linear["ret_msg"]) == ("7", "pong")
    (option,) = talk("/v5/public/option", {"op": "ping"})
    assert option["op"] == "pong" and set(option) == {"args", "op"}
    private = talk(
        "/v5/private",
        {"op": "ping", "req_id": "8"},
        {"op": "subscribe", "args": ["order"], "req_id": "9"},
        {"op": "auth", "args": ["nobody", 9_999_999_999_999, "x"]},
    )
    assert (private[0]["op"], private[0]["req_id"]) == ("pong", "8")
    assert [one["success"] for one in private[1:]] == [False, False]
    (refused,) = talk("/v5/public/linear", {"op": "subscribe", "args": ["tickers.NOUSDT"], "req_id": "a"})
    assert (refused["success"], refused["req_id"]) == (False, "a") and "topic" not in refused


def test_pybits_own_order_book_follows_the_stream(fresh: Start) -> None:
    """Without a raw callback pybit applies snapshots and deltas itself: an absent level would kill its stream."""
    exchange = fresh("--no-rate-limits")
    books: list[dict[str, Any]] = []
    ready = threading.Event()

    def on_book(message: dict[str, Any]) -> None:
        books.append(message)
        ready.set()

    stream = exchange.stream("linear", None)
    try:
        stream.orderbook_stream(50, "BTCUSDT", on_book)
        assert ready.wait(20)
        for step in range(6):
            exchange.advance(step)
        wait_for(lambda: len(books) == 7, "seven book messages")
        assert stream.is_connected()
    finally:
        stream.exit()
