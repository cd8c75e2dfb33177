"""Recorded history for the TREND oracle: the same bars as floats for the reference and as facts for the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

import polars

from statemachines.facts import BarFact
from statemachines.trend.parameters import TrendParameters
from statemachines.values import DAY_MS, HOUR_MS, LINEAR, ActorName
from tests.reference import trend as reference
from tests.shared import shared_path
from tests.statemachines.trend.venue import INSTRUMENTS, Venue

ASSETS = {"BTC": "BTCUSDT", "ETH": "ETHUSDT"}
COMPLETE_DAY_HOURS = 24
OFFSETS_MS = (0, 1_200_000, 2_400_000, 3_599_000)
"""Of the four points of an hour's price path."""


@dataclass(frozen=True)
class History:
    """One asset: the reference's series and the daily bars as facts by their start."""

    series: reference.Series
    days: dict[int, BarFact]


def ms(text: str) -> int:
    """The instant of an ISO date, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@cache
def load() -> dict[str, History]:
    """Both assets' complete recorded history; skips the test when it is absent."""
    return {asset: _load(asset) for asset in ASSETS}


def _load(asset: str) -> History:
    name = asset.lower()
    days = polars.read_parquet(shared_path("history", f"{name}_usdt_perp_1d.parquet"))
    days = days.filter(polars.col("n_src") == COMPLETE_DAY_HOURS)
    hours = polars.read_parquet(shared_path("history", f"{name}_usdt_perp_1h.parquet"))
    funding = polars.read_parquet(shared_path("history", f"funding_{name}.parquet"))
    rule = next(i for i in INSTRUMENTS if i.symbol == ASSETS[asset])
    day_ms = [int(v) for v in days["ts"].dt.timestamp("ms")]
    rows = days.select("open", "high", "low", "close", "volume").rows()
    facts = {
        start: BarFact(
            category=LINEAR,
            symbol=ASSETS[asset],
            interval="D",
            start_ms=start,
            **{k: Decimal(repr(v)) for k, v in zip(("open", "high", "low", "close", "volume"), row, strict=True)},
        )
        for start, row in zip(day_ms, rows, strict=True)
    }
    series = reference.Series(
        day_ms=days["ts"].dt.timestamp("ms").to_numpy(),
        day_high=days["high"].to_numpy(),
        day_low=days["low"].to_numpy(),
        day_close=days["close"].to_numpy(),
        hour={
            int(t): row
            for t, row in zip(
                hours["ts"].dt.timestamp("ms"), hours.select("open", "high", "low", "close").rows(), strict=True
            )
        },
        funding={int(t): float(r) for t, r in zip(funding["ts"].dt.timestamp("ms"), funding["rate"], strict=True)},
        lot=float(rule.qty_step),
        tick=float(rule.tick_size),
    )
    return History(series, facts)


def replay(
    name: ActorName, parameters: TrendParameters, capital: Decimal, first_ms: int, end_ms: int, *, restarts: bool
) -> Venue:
    """The engine over the hours from `first_ms` to before `end_ms`, on the one price path of every hour."""
    history = load()
    warm = {ASSETS[a]: [bar for start, bar in h.days.items() if start + DAY_MS < first_ms] for a, h in history.items()}
    venue = Venue(name, parameters, capital, warm)
    venue.restarts = restarts
    for now in range(first_ms, end_ms, HOUR_MS):
        _open_hour(venue, history, now)
        for asset, symbol in ASSETS.items():
            bar = history[asset].series.hour.get(now)
            if bar is None:
                continue
            _walk(venue, symbol, bar, now)
            venue.closes[symbol] = Decimal(repr(bar[3]))
    return venue


def _open_hour(venue: Venue, history: dict[str, History], now: int) -> None:
    for asset, symbol in ASSETS.items():
        if (bar := history[asset].series.hour.get(now)) is not None:
            venue.prices[symbol] = Decimal(repr(bar[0]))
    rates = {
        symbol: Decimal(repr(history[asset].series.funding[now]))
        for asset, symbol in ASSETS.items()
        if now in history[asset].series.funding
    }
    if rates:
        venue.settlement(rates, now)
    if now % DAY_MS == 0:
        bars = [h.days[now - DAY_MS] for h in history.values() if now - DAY_MS in h.days]
        if bars:
            venue.day(bars)


def _walk(venue: Venue, symbol: str, bar: Sequence[float], now: int) -> None:
    """Only hours that reach a stop are worth a message: between the points nothing else can happen."""
    opened, high, low, close = bar
    if not any(
        intent.symbol == symbol and (low <= float(trigger) <= high or _beyond(intent.side.sign, trigger, opened))
        for intent, trigger, _ in venue.stops.values()
    ):
        return
    path = (opened, low, high, close) if close >= opened else (opened, high, low, close)
    for offset_ms, price in zip(OFFSETS_MS, path, strict=True):
        venue.touch(symbol, Decimal(repr(price)), now + offset_ms, gap=offset_ms == 0)


def _beyond(sign: int, trigger: Decimal, price: float) -> bool:
    return price <= trigger if sign < 0 else price >= trigger
