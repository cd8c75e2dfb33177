"""Synthetic daily bars with known indicator values, for the TREND tests."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from statemachines.facts import BarFact
from statemachines.trend.parameters import TrendParameters
from statemachines.values import DAY_MS, LINEAR, ActorName
from tests.kit import builders
from tests.statemachines.trend.venue import Venue

FAST = TrendParameters(
    fast_sma_bars=2, slow_sma_bars=5, adx_bars=2, atr_bars=2, correlation_returns=4, warm_up_bars=40, quiet_closes=3
)
"""Short look-backs, so that a test can be read; every rule is the same."""

BTC, ETH = "BTCUSDT", "ETHUSDT"


def bar(symbol: str, day: int, close: float, high: float | None = None, low: float | None = None) -> BarFact:
    """The daily bar number `day`; high and low stand 1 % around the close by default."""
    top, bottom = close * 1.01 if high is None else high, close * 0.99 if low is None else low
    shown = str(round(close, 2))
    return builders.bar(LINEAR, symbol, day * DAY_MS, shown, high=str(round(top, 2)), low=str(round(bottom, 2)))


def bars(symbol: str, closes: Sequence[float], first_day: int = 0) -> list[BarFact]:
    return [bar(symbol, first_day + i, close) for i, close in enumerate(closes)]


RISE = [100 * 1.01**i for i in range(20)]
"""A steady rise: a long signal with FAST from early on."""
FLAT = [1000.0] * 20
"""No movement at all: no trend, no correlation."""


def scene(
    btc: Sequence[float], eth: Sequence[float], capital: int = 10_000, parameters: TrendParameters = FAST
) -> Venue:
    """A venue whose engine has seen these closes, without having run a cycle on them."""
    history = {BTC: bars(BTC, btc), ETH: bars(ETH, eth)}
    return Venue(ActorName.TREND_1, parameters, Decimal(capital), history)


def next_day(venue: Venue, btc: float, eth: float, *, cycle: bool = True, entries_allowed: bool = True) -> int:
    """One more day closes at these prices, the next one opens there; returns the instant of the close."""
    day = max(bar.start_ms for rows in venue.bars.values() for bar in rows) // DAY_MS + 1
    for symbol, price in ((BTC, btc), (ETH, eth)):
        venue.prices[symbol] = Decimal(str(round(price, 2)))
    venue.day([bar(BTC, day, btc), bar(ETH, day, eth)], cycle=cycle, entries_allowed=entries_allowed)
    return (day + 1) * DAY_MS
