"""Orders by WebSocket pass the same gate as by REST: one quota, one key, and the frame that the documentation shows."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from infra.simulator.api import ApiRequest
from infra.simulator.api.keys import ApiKey
from infra.simulator.config import SimConfig
from infra.simulator.credentials import Credentials, load_or_create
from infra.simulator.disk.durable import DurableExchange
from infra.simulator.server import make_app
from tests.infra.simulator.venue.world import WAVE, TinyMarket

ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.001"}
FRAME = {"reqId", "retCode", "retMsg", "op", "data", "retExtInfo", "header", "connId"}
HEADER = {"X-Bapi-Limit", "X-Bapi-Limit-Status", "X-Bapi-Limit-Reset-Timestamp", "Traceid", "Timenow"}
Client = TestClient[Any, Any]


def _run(folder: Path, script: Callable[[Client, DurableExchange, Credentials], Awaitable[None]]) -> None:
    keys = load_or_create(folder)
    durable = DurableExchange(folder, TinyMarket(WAVE), SimConfig(), keys)

    async def run() -> None:
        async with TestClient(TestServer(make_app(durable, keys, SimConfig()))) as client:
            await script(client, durable, keys)

    asyncio.run(run())


def _key(keys: Credentials, account: str) -> ApiKey:
    return next(one for one in keys.keys.values() if one.account == account)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _socket(client: Client, key: ApiKey) -> Any:
    socket = await client.ws_connect("/v5/trade")
    expires = _now_ms() + 9_000
    sign = hmac.new(key.secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
    await socket.send_json({"op": "auth", "args": [key.key, expires, sign]})
    assert (await socket.receive_json())["retCode"] == 0
    return socket


async def _order(socket: Any, request_id: str, op: str = "order.create", **params: Any) -> dict[str, Any]:
    header = {"X-BAPI-TIMESTAMP": str(_now_ms()), "Referer": "somebody"}
    await socket.send_json({"reqId": request_id, "header": header, "op": op, "args": [params]})
    answer: dict[str, Any] = await socket.receive_json()
    return answer


async def _rest(client: Client, key: ApiKey) -> dict[str, Any]:
    body, stamp = json.dumps(ORDER), str(_now_ms())
    sign = hmac.new(key.secret.encode(), f"{stamp}{key.key}5000{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"X-BAPI-API-KEY": key.key, "X-BAPI-TIMESTAMP": stamp, "X-BAPI-SIGN": sign}
    answer: dict[str, Any] = await (await client.post("/v5/order/create", data=body, headers=headers)).json()
    return answer


def test_both_ways_count_against_one_quota(tmp_path: Path) -> None:
    """Ten a second by REST and by the socket together; what is refused carries the time at which it is free again."""

    async def script(client: Client, durable: DurableExchange, keys: Credentials) -> None:
        key = _key(keys, "TREND-1")
        socket = await _socket(client, key)
        codes = [(await _rest(client, key))["retCode"] for _ in range(5)]
        answers = [await _order(socket, str(number), **ORDER) for number in range(6)]
        codes += [answer["retCode"] for answer in answers]
        assert codes == [0] * 10 + [10006]
        for answer in answers:
            assert set(answer) == FRAME and set(answer["header"]) == HEADER
            assert all(isinstance(value, str) for value in answer["header"].values())
        header = answers[-1]["header"]
        assert int(header["X-Bapi-Limit-Reset-Timestamp"]) > int(header["Timenow"]) and header["X-Bapi-Limit"] == "10"
        assert len(durable.exchange.venue.accounts["TREND-1"].orders) == 10
        other = await _socket(client, _key(keys, "TREND-2"))
        assert (await _order(other, "1", **ORDER))["retCode"] == 0, "each account has its own"

    _run(tmp_path, script)


def test_a_batch_beyond_the_quota_is_done_up_to_it(tmp_path: Path) -> None:
    async def script(client: Client, durable: DurableExchange, keys: Credentials) -> None:
        socket = await _socket(client, _key(keys, "TREND-1"))
        leg = {name: value for name, value in ORDER.items() if name != "category"}
        answer = await _order(socket, "1", "order.create-batch", category="linear", request=[leg] * 12)
        assert [one["code"] for one in answer["retExtInfo"]["list"]] == [0] * 10 + [10006] * 2
        assert len(answer["data"]["list"]) == 12 and answer["data"]["list"][0]["createAt"]

    _run(tmp_path, script)


def test_a_key_that_ends_while_its_socket_is_open_is_refused(tmp_path: Path) -> None:
    async def script(client: Client, durable: DurableExchange, keys: Credentials) -> None:
        master = _key(keys, "MASTER")

        def manage(path: str, **params: Any) -> dict[str, Any]:
            answer = durable.handle(ApiRequest("POST", path, params, master.uid, master))
            assert answer["retCode"] == 0, answer
            result: dict[str, Any] = answer["result"]
            return result

        uid = int(manage("/v5/user/create-sub-member", username="robot001", memberType=1)["uid"])
        rights = {"ContractTrade": ["Order", "Position"]}
        made = manage("/v5/user/create-sub-api", subuid=uid, readOnly=0, permissions=rights)
        socket = await _socket(client, durable.exchange.keys.issued[made["apiKey"]])
        assert (await _order(socket, "1", **ORDER))["retCode"] == 110007, "it is accepted, but has no money"
        manage("/v5/user/frozen-sub-member", subuid=uid, frozen=1)
        assert (await _order(socket, "2", **ORDER))["retCode"] == 10008
        manage("/v5/user/frozen-sub-member", subuid=uid, frozen=0)
        manage("/v5/user/delete-sub-api", apikey=made["apiKey"])
        assert (await _order(socket, "3", **ORDER))["retCode"] == 10003

    _run(tmp_path, script)


def test_odd_messages_get_an_answer_and_the_socket_lives(tmp_path: Path) -> None:
    async def script(client: Client, durable: DurableExchange, keys: Credentials) -> None:
        socket = await _socket(client, _key(keys, "TREND-1"))
        odd = [
            "", "[]", "null", '{"op": 7}', '{"op": "order.create"}', "[" * 5_000, json.dumps({"op": "x" * 400}),
            '{"op": "order.create", "reqId": {}}', '{"op": "order.create", "header": [], "args": {}}',
            '{"op": "order.create", "args": [{"ignored": NaN}]}',
            '{"op": "order.create", "args": [{"qty": 1e999}]}', json.dumps({"op": "order.create", "args": [10**40]}),
        ]  # fmt: skip
        for message in odd:
            await socket.send_str(message)
            answer = await socket.receive_json()
            assert answer.get("success") is False or answer["retCode"] == 10001, (message[:60], answer)
        assert (await _order(socket, "1", **ORDER))["retCode"] == 0

    _run(tmp_path, script)
