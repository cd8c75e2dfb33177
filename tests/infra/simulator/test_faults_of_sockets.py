"""Faults of requests strike orders by WebSocket as those by REST; a price gap shows in bars of minutes too."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType
from aiohttp.test_utils import TestClient, TestServer

from infra.simulator.api import ApiRequest, Exchange
from infra.simulator.config import SimConfig
from infra.simulator.credentials import Credentials, load_or_create
from infra.simulator.disk.durable import DurableExchange
from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.synthetic import SyntheticMarket
from infra.simulator.server import make_app
from tests.infra.simulator.venue.world import WAVE, TinyMarket

ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.001"}
START_MS = 1_704_067_200_000


async def _order(client: TestClient[Any, Any], keys: Credentials, link: str) -> dict[str, Any] | None:
    """The answer to one order by WebSocket; None when the connection ended instead."""
    key = next(one for one in keys.keys.values() if one.account == "TREND-1")
    now_ms = time.time_ns() // 1_000_000
    sign = hmac.new(key.secret.encode(), f"GET/realtime{now_ms + 9_000}".encode(), hashlib.sha256).hexdigest()
    async with client.ws_connect("/v5/trade") as socket:
        await socket.send_json({"op": "auth", "args": [key.key, now_ms + 9_000, sign]})
        assert (await socket.receive_json())["retCode"] == 0
        header = {"X-BAPI-TIMESTAMP": str(now_ms)}
        await socket.send_json({"op": "order.create", "header": header, "args": [{**ORDER, "orderLinkId": link}]})
        message = await socket.receive(10)
        return None if message.type is not WSMsgType.TEXT else dict(message.json())


@pytest.mark.parametrize(
    ("fault", "code", "orders"),
    [
        ({"kind": "lost-answer"}, None, 1),
        ({"kind": "lost-request"}, None, 0),
        ({"kind": "http-error"}, None, 0),
        ({"kind": "server-error", "effect": "after"}, 10016, 1),
        ({"kind": "refusal", "code": 110007}, 110007, 0),
        ({"kind": "latency", "delay_ms": 5}, 0, 1),
    ],
)
def test_a_fault_strikes_an_order_by_websocket(
    tmp_path: Path, fault: dict[str, Any], code: int | None, orders: int
) -> None:
    keys = load_or_create(tmp_path)
    durable = DurableExchange(tmp_path, TinyMarket(WAVE), SimConfig(), keys)

    async def talk() -> None:
        async with TestClient(TestServer(make_app(durable, keys, SimConfig()))) as client:
            token = {"X-Sim-Token": keys.sim_token}
            injected = await client.post("/sim/faults", json={"fault": fault}, headers=token)
            assert injected.status < 300, await injected.text()
            answer = await _order(client, keys, "first")
            assert (answer["retCode"] if answer else None) == code

    asyncio.run(talk())
    assert len(durable.exchange.venue.accounts["TREND-1"].orders) == orders


def test_a_price_gap_shows_in_the_parts_of_an_hour_in_which_no_price_was_made() -> None:
    exchange = Exchange(SyntheticMarket(7, START_MS, 2))
    while exchange.market_time < START_MS + DAY_MS:
        exchange.advance(exchange.step, None)
    gap = {"kind": "price-gap", "symbol": "BTCUSDT", "change": "-0.2"}
    exchange.intervene({"what": "begin", "id": "1", "fault": gap})
    while exchange.market_time < START_MS + DAY_MS + 2 * HOUR_MS:
        exchange.advance(exchange.step, None)

    def bars(interval: str) -> list[list[str]]:
        params = {"category": "linear", "symbol": "BTCUSDT", "interval": interval,
                  "start": START_MS + DAY_MS + HOUR_MS, "end": START_MS + DAY_MS + 2 * HOUR_MS - 1}  # fmt: skip
        rows: list[list[str]] = exchange.handle(ApiRequest("GET", "/v5/market/kline", params))["result"]["list"]
        return rows

    (hour,) = bars("60")
    minutes = bars("5")
    assert len(minutes) == 12
    assert min(Decimal(row[3]) for row in minutes) == Decimal(hour[3])
    assert max(Decimal(row[2]) for row in minutes) == Decimal(hour[2])
