"""Faults of streams act as named on a plain WebSocket client, and end when they are cleared."""

from __future__ import annotations

import json
from typing import Any

import pytest
import websocket

from tests.conformance.faulty import Stream, advance, injected
from tests.conformance.process import SimulatorProcess

BTC = {"category": "linear", "symbol": "BTCUSDT"}


@pytest.mark.parametrize(
    ("kind", "fields", "topics"),
    [
        ("doubled-messages", {"topic": "execution"}, ["execution", "execution", "order"]),
        ("missing-messages", {"topic": "exec*"}, ["order"]),
        ("reordered-messages", {"count": 1}, ["order", "execution"]),
        ("missing-messages", {"account": "TREND-1"}, ["execution", "order"]),
    ],
)
def test_messages_come_as_named(
    simulator: SimulatorProcess, kind: str, fields: dict[str, Any], topics: list[str]
) -> None:
    stream = Stream(simulator, "TREND-2")
    session = simulator.http("TREND-2")
    with injected(simulator, kind, **fields):
        session.place_order(**BTC, side="Buy", orderType="Market", qty="0.001")
        assert stream.taken() == topics
    session.place_order(**BTC, side="Sell", orderType="Market", qty="0.001", reduceOnly=True)
    assert stream.taken() == ["execution", "order"]
    stream.socket.close()


def test_late_messages_come_when_exchange_time_has_passed(simulator: SimulatorProcess) -> None:
    stream = Stream(simulator, "TREND-2")
    with injected(simulator, "late-messages", topic="execution", delay_ms=2_000):
        simulator.http("TREND-2").place_order(**BTC, side="Buy", orderType="Market", qty="0.001")
        assert stream.taken() == ["order"]
        now_ms = simulator.control("GET", "/sim/status")["market_time"]
        assert advance(simulator) <= now_ms + 2_000, "time stops where something is due"
        while advance(simulator) <= now_ms + 2_000:
            pass
        assert stream.taken() == ["execution"]
    stream.socket.close()


def test_streams_break_and_are_refused(simulator: SimulatorProcess) -> None:
    broken, other = Stream(simulator, "TREND-2"), Stream(simulator, "TACTICAL")
    simulator.control("POST", "/sim/faults", {"fault": {"kind": "disconnect", "account": "TREND-2"}})
    assert broken.is_broken() and other.taken() == []
    Stream(simulator, "TREND-2").socket.close()
    with injected(simulator, "stream-outage", channel="private"):
        assert other.is_broken()
        with pytest.raises(websocket.WebSocketBadStatusException, match="503"):
            Stream(simulator, "TREND-2")
        public = websocket.create_connection(simulator.url.replace("http", "ws") + "/v5/public/linear", timeout=5)
        public.close()
    assert simulator.control("DELETE", "/sim/faults") == {"cleared": []}
    Stream(simulator, "TREND-2").socket.close()


def test_pings_stay_without_a_pong(simulator: SimulatorProcess) -> None:
    stream = Stream(simulator, "TREND-2")
    stream.socket.settimeout(0.5)
    with injected(simulator, "no-pong"), pytest.raises(websocket.WebSocketTimeoutException):
        stream.taken()
    stream.socket.settimeout(5)
    assert stream.taken() == []
    stream.socket.close()


@pytest.mark.parametrize(
    ("kind", "topics"), [("stale-market-data", set()), ("frozen-book", {"tickers"}), (None, {"tickers", "orderbook"})]
)
def test_market_data_stand_still_on_a_living_connection(
    simulator: SimulatorProcess, kind: str | None, topics: set[str]
) -> None:
    frames: list[str] = []
    socket = websocket.create_connection(simulator.url.replace("http", "ws") + "/v5/public/linear", timeout=5)
    socket.send(json.dumps({"op": "subscribe", "args": ["tickers.BTCUSDT", "orderbook.1.BTCUSDT"]}))
    first = [json.loads(socket.recv()) for _ in range(3)]
    assert [one.get("topic") for one in first[1:]] == ["tickers.BTCUSDT", "orderbook.1.BTCUSDT"]

    def moved() -> None:
        advance(simulator)
        while simulator.control("GET", "/sim/status")["market_time"] % 3_600_000:
            advance(simulator)
        advance(simulator)
        socket.send(json.dumps({"op": "ping"}))
        while (body := json.loads(socket.recv())).get("op") != "ping":
            frames.append(body["topic"].partition(".")[0])

    if kind is None:
        moved()
    else:
        with injected(simulator, kind):
            moved()
    assert set(frames) == topics
    socket.close()
