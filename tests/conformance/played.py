"""An exchange in-process on which everything has happened once, with every answer and frame it gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from infra.simulator.api import ApiRequest, Exchange
from infra.simulator.api.keys import WITHDRAW, ApiKey
from infra.simulator.config import SimConfig
from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.synthetic import SyntheticMarket

START_MS = 1_704_067_200_000
BTC = {"category": "linear", "symbol": "BTCUSDT"}
SPOT = {"category": "spot", "symbol": "BTCUSDT"}
FLEXIBLE = {"category": "FlexibleSaving"}
BARS = {**BTC, "interval": "60"}
FIRST_SUB = 24_000_006
"""UID of the first sub-account that is made by request."""

PERMISSIONS = {
    "ContractTrade": ["Order", "Position"], "Spot": ["SpotTrade"], "Derivatives": ["DerivativesTrade"],
    "Options": ["OptionsTrade"], "Exchange": ["ExchangeHistory"],
    "Wallet": ["AccountTransfer", "SubMemberTransferList"],
}  # fmt: skip

Call = tuple[str, str, str | None, dict[str, Any]]

REST: dict[str, Call] = {
    "market-time": ("GET", "/v5/market/time", None, {}),
    "market-instruments-info/docs-market-instrument-1-a": ("GET", "/v5/market/instruments-info", None, BTC),
    "market-instruments-info/docs-market-instrument-3": (
        "GET", "/v5/market/instruments-info", None, {"category": "spot"}),
    "market-kline": ("GET", "/v5/market/kline", None, BARS),
    "market-mark-price-kline": ("GET", "/v5/market/mark-price-kline", None, BARS),
    "market-index-price-kline": ("GET", "/v5/market/index-price-kline", None, BARS),
    "market-premium-index-price-kline": ("GET", "/v5/market/premium-index-price-kline", None, BARS),
    "market-tickers/docs-market-tickers-1": ("GET", "/v5/market/tickers", None, BTC),
    "market-tickers/docs-market-tickers-3": ("GET", "/v5/market/tickers", None, {"category": "spot"}),
    "market-orderbook": ("GET", "/v5/market/orderbook", None, BTC),
    "market-recent-trade": ("GET", "/v5/market/recent-trade", None, SPOT),
    "market-funding-history": ("GET", "/v5/market/funding/history", None, BTC),
    "market-open-interest": ("GET", "/v5/market/open-interest", None, {**BTC, "intervalTime": "1h"}),
    "market-risk-limit": ("GET", "/v5/market/risk-limit", None, {"category": "linear"}),
    "market-insurance": ("GET", "/v5/market/insurance", None, {}),
    "market-price-limit": ("GET", "/v5/market/price-limit", None, BTC),
    "announcements-index": ("GET", "/v5/announcements/index", None, {"locale": "en-US"}),
    "system-status": ("GET", "/v5/system/status", None, {}),
    "order-create": ("POST", "/v5/order/create", "TREND-2",
                     {**BTC, "side": "Buy", "orderType": "Market", "qty": "0.001"}),
    "order-cancel-all": ("POST", "/v5/order/cancel-all", "TREND-2", BTC),
    "order-create-batch": ("POST", "/v5/order/create-batch", "TREND-2", {"category": "linear", "request": [
        {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.001"}]}),
    "order-pre-check": ("POST", "/v5/order/pre-check", "TREND-2",
                        {**BTC, "side": "Buy", "orderType": "Market", "qty": "0.001"}),
    "order-disconnected-cancel-all": ("POST", "/v5/order/disconnected-cancel-all", "TREND-2",
                                      {"product": "DERIVATIVES", "timeWindow": 40}),
    "order-realtime": ("GET", "/v5/order/realtime", "TREND-1", BTC),
    "order-history": ("GET", "/v5/order/history", "TREND-1", {"category": "linear"}),
    "execution-list": ("GET", "/v5/execution/list", "TREND-1", {"category": "linear"}),
    "position-list": ("GET", "/v5/position/list", "TREND-1", BTC),
    "position-set-leverage": ("POST", "/v5/position/set-leverage", "TREND-2",
                              {**BTC, "buyLeverage": "3", "sellLeverage": "3"}),
    "position-trading-stop": ("POST", "/v5/position/trading-stop", "TREND-2",
                              {**BTC, "tpslMode": "Full", "positionIdx": 0, "stopLoss": "1000"}),
    "position-switch-mode": ("POST", "/v5/position/switch-mode", "TREND-2", {**BTC, "mode": 0}),
    "position-closed-pnl": ("GET", "/v5/position/closed-pnl", "TREND-1", {"category": "linear"}),
    "account-wallet-balance": ("GET", "/v5/account/wallet-balance", "TREND-1", {"accountType": "UNIFIED"}),
    "account-withdrawal": ("GET", "/v5/account/withdrawal", "TREND-1", {"coinName": "USDT"}),
    "account-fee-rate": ("GET", "/v5/account/fee-rate", "TREND-1", SPOT),
    "account-info": ("GET", "/v5/account/info", "TREND-1", {}),
    "account-transaction-log": ("GET", "/v5/account/transaction-log", "TREND-1", {}),
    "account-instruments-info/docs-account-instrument-1": ("GET", "/v5/account/instruments-info", "TREND-1", BTC),
    "account-instruments-info/docs-account-instrument-2": (
        "GET", "/v5/account/instruments-info", "TREND-1", {"category": "spot"}),
    "account-set-margin-mode": ("POST", "/v5/account/set-margin-mode", "TREND-1",
                                {"setMarginMode": "REGULAR_MARGIN"}),
    "account-set-hedging-mode": ("POST", "/v5/account/set-hedging-mode", "TREND-1", {"setHedgingMode": "OFF"}),
    "account-smp-group": ("GET", "/v5/account/smp-group", "TREND-1", {}),
    "account-query-dcp-info": ("GET", "/v5/account/query-dcp-info", "TREND-1", {}),
    "user-query-api": ("GET", "/v5/user/query-api", "MASTER", {}),
    "user-query-sub-members": ("GET", "/v5/user/query-sub-members", "MASTER", {}),
    "user-submembers": ("GET", "/v5/user/submembers", "MASTER", {"pageSize": "2"}),
    "user-sub-apikeys": ("GET", "/v5/user/sub-apikeys", "MASTER", {"subMemberId": str(FIRST_SUB)}),
    "user-get-member-type": ("GET", "/v5/user/get-member-type", "MASTER", {"memberIds": str(FIRST_SUB)}),
    "user-create-sub-member": ("POST", "/v5/user/create-sub-member", "MASTER",
                               {"username": "second02", "memberType": 1, "note": "test"}),
    "user-create-sub-api": ("POST", "/v5/user/create-sub-api", "MASTER",
                            {"subuid": FIRST_SUB, "readOnly": 0, "permissions": {"Spot": ["SpotTrade"]}}),
    "asset-transfer-inter-transfer": ("POST", "/v5/asset/transfer/inter-transfer", "MASTER", {
        "transferId": "inter-2", "coin": "USDT", "amount": "1", "fromAccountType": "UNIFIED",
        "toAccountType": "FUND"}),
    "asset-transfer-query-inter-transfer-list": (
        "GET", "/v5/asset/transfer/query-inter-transfer-list", "MASTER", {}),
    "asset-transfer-universal-transfer": ("POST", "/v5/asset/transfer/universal-transfer", "MASTER", {
        "transferId": "universal-2", "coin": "USDT", "amount": "1", "fromAccountType": "UNIFIED",
        "toAccountType": "FUND", "fromMemberId": 24_000_000, "toMemberId": FIRST_SUB}),
    "asset-transfer-query-universal-transfer-list": (
        "GET", "/v5/asset/transfer/query-universal-transfer-list", "MASTER", {}),
    "asset-transfer-query-transfer-coin-list": ("GET", "/v5/asset/transfer/query-transfer-coin-list", "MASTER", {
        "fromAccountType": "UNIFIED", "toAccountType": "FUND"}),
    "asset-transfer-query-sub-member-list": ("GET", "/v5/asset/transfer/query-sub-member-list", "MASTER", {}),
    "asset-transfer-query-account-coin-balance": (
        "GET", "/v5/asset/transfer/query-account-coin-balance", "MASTER", {"accountType": "UNIFIED", "coin": "USDT"}),
    "asset-transfer-query-account-coins-balance": (
        "GET", "/v5/asset/transfer/query-account-coins-balance", "MASTER",
        {"accountType": "UNIFIED", "coin": "USDT"}),
    "asset-coin-query-info": ("GET", "/v5/asset/coin/query-info", "MASTER", {"coin": "USDT"}),
    "earn-product": ("GET", "/v5/earn/product", None, FLEXIBLE),
    "earn-order": ("GET", "/v5/earn/order", "CORE-HODL", FLEXIBLE),
    "earn-position": ("GET", "/v5/earn/position", "CORE-HODL", FLEXIBLE),
    "earn-yield": ("GET", "/v5/earn/yield", "CORE-HODL", FLEXIBLE),
    "earn-hourly-yield": ("GET", "/v5/earn/hourly-yield", "CORE-HODL", FLEXIBLE),
    "earn-apr-history": ("GET", "/v5/earn/apr-history", None, FLEXIBLE | {"productId": "431"}),
    "asset-deposit-query-record": ("GET", "/v5/asset/deposit/query-record", "MASTER", {}),
    "asset-deposit-query-sub-member-record": (
        "GET", "/v5/asset/deposit/query-sub-member-record", "MASTER", {"subMemberId": str(FIRST_SUB)}),
    "asset-deposit-query-address": ("GET", "/v5/asset/deposit/query-address", "MASTER", {"coin": "USDT"}),
    "asset-withdraw-withdrawable-amount": (
        "GET", "/v5/asset/withdraw/withdrawable-amount", "MASTER", {"coin": "USDT"}),
    "asset-withdraw-query-record": ("GET", "/v5/asset/withdraw/query-record", "MASTER", {}),
    "asset-withdraw-query-address": ("GET", "/v5/asset/withdraw/query-address", "MASTER", {"coin": "USDT"}),
}  # fmt: skip
"""A request for every endpoint, by the name of its folder of recorded payloads (and file, where there are several)."""

STREAMS = {
    "ws-order": ("private", "order"),
    "ws-execution": ("private", "execution"),
    "ws-execution-fast": ("private", "execution.fast"),
    "ws-position": ("private", "position"),
    "ws-wallet": ("private", "wallet"),
    "ws-kline": ("linear", "kline.60.BTCUSDT"),
    "ws-tickers/docs-websocket-public-ticker-1-a": ("linear", "tickers.BTCUSDT"),
    "ws-tickers/docs-websocket-public-ticker-3": ("spot", "tickers.BTCUSDT"),
    "ws-orderbook/docs-websocket-public-orderbook-1": ("linear", "orderbook.50.BTCUSDT"),
    "ws-publicTrade": ("linear", "publicTrade.BTCUSDT"),
    "ws-allLiquidation": ("linear", "allLiquidation.BTCUSDT"),
    "ws-insurance": ("linear", "insurance.USDT"),
    "ws-priceLimit": ("linear", "priceLimit.BTCUSDT"),
    "ws-adlAlert": ("linear", "adlAlert.USDT"),
}
PUBLIC = (
    "tickers.BTCUSDT", "orderbook.1.BTCUSDT", "orderbook.50.BTCUSDT", "kline.1.BTCUSDT", "kline.60.BTCUSDT",
    "publicTrade.BTCUSDT", "priceLimit.BTCUSDT",
)  # fmt: skip
LINEAR = ("allLiquidation.BTCUSDT", "insurance.USDT", "adlAlert.USDT")
PRIVATE = (
    ("order", "execution", "execution.fast", "position", "wallet", "greeks"),
    ("order.linear", "execution.spot", "position.linear"),
)


@dataclass
class Played:
    """The exchange, the answers by the route that gave them, those to ``REST`` by its names, and the last full frame of
    every topic by category."""

    exchange: Exchange
    uids: dict[str, int]
    answers: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    rest: dict[str, dict[str, Any]] = field(default_factory=dict)
    frames: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def ask(self, method: str, path: str, account: str | None, key: ApiKey | None = None, /, **params: Any) -> Any:
        """One request, which must be accepted; its result."""
        uid = None if account is None else self.uids[account]
        answer = self.exchange.handle(ApiRequest(method, path, params, uid, key))
        assert answer["retCode"] == 0, (path, answer)
        self.answers[method, path] = answer
        return answer["result"]

    def keep(self, frames: list[Any]) -> None:
        """Remember the frames that show everything of their topic."""
        for frame in frames:
            if frame.frame.get("type") != "delta" or frame.frame["topic"].startswith("insurance"):
                self.frames[frame.category, frame.frame["topic"]] = frame.frame


def play() -> Played:
    """Let everything happen once, and a day pass."""
    exchange = Exchange(SyntheticMarket(7, START_MS, 4), SimConfig(dcp=True))
    played = Played(exchange, {one.name: one.uid for one in exchange.config.accounts})
    for topics in PRIVATE:
        played.keep(exchange.subscribe(topics, account="TREND-1"))
    for category in ("spot", "linear"):
        played.keep(exchange.subscribe(PUBLIC, category=category))
    played.keep(exchange.subscribe(LINEAR, category="linear"))
    _trade(played)
    _manage(played)
    exchange.deposit("CORE-HODL", "ETH", Decimal(2))
    played.ask("POST", "/v5/earn/place-order", "CORE-HODL", **FLEXIBLE, orderType="Stake", accountType="UNIFIED",
               amount="1", coin="ETH", productId="431", orderLinkId="e1")  # fmt: skip
    played.keep(exchange.drain())
    while exchange.market_time < START_MS + DAY_MS + 2 * HOUR_MS:
        played.keep(exchange.advance(exchange.step, None).frames)
    for name, (method, path, account, params) in REST.items():
        uid = None if account is None else played.uids[account]
        played.rest[name] = exchange.handle(ApiRequest(method, path, params, uid))
    return played


def _trade(played: Played) -> None:
    market, create = {**BTC, "orderType": "Market"}, ("POST", "/v5/order/create", "TREND-1")
    played.ask(*create, **market, side="Buy", qty="0.02")
    played.ask(*create, **market, side="Sell", qty="0.01", reduceOnly=True)
    played.ask(*create, **market, side="Sell", qty="0.01", triggerPrice="1000", triggerDirection=2)
    played.ask("POST", "/v5/order/create", "TREND-2", **market, side="Buy", qty="0.01", triggerPrice="1000",
               triggerDirection=2)  # fmt: skip
    played.ask(*create, **SPOT, orderType="Market", side="Buy", qty="0.001", marketUnit="baseCoin")
    last = played.ask("GET", "/v5/market/tickers", None, **BTC)["list"][0]["lastPrice"]
    price = str((Decimal(last) * Decimal("0.995")).quantize(Decimal("0.1")))
    rests = played.ask(*create, **BTC, orderType="Limit", side="Buy", qty="0.01", price=price)["orderId"]
    played.ask("POST", "/v5/order/amend", "TREND-1", **BTC, orderId=rests, qty="0.02")
    legs = [{"symbol": "BTCUSDT", "orderId": rests, "qty": "0.03"}]
    played.ask("POST", "/v5/order/amend-batch", "TREND-1", category="linear", request=legs)
    played.ask("POST", "/v5/order/cancel", "TREND-1", **BTC, orderId=rests)
    rests = played.ask(*create, **BTC, orderType="Limit", side="Buy", qty="0.01", price=price)["orderId"]
    legs = [{"symbol": "BTCUSDT", "orderId": rests}]
    played.ask("POST", "/v5/order/cancel-batch", "TREND-1", category="linear", request=legs)


def _manage(played: Played) -> None:
    exchange, master = played.exchange, played.uids["MASTER"]
    exchange.deposit("MASTER", "USDT", Decimal(5000))
    made = played.ask("POST", "/v5/user/create-sub-member", "MASTER", username="first001", memberType=1)
    assert made["uid"] == str(FIRST_SUB)
    exchange.deposit("first001", "USDT", Decimal(100))
    key = played.ask("POST", "/v5/user/create-sub-api", "MASTER", subuid=FIRST_SUB, readOnly=0, note="bot",
                     permissions=PERMISSIONS)["apiKey"]  # fmt: skip
    played.ask("POST", "/v5/user/update-sub-api", "MASTER", apikey=key, readOnly=0, ips="127.0.0.1")
    played.ask("POST", "/v5/asset/transfer/inter-transfer", "MASTER", transferId="inter-1", coin="USDT",
               amount="500", fromAccountType="UNIFIED", toAccountType="FUND")  # fmt: skip
    played.ask("POST", "/v5/asset/transfer/universal-transfer", "MASTER", transferId="universal-1", coin="USDT",
               amount="1", fromAccountType="UNIFIED", toAccountType="UNIFIED", fromMemberId=master,
               toMemberId=played.uids["TACTICAL"])  # fmt: skip
    owner = ApiKey("MASTER", master, "owner", "", False, WITHDRAW)
    address = played.ask("GET", "/v5/asset/withdraw/query-address", "MASTER", coin="USDT")["rows"][0]["address"]
    withdrawal = played.ask("POST", "/v5/asset/withdraw/create", "MASTER", owner, coin="USDT", chain="SIM",
                            address=address, amount="20", timestamp=START_MS, accountType="FUND")  # fmt: skip
    played.ask("POST", "/v5/asset/withdraw/cancel", "MASTER", owner, id=withdrawal["id"])
