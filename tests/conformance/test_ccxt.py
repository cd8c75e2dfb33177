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


def test_further_market_data(client: ccxt.bybit) -> None:
    client.load_markets()
    perpetual = "BTC/USDT:USDT"
    for interval in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d", "1w", "1M"):
        candles = client.fetch_ohlcv(perpetual, interval, limit=3)
        assert len(candles) == 3 and candles == sorted(candles), interval
    assert len(client.fetch_mark_ohlcv(perpetual, "5m", limit=3)) == 3
    assert len(client.fetch_index_ohlcv(perpetual, "5m", limit=3)) == 3
    assert len(client.fetch_premium_index_ohlcv(perpetual, "5m", limit=3)) == 3
    assert client.fetch_open_interest(perpetual)["openInterestAmount"] > 0
    history = client.fetch_open_interest_history(perpetual, "1h", limit=3)
    assert len(history) == 3 and history[0]["timestamp"] < history[-1]["timestamp"]
    assert client.fetch_funding_rate(perpetual)["fundingRate"] is not None
    assert client.fetch_tickers(["BTC/USDT"])["BTC/USDT"]["last"] > 0
    assert client.fetch_trades("BTC/USDT", limit=5)[0]["price"] > 0
    assert client.fetch_market_leverage_tiers(perpetual)[0]["maxLeverage"] == 100
    assert abs(client.fetch_time() - client.milliseconds()) < 60_000


def test_orders_of_every_kind_and_batches(client: ccxt.bybit) -> None:
    client.load_markets()
    perpetual, spot = "ETH/USDT:USDT", "ETH/USDT"
    last = client.fetch_ticker(perpetual)["last"]
    near = float(client.price_to_precision(perpetual, last * 0.995))
    stop = client.create_order(
        perpetual, "market", "sell", 0.1, params={"triggerPrice": round(last * 0.9), "triggerDirection": "below"}
    )
    assert [one["id"] for one in client.fetch_open_orders(perpetual, params={"trigger": True})] == [stop["id"]]
    wanted = {"symbol": perpetual, "type": "limit", "side": "buy", "amount": 0.1, "price": near}
    made = client.create_orders([wanted, wanted])
    edited = client.edit_order(made[0]["id"], perpetual, "limit", "buy", 0.2, near)
    assert client.fetch_open_order(edited["id"], perpetual)["amount"] == 0.2
    cancelled = client.cancel_orders([made[0]["id"]], perpetual)
    assert [one["id"] for one in cancelled] == [made[0]["id"]]
    assert made[1]["id"] in {one["id"] for one in client.cancel_all_orders(perpetual)}
    client.create_order(spot, "market", "buy", 0.01, params={"marketUnit": "baseCoin"})
    only = client.create_order(spot, "limit", "buy", 0.01, near, {"postOnly": True})
    assert client.fetch_order(only["id"], spot, {"acknowledged": True})["timeInForce"] == "PO"
    client.cancel_order(only["id"], spot)
    assert only["id"] in {one["id"] for one in client.fetch_canceled_orders(spot)}
    assert client.fetch_closed_orders(spot)
    client.create_order(perpetual, "market", "buy", 0.1)
    client.set_leverage(7, perpetual)
    position = client.fetch_position(perpetual)
    assert (position["leverage"], position["contracts"]) == (7, 0.1)
    client.create_order(perpetual, "market", "sell", 0.1, params={"reduceOnly": True})
    assert client.fetch_positions_history([perpetual])[0]["symbol"] == perpetual
    assert client.fetch_ledger("USDT") and client.fetch_trading_fee(perpetual)["taker"] == 0.00055
    assert {one["symbol"] for one in client.fetch_my_trades(perpetual)} == {perpetual}


def test_money_of_the_master(simulator: SimulatorProcess) -> None:
    key = simulator.keys["owner"]
    master = ccxt.bybit({"apiKey": key["api_key"], "secret": key["api_secret"], "enableRateLimit": False})
    master.session.trust_env = False
    master.urls["api"] = {name: simulator.url for name in master.urls["api"]}
    master.options["fetchMarkets"] = {"types": ["spot", "linear"]}
    master.load_markets()
    simulator.control("POST", "/sim/deposit", {"account": "MASTER", "coin": "USDT", "amount": "500"})
    assert master.fetch_currencies()["USDT"]["withdraw"]
    assert master.fetch_deposits("USDT")[0]["amount"] == 500
    assert master.fetch_deposit_address("USDT", {"network": "SIM"})["address"]
    moved = master.transfer("USDT", 100, "unified", "funding")
    assert moved["status"] == "ok" and master.fetch_transfers("USDT")[0]["amount"] == 100
    address = master.private_get_v5_asset_withdraw_query_address({"coin": "USDT"})["result"]["rows"][0]["address"]
    made = master.withdraw("USDT", 20, address, None, {"network": "SIM", "accountType": "FUND"})
    (found,) = master.fetch_withdrawals("USDT")
    assert (found["id"], found["amount"], found["status"]) == (made["id"], 20, "pending")
