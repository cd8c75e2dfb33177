"""Sub-accounts, their keys, withdrawals and protection survive a restart, and no secret is written down."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from infra.simulator.api import ApiRequest
from infra.simulator.api.keys import DAY_MS, UNBOUND_DAYS, ApiKey
from infra.simulator.config import SimConfig
from infra.simulator.credentials import Credentials, load_or_create
from infra.simulator.disk.durable import DurableExchange
from infra.simulator.server import make_app
from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.surroundings.custody import CONFIRMED_AFTER_MS
from tests.infra.simulator.venue.world import WAVE, TinyMarket, World

CONFIG = SimConfig(dcp=True, rate_limits=False)
BTC = {"category": "linear", "symbol": "BTCUSDT"}


def _open(folder: Path, every: int = 5_000) -> tuple[DurableExchange, Credentials]:
    keys = load_or_create(folder)
    return DurableExchange(folder, TinyMarket(WAVE), CONFIG, keys, snapshot_every=every), keys


def _key(keys: Credentials, account: str, number: int = 0) -> ApiKey:
    return next(
        one for one in keys.keys.values() if (one.account, one.number, one.read_only) == (account, number, False)
    )


def _post(durable: DurableExchange, key: ApiKey, path: str, **params: Any) -> dict[str, Any]:
    answer = durable.handle(ApiRequest("POST", path, params, key.uid, key))
    assert answer["retCode"] == 0, answer
    result: dict[str, Any] = answer["result"]
    return result


@pytest.mark.parametrize("every", [1, 5_000])
def test_a_sub_account_and_its_key_are_there_after_a_restart_and_no_secret_is_on_the_disk(
    tmp_path: Path, every: int
) -> None:
    durable, keys = _open(tmp_path, every)
    master = _key(keys, "MASTER")
    made = _post(durable, master, "/v5/user/create-sub-member", username="robot001", memberType=1, password="Pass-w0rd")
    rights = {"ContractTrade": ["Order", "Position"]}
    issued = _post(durable, master, "/v5/user/create-sub-api", subuid=int(made["uid"]), readOnly=0, permissions=rights)
    durable.deposit("robot001", "USDT", durable.exchange.config.default_leverage * 1000)
    durable.keep_snapshots()
    key = durable.exchange.keys.issued[issued["apiKey"]]
    assert key.secret == issued["secret"] and key.secret not in repr(key)
    order = {**BTC, "side": "Buy", "orderType": "Market", "qty": "0.001"}
    _post(durable, key, "/v5/order/create", **order, orderLinkId="first")
    state = durable.exchange.dump()
    durable.close()
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name != "keys.json")
    assert b"Pass-w0rd" not in files and issued["secret"].encode() not in files
    again, _ = _open(tmp_path, every)
    assert again.exchange.dump() == state
    assert again.exchange.keys.issued[issued["apiKey"]] == key
    _post(again, key, "/v5/order/create", **order, orderLinkId="second")
    again.close()


def test_a_key_ends_is_bound_to_its_addresses_and_rests_with_its_account() -> None:
    made = World(WAVE)
    venue, ring = made.exchange.venue, made.exchange.keys
    uid = int(made.post("/v5/user/create-sub-member", "MASTER", username="robot001", memberType=1)["uid"])
    rights = {"Spot": ["SpotTrade"]}
    made.uids["robot001"] = uid

    def issue(ips: str) -> ApiKey:
        answer = made.post("/v5/user/create-sub-api", "MASTER", subuid=uid, readOnly=0, ips=ips, permissions=rights)
        return ring.issued[answer["apiKey"]]

    bound, unbound = issue("10.0.0.1,10.0.0.2"), issue("*")
    ring.check_usable(venue, bound, "10.0.0.2")
    with pytest.raises(VenueError, match="10010"):
        ring.check_usable(venue, bound, "127.0.0.1")
    ring.check_usable(venue, unbound, "127.0.0.1")
    venue.now_ms += UNBOUND_DAYS * DAY_MS
    with pytest.raises(VenueError, match="33004"):
        ring.check_usable(venue, unbound, "127.0.0.1")
    ring.check_usable(venue, bound, "10.0.0.1")
    made.post("/v5/user/frozen-sub-member", "MASTER", subuid=uid, frozen=1)
    with pytest.raises(VenueError, match="10008"):
        ring.check_usable(venue, bound, "10.0.0.1")
    for ips in ("", "a" * 60, ["10.0.0.1", 7]):
        answer = made.call("POST", "/v5/user/create-sub-api", "MASTER", subuid=uid, readOnly=0, ips=ips or " ,",
                           permissions=rights)  # fmt: skip
        assert answer["retCode"] == 10001
    assert made.refused("/v5/user/create-sub-api", "MASTER", subuid=uid, readOnly=0, permissions={"Wallet": ["All"]})


def test_a_withdrawal_leaves_after_a_while_and_not_while_the_coin_is_suspended(tmp_path: Path) -> None:
    durable, keys = _open(tmp_path)
    owner, venue = _key(keys, "MASTER", -1), durable.exchange.venue
    durable.deposit("MASTER", "USDT", durable.exchange.config.default_leverage * 100)
    ask = {"coin": "USDT", "chain": "SIM", "address": f"sim-outside-usdt-{owner.uid}", "timestamp": 1}
    made = _post(durable, owner, "/v5/asset/withdraw/create", **ask, amount="100", accountType="UTA", feeType=1)

    def records() -> list[dict[str, Any]]:
        answer = durable.handle(ApiRequest("GET", "/v5/asset/withdraw/query-record", {}, owner.uid, owner))
        rows: list[dict[str, Any]] = answer["result"]["rows"]
        return rows

    (row,) = records()
    assert (row["status"], row["amount"], row["withdrawFee"], row["txID"]) == ("Pending", "99", "1", "")
    assert venue.accounts["MASTER"].balance("USDT") == 900
    assert venue.accounts["MASTER"].log[-1].data["type"] == "TRANSFER_OUT"
    state = durable.exchange.dump()
    durable.close()
    durable, keys = _open(tmp_path)
    assert durable.exchange.dump() == state
    durable.exchange.venue.now_ms += CONFIRMED_AFTER_MS
    (row,) = records()
    assert row["status"] == "success" and row["txID"] == f"sim-w{made['id']}"
    assert _post(durable, owner, "/v5/asset/withdraw/cancel", id=made["id"]) == {"status": 0}
    durable.intervene({"what": "begin", "id": "1", "fault": {"kind": "withdrawal-suspension", "coin": "USDT"}})
    request = ApiRequest("POST", "/v5/asset/withdraw/create", {**ask, "amount": "20", "accountType": "UTA"}, owner.uid,
                         owner)  # fmt: skip
    assert durable.handle(request)["retCode"] == 131097
    info = durable.handle(ApiRequest("GET", "/v5/asset/coin/query-info", {"coin": "USDT"}, owner.uid, owner))
    (chain,) = info["result"]["rows"][0]["chains"]
    assert (chain["chainWithdraw"], chain["chainDeposit"]) == ("0", "1")
    durable.close()


def test_orders_whose_guard_is_gone_are_cancelled_by_the_exchange(tmp_path: Path) -> None:
    """DCP: the connection that subscribed ``dcp.future`` ends; after the window the derivative orders are cancelled,
    spot orders stay, and the log replays it. A second connection that guards them keeps them."""
    durable, keys = _open(tmp_path)
    trader = _key(keys, "TREND-1")
    order = {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "39900"}
    _post(durable, trader, "/v5/order/disconnected-cancel-all", product="DERIVATIVES", timeWindow=3)
    durable.exchange.venue.registry.dcp_s["TREND-1"]["DERIVATIVES"] = 0  # not a window that Bybit allows, but soon over
    for category in ("linear", "spot"):
        _post(durable, trader, "/v5/order/create", category=category, symbol="BTCUSDT", **order)
    account = durable.exchange.venue.accounts["TREND-1"]

    async def guarded(client: TestClient[Any, Any]) -> Any:
        socket = await client.ws_connect("/v5/private")
        expires = time.time_ns() // 1_000_000 + 10_000
        sign = hmac.new(trader.secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
        for message in ({"op": "auth", "args": [trader.key, expires, sign]},
                        {"op": "subscribe", "args": ["dcp.future"]}):  # fmt: skip
            await socket.send_json(message)
            assert (await socket.receive_json())["success"]
        return socket

    async def talk() -> None:
        async with TestClient(TestServer(make_app(durable, keys, CONFIG))) as client:
            first, second = await guarded(client), await guarded(client)
            await first.close()
            await asyncio.sleep(0)
            assert len(account.open) == 2, "the second connection guards them"
            await second.close()
            async with asyncio.timeout(10):
                while len(account.open) == 2:
                    await asyncio.sleep(0.01)

    asyncio.run(talk())
    (left,) = account.open.values()
    assert left.category == "spot"
    gone = next(one for one in account.orders.values() if one.category == "linear")
    assert (gone.status, gone.cancel_type) == ("Cancelled", "CancelByDCP")
    log = [json.loads(line) for path in tmp_path.glob("inputs-*.jsonl") for line in path.read_text().splitlines()]
    assert ["dcp", "TREND-1", "DERIVATIVES"] in log


def test_protection_is_refused_where_it_is_not_enabled() -> None:
    made = World()
    assert made.refused("/v5/order/disconnected-cancel-all", "TREND-1", product="SPOT", timeWindow=10) == 10005
    enabled = World(config=CONFIG)
    for window in (2, 301, "x"):
        code = enabled.refused("/v5/order/disconnected-cancel-all", "TREND-1", product="SPOT", timeWindow=window)
        assert code == 10001
