"""IF-2: signatures as Bybit expects them (made by pybit itself), quiet sessions, and no secret anywhere."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pybit import _helpers
from pybit._http_manager import generate_signature
from pybit.exceptions import InvalidRequestError
from pydantic import SecretStr

from infra.bybit.credentials import AccountKey, Credentials, CredentialsError, from_environment, from_simulator
from infra.bybit.exchange import BybitExchange
from infra.bybit.lockstep import SimulatorLockstep
from infra.bybit.session import DirectSession, GatewaySession, HttpSessions
from statemachines.feeds.terms import FeedRead
from statemachines.requests import (
    PlaceOrder,
    Refused,
)
from statemachines.values import Account, Side
from tests.infra.answering import answering
from tests.kit.peers import StandingClock

KEY, SECRET = "testkey", "testsecret"
A = Account.TREND_1


def credentials(key: str = KEY, secret: str = SECRET) -> Credentials:
    return Credentials({A: AccountKey(SecretStr(key), SecretStr(secret), 42)}, SecretStr("sim-token-value"))


def session() -> GatewaySession:
    return GatewaySession(A, credentials(), "http://127.0.0.1:9/")


def test_signature_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_helpers, "generate_timestamp", lambda: 1700000000000)
    with answering(200, b'{"retCode":0,"retMsg":"OK","result":{}}') as (url, asked):
        one = GatewaySession(A, credentials(), url)
        one.get_positions(symbol="BTCUSDT", limit=5, category="linear")
        one.place_order(category="linear", symbol="BTCUSDT", qty="0.01", positionIdx=0)
    read, write = asked
    assert read.path == "/v5/position/list?category=linear&limit=5&symbol=BTCUSDT"
    get = "22680ac62b59632258e5f6e4700a92c7ccd6ac22d9d0d5c26e4d0c2dbbf9a333"
    assert (read.headers["X-BAPI-RECV-WINDOW"], read.headers["X-BAPI-SIGN"]) == ("5000", get)
    post = "336e6d38d65b0578cb8bf74c64232a2cf5a9a225430b7b6dbb8d3ef4f59cd37a"
    assert (write.path, write.headers["X-BAPI-SIGN"]) == ("/v5/order/create", post)
    stream = "26df689652787d6e2816d6ac43239f177f3a452676ef6c0a64e80828cb7144c7"
    assert generate_signature(False, SECRET, "GET/realtime1700000001000") == stream


def test_a_session_never_retries_by_itself_and_ignores_proxies() -> None:
    """Left to itself pybit repeats a request after 10006 with a pause that raises on a past reset time, and its last
    error has lost the exchange's code."""
    one = session()
    assert one.force_retry is False
    assert one.max_retries == 1
    assert 10006 not in one.retry_codes and 10002 not in one.retry_codes
    assert one.client.trust_env is False
    assert one.endpoint == "http://127.0.0.1:9"


def test_a_request_that_was_too_old_is_asked_once_and_its_window_stays() -> None:
    """Left to itself pybit widens the receive window after 10002 and sends the same request again, which makes a stale
    order pass. Here the refusal is the answer, and it is decided anew."""
    with answering(200, b'{"retCode":10002,"retMsg":"invalid request, timestamp","result":{},"time":1}') as (
        url,
        asked,
    ):
        one = GatewaySession(A, credentials(), url)
        with pytest.raises(InvalidRequestError, match="10002"):
            one.place_order(category="linear", symbol="BTCUSDT", qty="0.01")
        with pytest.raises(InvalidRequestError):
            one.get_positions(category="linear", symbol="BTCUSDT")
    assert [request.headers["X-BAPI-RECV-WINDOW"] for request in asked] == ["5000", "5000"]


def test_each_account_and_thread_has_its_own_session() -> None:
    """pybit's session is not safe to share between threads."""
    from concurrent.futures import ThreadPoolExecutor

    sessions = HttpSessions(credentials(), "http://127.0.0.1:9")
    assert sessions.session(A) is sessions.session(A)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(sessions.session, A).result() is not sessions.session(A)


def test_no_secret_in_repr_logs_or_outcomes(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """pybit's own session prints its secret in its `repr`."""
    key, secret = "K3Y-5HOULD-NOT-SHOW", "S3CR3T-SHOULD-NOT-SHOW"
    held = credentials(key, secret)
    sessions = HttpSessions(held, "http://127.0.0.1:9")

    exchange = BybitExchange(sessions, symbols=(), uids={}, clock=StandingClock(), read_feed=lambda _ms: FeedRead())
    order = PlaceOrder(
        client_order_id="x", category="linear", symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), style="market"
    )
    with caplog.at_level(logging.DEBUG):
        outcome = exchange.perform(A, order)
    assert isinstance(outcome, Refused) and outcome.fault == "transient", "nothing listens there: nothing was sent"
    lockstep = SimulatorLockstep("http://127.0.0.1:9", SecretStr("sim-token-value"))
    printed = capfd.readouterr()
    shown = [repr(held), str(held), repr(held.keys[A]), repr(sessions.session(A)), repr(sessions), repr(exchange)]
    shown += [str(outcome), caplog.text, printed.out, printed.err, repr(lockstep)]
    for text in shown:
        assert key not in text and secret not in text and "sim-token-value" not in text


def test_the_direct_session_raises_exactly_as_pybit() -> None:
    seen: list[tuple[str, str, Any, Account | None]] = []

    def handle(method: str, path: str, params: Any, account: Account | None) -> dict[str, Any]:
        seen.append((method, path, params, account))
        code = 0 if path == "/v5/market/time" else 110001
        return {"retCode": code, "retMsg": "order not exists", "result": {}, "retExtInfo": {}, "time": 1}

    one = DirectSession(A, handle)
    assert one.get_server_time()["time"] == 1
    with pytest.raises(InvalidRequestError) as caught:
        one.cancel_order(category="linear", symbol="BTCUSDT", orderLinkId="x")
    assert caught.value.status_code == 110001
    assert seen[0][3] is None, "public requests carry no account"
    assert seen[1] == (
        "POST",
        "/v5/order/cancel",
        {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "x"},
        A,
    )


def test_keys_of_the_simulated_exchange(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    row = {"name": "TREND-1", "uid": 7, "api_key": "k", "api_secret": "s"}
    path.write_text(json.dumps({"instance": "i", "sim_token": "t", "accounts": [row]}))
    held = from_simulator(path)
    assert held.uids() == {A: 7}
    assert held.simulator_token is not None and held.simulator_token.get_secret_value() == "t"
    with pytest.raises(CredentialsError, match="no API key for the account FUNDING"):
        held.key(Account.FUNDING)
    path.write_text(json.dumps({"accounts": [{"name": "TREND-1", "api_secret": "very-secret"}]}))
    with pytest.raises(CredentialsError, match="account 0") as caught:
        from_simulator(path)
    assert "very-secret" not in str(caught.value)


def test_keys_of_the_environment() -> None:
    held = from_environment({"BYBIT_TREND_1_API_KEY": "k", "BYBIT_TREND_1_API_SECRET": "s", "BYBIT_TREND_1_UID": "9"})
    assert held.uids() == {A: 9}
    with pytest.raises(CredentialsError, match="BYBIT_MASTER_API_KEY"):
        from_environment({"BYBIT_MASTER_API_KEY": "k"})
