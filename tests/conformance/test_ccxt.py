"""A second independent client: ccxt's Bybit against the exchange, unchanged but for its URLs."""

from __future__ import annotations

import ccxt
import pytest

from tests.conformance.process import SimulatorProcess


@pytest.fixture(scope="module")
def client(simulator: SimulatorProcess) -> ccxt.bybit:
    key, secret = simulator.key_of("CORE-HODL")
    exchange = ccxt.bybit({"apiKey": key, "secret": secret, "enableRateLimit": False})
    exchange.session.trust_env = False
    exchange.urls["api"] = {name: simulator.url for name in exchange.urls["api"]}
    exchange.options["fetchMarkets"] = {"types": ["spot", "linear"]}
    return exchange


def test_market_data(client: ccxt.bybit) -> None:
    markets = client.load_markets()
    assert {"BTC/USDT", "BTC/USDT:USDT", "SOL/USDT:USDT"} <= set(markets)
    assert markets["BTC/USDT:USDT"]["precision"]["amount"] == 0.001
    candles = client.fetch_ohlcv("BTC/USDT:USDT", "1h", limit=10)
    assert len(candles) == 10 and candles == sorted(candles)
    ticker = client.fetch_ticker("ETH/USDT")
    assert ticker["bid"] < ticker["last"] < ticker["ask"]
    book = client.fetch_order_book("BTC/USDT:USDT", 25)
    assert len(book["bids"]) == 25
    assert client.fetch_funding_rate_history("BTC/USDT:USDT", limit=5)


def test_balance_and_orders(client: ccxt.bybit) -> None:
    client.load_markets()
    assert client.fetch_balance()["USDT"]["total"] == 60000
    last = client.fetch_ticker("BTC/USDT:USDT")["last"]
    price = client.price_to_precision("BTC/USDT:USDT", last * 0.995)
    made = client.create_order("BTC/USDT:USDT", "limit", "buy", 0.01, float(price))
    assert [order["id"] for order in client.fetch_open_orders("BTC/USDT:USDT")] == [made["id"]]
    client.cancel_order(made["id"], "BTC/USDT:USDT")
    assert client.fetch_open_orders("BTC/USDT:USDT") == []
    client.create_order("BTC/USDT", "market", "buy", 0.002, params={"marketUnit": "baseCoin"})
    assert client.fetch_balance()["BTC"]["total"] == pytest.approx(0.001998)
    client.create_order("BTC/USDT:USDT", "market", "sell", 0.002)
    position = client.fetch_positions(["BTC/USDT:USDT"])[0]
    assert (position["side"], position["contracts"]) == ("short", 0.002)
    trades = client.fetch_my_trades("BTC/USDT")
    assert trades[0]["fee"]["currency"] == "BTC"
