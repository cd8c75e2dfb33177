"""One scripted session of unmodified pybit against every endpoint and topic, by the wall clock: HTTP, streams, orders
by WebSocket."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import websocket
from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP, WebSocketTrading

from infra.simulator.api.routes import ROUTES
from tests.conformance.process import SimulatorProcess, wait_for

BTC = {"category": "linear", "symbol": "BTCUSDT"}
SPOT = {"category": "spot", "symbol": "BTCUSDT"}
HANDLED_ELSEWHERE = "/v5/earn/"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """An exchange whose market runs by the wall clock, with disconnection protection."""
    options = ("--no-rate-limits", "--clock", "wall", "--dcp")
    process = SimulatorProcess(tmp_path_factory.mktemp("wide") / "exchange", *options)
    yield process
    process.stop()


class Session:
    """Sessions by account, and the routes that were called through them."""

    def __init__(self, exchange: SimulatorProcess) -> None:
        self._exchange = exchange
        self._sessions: dict[str, HTTP] = {}
        self.called: set[tuple[str, str]] = set()

    def of(self, account: str) -> HTTP:
        """The account's session; ``OWNER`` has the key that may withdraw."""
        if account not in self._sessions:
            if account == "OWNER":
                key = self._exchange.keys["owner"]
                made = self._exchange.session(key["api_key"], key["api_secret"], retry_codes={10002})
            else:
                made = self._exchange.http(account)
            self._sessions[account] = self.watched(made)
        return self._sessions[account]

    def watched(self, session: HTTP) -> HTTP:
        """The session, with its calls counted."""
        session.client.hooks["response"].append(self._count)
        return session

    def _count(self, response: requests.Response, *_: Any, **__: Any) -> None:
        assert response.request.url is not None
        self.called.add((str(response.request.method), urlsplit(response.request.url).path))


def code_of(call: Callable[[], Any]) -> int:
    """The retCode of a call that is refused."""
    with pytest.raises(InvalidRequestError) as refused:
        call()
    return int(refused.value.status_code)


def test_every_endpoint_answers_pybit(exchange: SimulatorProcess) -> None:
    session = Session(exchange)
    _market(session.of("TREND-1"))
    _orders(session.of("TREND-1"))
    _account(session)
    _members(session, exchange)
    _money(session, exchange)
    ours = {route for route in ROUTES if not route[1].startswith(HANDLED_ELSEWHERE)}
    assert ours <= session.called, f"not called: {sorted(ours - session.called)}"


def _market(http: HTTP) -> None:
    http.get_server_time()
    for category in ("spot", "linear", "inverse", "option"):
        http.get_instruments_info(category=category)
    for interval in INTERVALS:
        rows = http.get_kline(**BTC, interval=interval, limit=5)["result"]["list"]
        assert len(rows) == 5 and rows == sorted(rows, key=lambda row: int(row[0]), reverse=True), interval
    http.get_mark_price_kline(**BTC, interval="5")
    http.get_index_price_kline(**BTC, interval="5")
    premium = http.get_premium_index_price_kline(**BTC, interval="60", limit=10)["result"]["list"]
    assert len(premium) == 10 and all(abs(Decimal(price)) < Decimal("0.02") for row in premium for price in row[1:])
    ticker = http.get_tickers(**BTC)["result"]["list"][0]
    interest = http.get_open_interest(**BTC, intervalTime="1h", limit=3)["result"]
    assert Decimal(ticker["openInterest"]) > 0 and len(interest["list"]) == 3 and interest["nextPageCursor"]
    older = http.get_open_interest(**BTC, intervalTime="1h", limit=3, cursor=interest["nextPageCursor"])["result"]
    assert int(older["list"][0]["timestamp"]) == int(interest["list"][-1]["timestamp"]) - 3_600_000
    http.get_orderbook(**BTC, limit=200)
    assert len(http.get_public_trade_history(**SPOT)["result"]["list"]) == 60
    http.get_funding_rate_history(**BTC)
    http.get_insurance(coin="USDT")
    http.get_risk_limit(category="linear")
    http.get_price_limit(**BTC)
    http.get_announcement(locale="en-US")
    http.get_system_status()


def _orders(http: HTTP) -> None:
    last = Decimal(http.get_tickers(**BTC)["result"]["list"][0]["lastPrice"])
    price = str((last * Decimal("0.995")).quantize(Decimal("0.1")))
    limit = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": price}
    checked = http.pre_check_order(**limit)["result"]
    assert checked["postImrE4"] > checked["preImrE4"] and http.get_open_orders(**BTC)["result"]["list"] == []
    made = http.place_order(**limit, orderLinkId="session-1")["result"]["orderId"]
    http.amend_order(**BTC, orderId=made, qty="0.02")
    http.cancel_order(**BTC, orderId=made)
    legs = [{key: value for key, value in limit.items() if key != "category"} for _ in range(2)]
    ids = [row["orderId"] for row in http.place_batch_order(category="linear", request=legs)["result"]["list"]]
    http.amend_batch_order(category="linear", request=[{"symbol": "BTCUSDT", "orderId": ids[0], "qty": "0.02"}])
    http.cancel_batch_order(category="linear", request=[{"symbol": "BTCUSDT", "orderId": ids[0]}])
    http.cancel_all_orders(**BTC)
    http.place_order(**BTC, side="Buy", orderType="Market", qty="0.01")
    http.set_trading_stop(**BTC, tpslMode="Full", positionIdx=0, stopLoss=str(int(last * Decimal("0.9"))))
    http.place_order(**BTC, side="Sell", orderType="Market", qty="0.01", reduceOnly=True)
    http.get_order_history(category="linear")
    http.get_executions(category="linear")
    http.get_positions(**BTC)
    http.set_leverage(**BTC, buyLeverage="4", sellLeverage="4")
    assert code_of(lambda: http.switch_position_mode(**BTC, mode=0)) == 110025
    assert http.get_closed_pnl(category="linear")["result"]["list"]


def _account(session: Session) -> None:
    http = session.of("TREND-1")
    http.get_wallet_balance(accountType="UNIFIED")
    http.get_transferable_amount(coinName="USDT")
    http.get_fee_rates(**BTC)
    http.get_account_info()
    http.get_transaction_log(accountType="UNIFIED")
    http.get_account_instruments_info(category="linear")
    http.set_margin_mode(setMarginMode="REGULAR_MARGIN")
    http.set_hedging_mode(setHedgingMode="OFF")
    assert http.get_smp_group()["result"] == {"smpGroup": 0}
    http.set_dcp(product="DERIVATIVES", timeWindow=3)
    windows = {one["product"]: one for one in http.query_dcp_info()["result"]["dcpInfos"]}
    assert windows["DERIVATIVES"] == {"product": "DERIVATIVES", "dcpStatus": "ON", "timeWindow": "3"}
    assert windows["SPOT"]["dcpStatus"] == "OFF"


def _members(session: Session, exchange: SimulatorProcess) -> None:
    master, trader = session.of("MASTER"), session.of("TREND-1")
    assert code_of(lambda: trader.create_sub_uid(username="someone1", memberType=1)) == 10005
    made = master.create_sub_uid(username="someone1", memberType=1, password="Secret-1", note="for a test")["result"]
    assert code_of(lambda: master.create_sub_uid(username="someone1", memberType=1)) == 10001
    uid = int(made["uid"])
    assert str(uid) in {one["uid"] for one in master.get_sub_uid_list()["result"]["subMembers"]}
    first = master.get_sub_uid_list_unlimited(pageSize="2")["result"]
    assert first["subMembers"][0]["username"] == "someone1" and first["nextCursor"] != "0"
    assert master.get_uid_wallet_type(memberIds=str(uid))["result"]["accounts"][0]["accountType"] == ["UNIFIED", "FUND"]
    assert str(uid) in master.get_sub_uid()["result"]["subMemberIds"]
    assert "USDT" in master.get_transferable_coin(fromAccountType="FUND", toAccountType="UNIFIED")["result"]["list"]
    rights = {"Spot": ["SpotTrade"], "Wallet": ["SubMemberTransferList"]}
    key = master.create_sub_api_key(subuid=uid, readOnly=0, permissions=rights)["result"]
    sub = session.watched(exchange.session(key["apiKey"], key["secret"]))
    assert sub.get_api_key_information()["result"]["userID"] == uid
    exchange.control("POST", "/sim/deposit", {"account": "someone1", "coin": "USDT", "amount": "50"})
    sub.place_order(**SPOT, side="Buy", orderType="Market", qty="20")
    assert code_of(lambda: sub.place_order(**BTC, side="Buy", orderType="Market", qty="0.001")) == 10005
    transfer = {"coin": "USDT", "amount": "5", "fromAccountType": "UNIFIED", "toAccountType": "FUND",
                "fromMemberId": uid}  # fmt: skip
    back = {**transfer, "transferId": "back-1", "toMemberId": exchange.uid_of("MASTER")}
    away = {**transfer, "transferId": "away-1", "toMemberId": exchange.uid_of("TREND-1")}
    assert code_of(lambda: sub.create_universal_transfer(**away)) == 10005
    assert sub.create_universal_transfer(**back)["result"]["status"] == "SUCCESS"
    master.modify_sub_api_key(apikey=key["apiKey"], readOnly=1)
    assert code_of(lambda: sub.place_order(**SPOT, side="Buy", orderType="Market", qty="20")) == 10005
    (listed,) = master.get_all_sub_api_keys(subMemberId=uid)["result"]["result"]
    assert (listed["apiKey"], listed["readOnly"], listed["secret"]) == (key["apiKey"], True, "******")
    master.freeze_sub_uid(subuid=uid, frozen=1)
    assert code_of(sub.get_account_info) == 10008
    master.freeze_sub_uid(subuid=uid, frozen=0)
    master.delete_sub_api_key(apikey=key["apiKey"])
    assert code_of(sub.get_account_info) == 10003
    empty = int(master.create_sub_uid(username="someone2", memberType=1)["result"]["uid"])
    assert code_of(lambda: master.delete_sub_uid(subMemberId=str(uid))) == 10001, "it still has assets"
    master.delete_sub_uid(subMemberId=str(empty))
    assert str(empty) not in {one["uid"] for one in master.get_sub_uid_list()["result"]["subMembers"]}


def _money(session: Session, exchange: SimulatorProcess) -> None:
    master, owner = session.of("MASTER"), session.of("OWNER")
    exchange.control("POST", "/sim/deposit", {"account": "MASTER", "coin": "USDT", "amount": "1000"})
    assert master.get_deposit_records(coin="USDT")["result"]["rows"][0]["amount"] == "1000"
    sub = next(one for one in master.get_sub_uid_list()["result"]["subMembers"] if one["username"] == "someone1")
    assert master.get_sub_deposit_records(subMemberId=sub["uid"])["result"]["rows"][0]["amount"] == "50"
    master.get_master_deposit_address(coin="USDT")
    master.create_internal_transfer(
        transferId="in-1", coin="USDT", amount="100", fromAccountType="UNIFIED", toAccountType="FUND"
    )
    master.get_internal_transfer_records()
    master.get_universal_transfer_records()
    master.get_coin_balance(accountType="FUND", coin="USDT")
    master.get_coins_balance(accountType="FUND", coin="USDT")
    chain = master.get_coin_info(coin="USDT")["result"]["rows"][0]["chains"][0]
    assert (chain["chainWithdraw"], chain["withdrawFee"]) == ("1", "1")
    address = master.get_withdrawal_address_list(coin="USDT")["result"]["rows"][0]["address"]
    ask = {"coin": "USDT", "chain": "SIM", "address": address, "amount": "20", "timestamp": 1, "accountType": "FUND"}
    assert code_of(lambda: master.withdraw(**ask)) == 10005, "the key of the trading system cannot withdraw"
    assert code_of(lambda: owner.withdraw(**{**ask, "address": "elsewhere"})) == 131093
    assert code_of(lambda: owner.withdraw(**{**ask, "amount": "1"})) == 131096
    assert code_of(lambda: owner.withdraw(**{**ask, "amount": "5000"})) == 131212
    made = owner.withdraw(**ask)["result"]["id"]
    assert code_of(lambda: owner.withdraw(**ask)) == 10006, "one in ten seconds"
    held = _in_fund(owner)
    (row,) = owner.get_withdrawal_records(coin="USDT")["result"]["rows"]
    assert (row["status"], row["withdrawId"], row["amount"], row["withdrawFee"]) == ("Pending", made, "20", "1")
    assert owner.cancel_withdrawal(id=made)["result"] == {"status": 1}
    assert _in_fund(owner) == held + 21
    assert owner.cancel_withdrawal(id=made)["result"] == {"status": 0}


def _in_fund(owner: HTTP) -> Decimal:
    amounts = owner.get_withdrawable_amount(coin="USDT")["result"]["withdrawableAmount"]
    return Decimal(amounts["FUND"]["availableBalance"])


INTERVALS = ("1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D", "W", "M")
PUBLIC = {
    "linear": [
        *(f"orderbook.{depth}.BTCUSDT" for depth in (1, 50, 200, 1000)), "publicTrade.BTCUSDT", "tickers.BTCUSDT",
        *(f"kline.{interval}.BTCUSDT" for interval in INTERVALS),
        "priceLimit.BTCUSDT", "insurance.USDT", "adlAlert.USDT",
    ],
    "spot": ["orderbook.50.BTCUSDT", "publicTrade.BTCUSDT", "tickers.BTCUSDT", "kline.1.BTCUSDT"],
}  # fmt: skip
SILENT = {"linear": ["allLiquidation.BTCUSDT"]}


@pytest.mark.parametrize("category", PUBLIC)
def test_every_public_topic_reaches_pybit(exchange: SimulatorProcess, category: str) -> None:
    seen: dict[str, dict[str, Any]] = {}
    acks: list[dict[str, Any]] = []

    def on_frame(frame: dict[str, Any]) -> None:
        if "topic" in frame:
            seen.setdefault(frame["topic"], frame)
        elif frame.get("op") == "subscribe":
            acks.append(frame)

    stream = exchange.stream(category, None, on_frame)
    try:
        wanted = [*PUBLIC[category], *SILENT.get(category, [])]
        for topic in wanted:
            stream.subscribe(topic.replace("BTCUSDT", "{symbol}").replace("USDT", "{symbol}")
                             if "BTCUSDT" not in topic else topic.replace("BTCUSDT", "{symbol}"),
                             on_frame, "BTCUSDT" if "BTCUSDT" in topic else "USDT")  # fmt: skip
        wait_for(lambda: len(acks) == len(wanted), "every subscription is acknowledged")
        assert all(ack["success"] for ack in acks)
        wait_for(lambda: set(seen) >= set(PUBLIC[category]), f"a frame of every topic of {category}")
    finally:
        stream.exit()


def test_the_system_status_topic_is_acknowledged(exchange: SimulatorProcess) -> None:
    acks: list[dict[str, Any]] = []
    stream = exchange.stream("misc/status", None, acks.append)
    try:
        stream.system_status_stream(acks.append)
        wait_for(lambda: any(ack.get("op") == "subscribe" and ack["success"] for ack in acks), "acknowledged")
    finally:
        stream.exit()


class Trading:
    """pybit's ``WebSocketTrading`` on loopback, with a lock of the client's own: it registers a callback only after
    sending (bybit-v5 8.2)."""

    def __init__(self, exchange: SimulatorProcess, account: str) -> None:
        base, lock = exchange.url.replace("http://", "ws://"), threading.RLock()
        key, secret = exchange.key_of(account)

        class Loopback(WebSocketTrading):  # type: ignore[misc]
            def _connect(self, url: str) -> None:
                super()._connect(url if url.startswith("ws://") else base + url[url.index("/v5/") :])

            def _send_order_operation(self, *args: Any, **kwargs: Any) -> None:
                with lock:
                    super()._send_order_operation(*args, **kwargs)

            def _on_message(self, message: str) -> None:
                with lock:
                    super()._on_message(message)

        self.socket = Loopback(testnet=False, api_key=key, api_secret=secret, private_auth_expire=10)

    def call(self, name: str, **params: Any) -> dict[str, Any]:
        """One operation, and its answer."""
        answers: list[dict[str, Any]] = []
        getattr(self.socket, name)(answers.append, answers.append, **params)
        wait_for(lambda: bool(answers), f"an answer to {name}")
        return answers[0]


class Categorised:
    """A private connection of our own for the topics of one category, which pybit does not offer."""

    def __init__(self, exchange: SimulatorProcess, account: str) -> None:
        self.seen: list[dict[str, Any]] = []
        key, secret = exchange.key_of(account)
        expires = time.time_ns() // 1_000_000 + 10_000
        signature = hmac.new(secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
        self._socket = websocket.create_connection(exchange.url.replace("http", "ws") + "/v5/private", timeout=20)
        self.ask("auth", [key, expires, signature])

    def ask(self, op: str, args: list[Any]) -> dict[str, Any]:
        """One request, and its acknowledgement; frames that come before it are kept."""
        self._socket.send(json.dumps({"op": op, "args": args}))
        while True:
            message: dict[str, Any] = json.loads(self._socket.recv())
            if message.get("op") == op:
                return message
            self.seen.append(message)

    def until(self, topics: set[str]) -> dict[str, list[dict[str, Any]]]:
        """The rows of the topics, when each has come."""
        while {one["topic"] for one in self.seen} < topics:
            self.seen.append(json.loads(self._socket.recv()))
        return {topic: [row for one in self.seen if one["topic"] == topic for row in one["data"]] for topic in topics}

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


def test_orders_by_websocket_are_those_of_rest(exchange: SimulatorProcess) -> None:
    """pybit's trade socket: the same orders, refusals and batches as by REST, and the private frames of each."""
    http = exchange.http("TREND-2")
    frames: list[dict[str, Any]] = []
    private = exchange.stream("private", "TREND-2", frames.append)
    trading = Trading(exchange, "TREND-2")
    categorised = Categorised(exchange, "TREND-2")
    try:
        for topic in ("order", "execution", "position", "wallet", "greeks"):
            private.subscribe(topic, frames.append)
        private.fast_execution_stream(frames.append)
        wait_for(lambda: sum(one.get("op") == "subscribe" and one["success"] for one in frames) == 6, "six acks")
        mixed = categorised.ask("subscribe", ["order", "order.linear"])
        assert not mixed["success"], "a topic for all categories and for one are not subscribed together"
        assert categorised.ask("subscribe", ["order.linear", "execution.spot", "position.linear"])["success"]
        _trade_by_socket(trading, http)
        wanted = {"order", "execution", "position", "wallet", "execution.fast"}
        wait_for(lambda: {one.get("topic") for one in frames} >= wanted, "a frame of every private topic")
        rows = categorised.until({"order.linear", "execution.spot", "position.linear"})
        assert {row["category"] for row in rows["order.linear"]} == {"linear"}
        assert {row["category"] for row in rows["execution.spot"]} == {"spot"}
        both = {row["category"] for one in frames if one.get("topic") == "order" for row in one["data"]}
        assert both == {"linear", "spot"}
    finally:
        categorised.close()
        private.exit()
        trading.socket.exit()


def _trade_by_socket(trading: Trading, http: HTTP) -> None:
    last = Decimal(http.get_tickers(**BTC)["result"]["list"][0]["lastPrice"])
    price = str((last * Decimal("0.995")).quantize(Decimal("0.1")))
    limit = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": price}
    made = trading.call("place_order", **limit, orderLinkId="socket-1")
    assert (made["retCode"], made["op"], made["data"]["orderLinkId"]) == (0, "order.create", "socket-1")
    assert int(made["header"]["X-Bapi-Limit"]) == 10 and made["header"]["Traceid"]
    order = made["data"]["orderId"]
    assert http.get_open_orders(**BTC)["result"]["list"][0]["orderId"] == order
    assert trading.call("amend_order", **BTC, orderId=order, qty="0.02")["retCode"] == 0
    assert trading.call("cancel_order", **BTC, orderId=order)["retCode"] == 0
    assert trading.call("cancel_order", **BTC, orderId=order)["retCode"] == 110001
    assert trading.call("place_order", **{**limit, "category": "nothing"})["retCode"] == 10404
    legs = [{key: value for key, value in limit.items() if key != "category"}, {"symbol": "BTCUSDT"}]
    batch = trading.call("place_batch_order", category="linear", request=legs)
    assert [one["code"] for one in batch["retExtInfo"]["list"]] == [0, 10001]
    leg = {"symbol": "BTCUSDT", "orderId": batch["data"]["list"][0]["orderId"]}
    for name, request in (("amend_batch_order", {**leg, "qty": "0.03"}), ("cancel_batch_order", leg)):
        answer = trading.call(name, category="linear", request=[request])
        assert answer["retExtInfo"]["list"] == [{"code": 0, "msg": "OK"}], name
    assert trading.call("place_order", **SPOT, side="Buy", orderType="Market", qty="50")["retCode"] == 0


def test_the_trade_socket_refuses_what_the_documentation_says(exchange: SimulatorProcess) -> None:
    """Not authenticated, unknown operation, a reqId used twice, a stale timestamp, and what is no request at all."""
    socket = websocket.create_connection(exchange.url.replace("http", "ws") + "/v5/trade", timeout=20)

    def ask(message: Any) -> dict[str, Any]:
        socket.send(message if isinstance(message, str) else json.dumps(message))
        answer: dict[str, Any] = json.loads(socket.recv())
        return answer

    try:
        now_ms = time.time_ns() // 1_000_000
        header = {"X-BAPI-TIMESTAMP": str(now_ms)}
        cancel = {"op": "order.cancel", "header": header, "args": [{**BTC, "orderId": "none"}]}
        assert ask({**cancel, "reqId": "1"})["retCode"] == 10007
        assert ask({"op": "ping", "reqId": "p"})["op"] == "pong"
        key, secret = exchange.key_of("TREND-1")
        expires = now_ms + 10_000
        signature = hmac.new(secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
        assert ask({"op": "auth", "args": [key, expires, "0" * 64]})["retCode"] == 10004
        assert ask({"op": "auth", "args": [key, expires, signature]})["retCode"] == 0
        assert ask({"op": "auth", "args": [key, expires, signature]})["retCode"] == 20001
        assert ask({**cancel, "reqId": "1"})["retCode"] == 110001
        assert ask({**cancel, "reqId": "1"})["retCode"] == 20006
        assert ask({**cancel, "reqId": "2", "op": "order.nothing"})["retCode"] == 10404
        assert ask({**cancel, "reqId": "3", "header": {"X-BAPI-TIMESTAMP": "1700000000000"}})["retCode"] == 10002
        assert ask({**cancel, "reqId": "4", "header": {"X-BAPI-TIMESTAMP": now_ms}})["retCode"] == 110001
        assert ask({**cancel, "reqId": "5", "args": [1, 2]})["retCode"] == 10001
        odd = ask("no JSON")
        assert (odd["success"], odd["ret_msg"]) == (False, "Params Error")
    finally:
        socket.close()
