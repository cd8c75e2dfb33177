"""ccxt.pro's Bybit, unchanged but for its URLs, over WebSocket: market data, orders, private frames."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import ccxt.pro
import pytest

from tests.conformance.process import SimulatorProcess

PERPETUAL, SPOT = "BTC/USDT:USDT", "BTC/USDT"
OTHER = "ETH/USDT:USDT"
"""ccxt keeps one book per symbol, whatever its depth: best prices of a symbol whose book is watched would cut it."""
TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """An exchange whose market runs by the wall clock."""
    process = SimulatorProcess(tmp_path_factory.mktemp("pro") / "exchange", "--no-rate-limits", "--clock", "wall")
    yield process
    process.stop()


def _client(exchange: SimulatorProcess, account: str) -> Any:
    key, secret = exchange.key_of(account)
    client = ccxt.pro.bybit({"apiKey": key, "secret": secret, "enableRateLimit": False, "aiohttp_trust_env": False})
    socket = exchange.url.replace("http", "ws")
    public = {name: f"{socket}/v5/public/{name}" for name in ("spot", "linear", "inverse", "option")}
    private = f"{socket}/v5/private"
    client.urls["api"] = {name: exchange.url for name in client.urls["api"] if name != "ws"} | {
        "ws": {
            "public": public,
            "private": {
                "spot": {"unified": private, "nonUnified": private},
                "contract": private,
                "usdc": private,
                "trade": f"{socket}/v5/trade",
            },
        }
    }
    client.options["fetchMarkets"] = {"types": ["spot", "linear"]}
    return client


def _run(exchange: SimulatorProcess, account: str, script: Callable[[Any], Awaitable[None]]) -> None:
    async def run() -> None:
        client = _client(exchange, account)
        try:
            await client.load_markets()
            await asyncio.wait_for(script(client), TIMEOUT_S)
        finally:
            await client.close()

    asyncio.run(run())


def test_market_data_streams(exchange: SimulatorProcess) -> None:
    """Everything that ccxt.pro watches of a market comes at once."""

    async def script(client: Any) -> None:
        ticker, tickers, book, trades, bars, spot_book, best = await asyncio.gather(
            client.watch_ticker(PERPETUAL),
            client.watch_tickers([SPOT]),
            client.watch_order_book(PERPETUAL, 50),
            client.watch_trades(PERPETUAL),
            client.watch_ohlcv(PERPETUAL, "1m"),
            client.watch_order_book(SPOT, 50),
            client.watch_bids_asks([OTHER]),
        )
        assert ticker["bid"] < ticker["last"] < ticker["ask"]
        assert tickers[SPOT]["last"] > 0
        for shown in (book, spot_book):
            assert len(shown["bids"]) == 50 and shown["bids"][0][0] < shown["asks"][0][0]
            assert [price for price, _ in shown["asks"]] == sorted(price for price, _ in shown["asks"])
        assert trades[0]["side"] in ("buy", "sell") and trades[0]["amount"] > 0
        assert bars[-1][0] % 60_000 == 0
        assert best[OTHER]["bid"] < best[OTHER]["ask"]

    _run(exchange, "TREND-1", script)


def test_orders_over_the_trade_socket_and_their_frames(exchange: SimulatorProcess) -> None:
    """Create, edit and cancel by WebSocket; orders, fills, positions and balance arrive on the private socket."""

    async def script(client: Any) -> None:
        last = (await client.fetch_ticker(PERPETUAL))["last"]
        price = float(client.price_to_precision(PERPETUAL, last * 0.995))
        await client.create_order(PERPETUAL, "market", "buy", 0.001)
        await client.watch_positions([PERPETUAL])  # the first answer is a snapshot by REST
        watched = {
            "orders": asyncio.create_task(client.watch_orders(PERPETUAL)),
            "fills": asyncio.create_task(client.watch_my_trades(PERPETUAL)),
            "balance": asyncio.create_task(client.watch_balance()),
            "positions": asyncio.create_task(client.watch_positions([PERPETUAL])),
        }
        made: list[str] = []
        while not all(task.done() for task in watched.values()):
            # The topics give no snapshot: what happens before a subscription is acknowledged is not shown.
            order = await client.create_order_ws(PERPETUAL, "limit", "buy", 0.01, price)
            made.append(order["id"])
            assert (await client.edit_order_ws(order["id"], PERPETUAL, "limit", "buy", 0.02, price))["id"] == made[-1]
            assert (await client.cancel_order_ws(order["id"], PERPETUAL))["id"] == made[-1]
            made.append((await client.create_order_ws(PERPETUAL, "market", "buy", 0.001))["id"])
            await asyncio.wait(watched.values(), timeout=0.2)
        orders, fills, balance, positions = [task.result() for task in watched.values()]
        assert {one["id"] for one in orders} <= set(made)
        assert fills[0]["order"] in made and fills[0]["takerOrMaker"] == "taker"
        assert balance["USDT"]["total"] > 0
        assert [one["symbol"] for one in positions] == [PERPETUAL]
        assert await client.fetch_open_orders(PERPETUAL) == []

    _run(exchange, "TREND-2", script)


def test_what_does_not_exist_is_an_error_of_ccxt(exchange: SimulatorProcess) -> None:
    async def script(client: Any) -> None:
        with pytest.raises(ccxt.pro.OrderNotFound):
            await client.cancel_order_ws("none", PERPETUAL)
        with pytest.raises(ccxt.pro.InsufficientFunds):
            await client.create_order_ws(SPOT, "market", "sell", 5)

    _run(exchange, "TREND-1", script)
