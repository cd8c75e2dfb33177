"""Keys and JSON types of the exchange's answers against recorded payloads of Bybit (documentation examples)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from infra.simulator.api import ApiRequest, Exchange
from infra.simulator.market.path import HOUR_MS
from infra.simulator.market.synthetic import SyntheticMarket
from tests.shared import shared_path

START_MS = 1_704_067_200_000
BTC = {"category": "linear", "symbol": "BTCUSDT"}

FLEXIBLE = {"category": "FlexibleSaving"}
REST: dict[str, tuple[str, str, str | None, dict[str, Any]]] = {
    "market-time": ("GET", "/v5/market/time", None, {}),
    "market-instruments-info/docs-market-instrument-1-a": ("GET", "/v5/market/instruments-info", None, BTC),
    "market-instruments-info/docs-market-instrument-3": (
        "GET", "/v5/market/instruments-info", None, {"category": "spot"}),
    "market-kline": ("GET", "/v5/market/kline", None, {**BTC, "interval": "60"}),
    "market-mark-price-kline": ("GET", "/v5/market/mark-price-kline", None, {**BTC, "interval": "60"}),
    "market-index-price-kline": ("GET", "/v5/market/index-price-kline", None, {**BTC, "interval": "60"}),
    "market-tickers/docs-market-tickers-1": ("GET", "/v5/market/tickers", None, BTC),
    "market-tickers/docs-market-tickers-3": ("GET", "/v5/market/tickers", None, {"category": "spot"}),
    "market-orderbook": ("GET", "/v5/market/orderbook", None, BTC),
    "market-recent-trade": ("GET", "/v5/market/recent-trade", None, {"category": "spot", "symbol": "BTCUSDT"}),
    "market-funding-history": ("GET", "/v5/market/funding/history", None, BTC),
    "market-risk-limit": ("GET", "/v5/market/risk-limit", None, {"category": "linear"}),
    "market-insurance": ("GET", "/v5/market/insurance", None, {}),
    "market-price-limit": ("GET", "/v5/market/price-limit", None, BTC),
    "order-create": ("POST", "/v5/order/create", "TREND-2",
                     {**BTC, "side": "Buy", "orderType": "Market", "qty": "0.001"}),
    "order-cancel-all": ("POST", "/v5/order/cancel-all", "TREND-2", BTC),
    "order-create-batch": ("POST", "/v5/order/create-batch", "TREND-2", {"category": "linear", "request": [
        {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.001"}]}),
    "order-realtime": ("GET", "/v5/order/realtime", "TREND-1", BTC),
    "order-history": ("GET", "/v5/order/history", "TREND-1", {"category": "linear"}),
    "execution-list": ("GET", "/v5/execution/list", "TREND-1", {"category": "linear"}),
    "position-list": ("GET", "/v5/position/list", "TREND-1", BTC),
    "position-set-leverage": ("POST", "/v5/position/set-leverage", "TREND-2",
                              {**BTC, "buyLeverage": "3", "sellLeverage": "3"}),
    "position-closed-pnl": ("GET", "/v5/position/closed-pnl", "TREND-1", {"category": "linear"}),
    "account-wallet-balance": ("GET", "/v5/account/wallet-balance", "TREND-1", {"accountType": "UNIFIED"}),
    "account-withdrawal": ("GET", "/v5/account/withdrawal", "TREND-1", {"coinName": "USDT"}),
    "account-fee-rate": ("GET", "/v5/account/fee-rate", "TREND-1", BTC),
    "account-info": ("GET", "/v5/account/info", "TREND-1", {}),
    "account-transaction-log": ("GET", "/v5/account/transaction-log", "TREND-1", {}),
    "account-instruments-info/docs-account-instrument-1": ("GET", "/v5/account/instruments-info", "TREND-1", BTC),
    "account-instruments-info/docs-account-instrument-2": (
        "GET", "/v5/account/instruments-info", "TREND-1", {"category": "spot"}),
    "user-query-api": ("GET", "/v5/user/query-api", "MASTER", {}),
    "user-query-sub-members": ("GET", "/v5/user/query-sub-members", "MASTER", {}),
    "asset-transfer-query-universal-transfer-list": (
        "GET", "/v5/asset/transfer/query-universal-transfer-list", "MASTER", {}),
    "asset-transfer-query-account-coin-balance": (
        "GET", "/v5/asset/transfer/query-account-coin-balance", "MASTER", {"accountType": "UNIFIED", "coin": "USDT"}),
    "asset-coin-query-info": ("GET", "/v5/asset/coin/query-info", "MASTER", {"coin": "USDT"}),
    "asset-deposit-query-record": ("GET", "/v5/asset/deposit/query-record", "MASTER", {}),
    "earn-product": ("GET", "/v5/earn/product", None, FLEXIBLE),
    "earn-order": ("GET", "/v5/earn/order", "CORE-HODL", FLEXIBLE),
    "earn-position": ("GET", "/v5/earn/position", "CORE-HODL", FLEXIBLE),
    "earn-yield": ("GET", "/v5/earn/yield", "CORE-HODL", FLEXIBLE),
    "earn-hourly-yield": ("GET", "/v5/earn/hourly-yield", "CORE-HODL", FLEXIBLE),
    "earn-apr-history": ("GET", "/v5/earn/apr-history", None, FLEXIBLE | {"productId": "431"}),
}  # fmt: skip

STREAMS = {
    "ws-order": ("private", "order"),
    "ws-execution": ("private", "execution"),
    "ws-position": ("private", "position"),
    "ws-wallet": ("private", "wallet"),
    "ws-kline": ("linear", "kline.60.BTCUSDT"),
    "ws-tickers/docs-websocket-public-ticker-1-a": ("linear", "tickers.BTCUSDT"),
    "ws-tickers/docs-websocket-public-ticker-3": ("spot", "tickers.BTCUSDT"),
    "ws-orderbook/docs-websocket-public-orderbook-1": ("linear", "orderbook.50.BTCUSDT"),
    "ws-publicTrade": ("linear", "publicTrade.BTCUSDT"),
}

# Keys of an example that only its own case has, or that are about the exchange's own account of fees in MNT.
NOT_OURS = {
    "result.list[].cumFeeDetail.MNT",
    "data[].cumFeeDetail.MNT",
    "data[].extraFees[]",
    "data[].extraFees[].feeCoin",
    "data[].extraFees[].feeType",
    "data[].extraFees[].subFeeType",
    "data[].extraFees[].feeRate",
    "data[].extraFees[].fee",
    "result.list[].freezeDetails[]",
    "result.list[].freezeDetails[].amount",
    "result.list[].freezeDetails[].description",
    "result.availableWithdrawalMap.BTC",
    "result.availableWithdrawalMap.ETH",
    "result.availableWithdrawalMap.SOL",
    "result.availableWithdrawalMap.XRP",
}


@pytest.fixture(scope="module")
def played() -> tuple[Exchange, dict[tuple[str, str], dict[str, Any]]]:
    """An exchange on which everything has happened once, and the last frame of every topic."""
    exchange = Exchange(SyntheticMarket(7, START_MS, 4))
    uids = {one.name: one.uid for one in exchange.config.accounts}

    def post(path: str, account: str, **params: Any) -> None:
        answer = exchange.handle(ApiRequest("POST", path, params, uids[account]))
        assert answer["retCode"] == 0, answer

    frames = exchange.subscribe(["order", "execution", "position", "wallet"], account="TREND-1")
    for category in ("spot", "linear"):
        topics = ["tickers.BTCUSDT", "orderbook.50.BTCUSDT", "kline.60.BTCUSDT", "publicTrade.BTCUSDT"]
        frames += exchange.subscribe(topics, category=category)
    market = {**BTC, "orderType": "Market"}
    post("/v5/order/create", "TREND-1", **market, side="Buy", qty="0.02")
    post("/v5/order/create", "TREND-1", **market, side="Sell", qty="0.01", reduceOnly=True)
    post("/v5/order/create", "TREND-1", **market, side="Sell", qty="0.01", triggerPrice="1000", triggerDirection=2)
    post("/v5/order/create", "TREND-2", **market, side="Buy", qty="0.01", triggerPrice="1000", triggerDirection=2)
    exchange.deposit("MASTER", "USDT", Decimal(500))
    transfer = {"transferId": "x", "coin": "USDT", "amount": "1", "fromAccountType": "UNIFIED"}
    post("/v5/asset/transfer/universal-transfer", "MASTER", **transfer, toAccountType="UNIFIED",
         fromMemberId=uids["MASTER"], toMemberId=uids["TACTICAL"])  # fmt: skip
    exchange.deposit("CORE-HODL", "ETH", Decimal(2))
    post("/v5/earn/place-order", "CORE-HODL", **FLEXIBLE, orderType="Stake", accountType="UNIFIED", amount="1",
         coin="ETH", productId="431", orderLinkId="e1")  # fmt: skip
    frames += exchange.drain()
    while exchange.market_time < START_MS + 26 * HOUR_MS:
        frames += exchange.advance(exchange.step, None).frames
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for frame in frames:
        key = (frame.category, frame.frame["topic"])
        if frame.frame.get("type") != "delta":
            last[key] = frame.frame
    return exchange, last


def _paths(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    if isinstance(value, dict):
        yield at, "object"
        for key, one in value.items():
            yield from _paths(one, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        yield at, "array"
        for one in value:
            yield from _paths(one, f"{at}[]")
    else:
        yield at, kinds[type(value)]


def _compare(name: str, ours: dict[str, Any]) -> None:
    folder, _, file = name.partition("/")
    recorded = shared_path("bybit", "recorded")
    schema = json.loads((recorded / "SCHEMA.json").read_text())[folder]
    example_file = recorded / folder / f"{file}.json" if file else next((recorded / folder).glob("docs-*.json"))
    example = dict(_paths(json.loads(example_file.read_text())))
    paths = list(_paths(ours))
    missing = {path for path in example if path not in dict(paths)} - NOT_OURS
    # Which permissions a key has is its own affair: an empty list is of the right type.
    missing = {path for path in missing if not path.startswith("result.permissions.")}
    assert not missing, f"keys of {example_file.name} that are missing: {sorted(missing)}"
    wrong = {
        (path, kind, tuple(schema[path]))
        for path, kind in paths
        if path in schema and kind not in schema[path] and not (kind == "integer" and "number" in schema[path])
    }
    assert not wrong, f"types that differ from the recorded ones: {sorted(wrong)}"


@pytest.mark.parametrize("name", REST)
def test_answers_have_the_recorded_keys_and_types(
    name: str, played: tuple[Exchange, dict[tuple[str, str], dict[str, Any]]]
) -> None:
    exchange, _ = played
    method, path, account, params = REST[name]
    uid = next((one.uid for one in exchange.config.accounts if one.name == account), None)
    answer = exchange.handle(ApiRequest(method, path, params, uid))
    assert answer["retCode"] == 0
    _compare(name, answer)


@pytest.mark.parametrize("name", STREAMS)
def test_frames_have_the_recorded_keys_and_types(
    name: str, played: tuple[Exchange, dict[tuple[str, str], dict[str, Any]]]
) -> None:
    _, frames = played
    _compare(name, frames[STREAMS[name]])
