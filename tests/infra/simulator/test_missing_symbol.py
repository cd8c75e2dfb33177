"""A market without one of the symbols: whoever listens for it hears nothing, everybody else goes on."""

from __future__ import annotations

from infra.simulator.api import Exchange
from infra.simulator.config import SimConfig
from tests.infra.simulator.venue.world import FLAT, TinyMarket


def test_who_subscribes_to_a_symbol_that_the_market_lacks_hears_nothing_and_the_rest_goes_on() -> None:
    """The bar stream of SOLUSDT broke every step of a market without SOL: `eternal run` stood for days without a fill,
    `eternal backtest` ended with a traceback."""
    exchange = Exchange(TinyMarket([FLAT]), SimConfig())
    for category in ("spot", "linear"):
        for symbol in ("BTCUSDT", "SOLUSDT"):
            exchange.subscribe([f"kline.60.{symbol}", f"kline.D.{symbol}", f"tickers.{symbol}"], category=category)
    told: set[str] = set()
    while not (result := exchange.advance(exchange.step, None)).end:
        told |= {frame.frame["topic"] for frame in result.frames}
    assert told == {"kline.60.BTCUSDT", "kline.D.BTCUSDT", "tickers.BTCUSDT"}
