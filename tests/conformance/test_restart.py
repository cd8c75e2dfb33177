"""Killed at any moment, the exchange resumes at the same instant with the same state (RE-1, DESIGN 4)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import requests
from pybit.exceptions import InvalidRequestError

from tests.conformance.process import SimulatorProcess

Start = Callable[..., SimulatorProcess]
BTC = {"category": "linear", "symbol": "BTCUSDT"}


def _state(exchange: SimulatorProcess) -> dict[str, Any]:
    session = exchange.http("TREND-1")
    status = exchange.control("GET", "/sim/status")
    return {
        "status": {key: status[key] for key in ("instance", "market", "step", "market_time", "queued")},
        "wallet": session.get_wallet_balance(accountType="UNIFIED")["result"],
        "orders": session.get_order_history(category="linear", limit=50)["result"],
        "open": session.get_open_orders(**BTC, limit=50)["result"],
        "executions": session.get_executions(category="linear", limit=100)["result"],
        "log": session.get_transaction_log()["result"],
        "positions": session.get_positions(**BTC)["result"],
    }


def test_sigkill_and_restart_resume_at_the_same_state(fresh: Start) -> None:
    exchange = fresh("--no-rate-limits")
    session = exchange.http("TREND-1")
    session.set_leverage(**BTC, buyLeverage="5", sellLeverage="5")
    session.place_order(**BTC, side="Buy", orderType="Market", qty="0.05", orderLinkId="kept", stopLoss="1000")
    for step in range(30):
        exchange.advance(step)
    before = _state(exchange)
    assert any(row["execType"] == "Funding" for row in before["executions"]["list"])
    exchange.kill()
    exchange.start()
    assert _state(exchange) == before
    try:
        exchange.http("TREND-1").place_order(**BTC, side="Buy", orderType="Market", qty="0.05", orderLinkId="kept")
        raise AssertionError("The link id was accepted twice.")
    except InvalidRequestError as error:
        assert error.status_code == 110072


def test_a_repeated_advance_after_a_lost_answer_moves_nothing(fresh: Start) -> None:
    exchange = fresh()
    first = exchange.advance(0)
    exchange.kill()
    exchange.start()
    again = exchange.advance(0)
    assert (first["advanced"], again["advanced"]) == (True, False)
    assert (again["step"], again["market_time"]) == (first["step"], first["market_time"])
    assert exchange.advance(1)["step"] == 2


def test_killed_in_a_burst_every_answered_order_is_there(fresh: Start) -> None:
    exchange = fresh("--no-rate-limits")
    answered: list[str] = []

    def burst() -> None:
        session = exchange.http("TREND-1", max_retries=1)
        for number in range(100_000):
            try:
                made = session.place_order(
                    **BTC,
                    side="Buy" if number % 2 else "Sell",
                    orderType="Market",
                    qty="0.001",
                    orderLinkId=f"b{number}",
                )
            except (requests.RequestException, ConnectionError):
                return
            answered.append(made["result"]["orderLinkId"])

    worker = threading.Thread(target=burst)
    worker.start()
    deadline = time.monotonic() + 30
    while len(answered) < 150 and time.monotonic() < deadline:
        time.sleep(0.01)
    exchange.kill()
    worker.join(30)
    assert len(answered) >= 150
    exchange.start()
    session = exchange.http("TREND-1")
    for client_order_id in answered[-20:] + answered[:5]:
        rows = session.get_order_history(category="linear", orderLinkId=client_order_id)["result"]["list"]
        assert [row["orderStatus"] for row in rows] == ["Filled"]
    assert len(list(exchange.folder.glob("inputs-*.jsonl"))) == 1


def test_one_folder_serves_one_process_and_one_market(fresh: Start) -> None:
    exchange = fresh()
    second = SimulatorProcess.__new__(SimulatorProcess)
    second.folder, second.options = exchange.folder, ()
    try:
        second.start()
        raise AssertionError("A second process took the folder.")
    except AssertionError as error:
        assert "did not say" in str(error)
    assert second.process.wait(10) == 2
    second.stop()
    exchange.kill()
    other = SimulatorProcess.__new__(SimulatorProcess)
    other.folder, other.options = exchange.folder, ()
    try:
        other.start("--seed", "8", "--from", "2024-01-01", "--to", "2024-02-01")
        raise AssertionError("The folder took another market.")
    except AssertionError as error:
        assert "did not say" in str(error)
    assert other.process.wait(10) == 2
    other.stop()
