"""An independent computation of the TREND rules (SPEC chapter 3, RULINGS T1-T12, D1-D5) in plain numpy and TA-Lib.

It imports nothing of this project: floats, one loop over hours, one price path per bar (open → low → high → close if
the bar closes up, else open → high → low → close). Entries and rule exits are filled at the open of the hour after the
decision, stops at the worse of trigger and gap, taker fee 0.055 % on every fill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import talib

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TAKER_FEE = 0.00055


@dataclass(frozen=True)
class Series:
    """One symbol: complete daily bars, hourly bars and settled funding rates; times are open times in ms."""

    day_ms: np.ndarray
    day_high: np.ndarray
    day_low: np.ndarray
    day_close: np.ndarray
    hour: dict[int, tuple[float, float, float, float]]
    funding: dict[int, float]
    lot: float
    tick: float


@dataclass(frozen=True)
class Entry:
    """One entry: `close_ms` is the daily close that decided it, `stop` the hard stop placed upon the fill."""

    asset: str
    close_ms: int
    direction: int
    quantity: float
    price: float
    stop: float
    halved: bool


@dataclass(frozen=True)
class Exit:
    """One exit: `at_ms` is the hour in which it was filled."""

    asset: str
    at_ms: int
    rule: str
    quantity: float
    price: float


@dataclass(frozen=True)
class Cut:
    """A position cut to half by TR-13."""

    asset: str
    at_ms: int
    quantity: float


@dataclass
class Position:
    direction: int
    quantity: float
    price: float
    stop: float
    rule: str
    best: float
    opened_ms: int
    profit: bool = False
    closes: int = 0
    halved_in: int = -1


@dataclass
class Result:
    entries: list[Entry] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    stops: list[tuple[str, int, float]] = field(default_factory=list)
    blocked: dict[str, int] = field(default_factory=dict)
    equity: float = 0.0


def _floor(value: float, step: float) -> float:
    return round(math.floor(value / step + 1e-9) * step, 10)


def _tighter(price: float, direction: int, tick: float) -> float:
    """A long's stop is rounded up to the tick, a short's down (T5)."""
    lots = price / tick
    whole = math.ceil(lots - 1e-9) if direction > 0 else math.floor(lots + 1e-9)
    return round(whole * tick, 10)


def _indicators(series: Series, fast: int, slow: int) -> dict[str, Any]:
    high, low, close = series.day_high, series.day_low, series.day_close
    return {
        "fast": talib.SMA(close, fast),
        "slow": talib.SMA(close, slow),
        "adx": talib.ADX(high, low, close, 14),
        "atr": talib.ATR(high, low, close, 14),
        "index": {int(ms): i for i, ms in enumerate(series.day_ms)},
    }


def run(series: dict[str, Series], *, fast: int, slow: int, capital: float, start_ms: int, end_ms: int) -> Result:
    """TREND with one account of `capital` USDT over the hours from `start_ms` to before `end_ms`."""
    out = Result(equity=capital)
    cash = capital
    ind = {asset: _indicators(s, fast, slow) for asset, s in series.items()}
    book: dict[str, Position] = {}
    rate = dict.fromkeys(series, 0.0)
    last = dict.fromkeys(series, 0.0)
    correlation = _correlations(series, ind)
    episode, episodes = False, 0
    for day in sorted(d for d in correlation if d + DAY_MS < start_ms):
        episode, episodes = _episode(episode, episodes, correlation[day])
    quiet = {a: _quiet_days(series[a], ind[a], start_ms) for a in series}

    def leave(asset: str, at_ms: int, rule: str, price: float) -> None:
        nonlocal cash
        position = book.pop(asset)
        cash += position.direction * position.quantity * (price - position.price)
        cash -= TAKER_FEE * position.quantity * price
        out.exits.append(Exit(asset, at_ms, rule, position.quantity, price))

    for now in range(start_ms, end_ms, HOUR_MS):
        closed_now: set[str] = set()
        for asset, s in series.items():
            if now not in s.funding:
                continue
            rate[asset] = s.funding[now]
            if asset in book:
                held = book[asset]
                cash -= held.direction * held.quantity * last[asset] * rate[asset]
                if held.direction * rate[asset] > 0.001:
                    leave(asset, now, "TR-14", s.hour[now][0])
                    closed_now.add(asset)
        if now % DAY_MS == 0:
            day = now - DAY_MS
            if day in correlation:
                episode, episodes = _episode(episode, episodes, correlation[day])
            rows = {a: ind[a]["index"][day] for a in series if day in ind[a]["index"]}
            for asset, i in rows.items():
                s, position = series[asset], book.get(asset)
                adx = ind[asset]["adx"][i]
                if not math.isnan(adx):
                    count, paused = quiet[asset]
                    count = count + 1 if adx < 20 else 0
                    quiet[asset] = (count, count >= 14 or (paused and adx <= 20))
                if position is None:
                    continue
                close, atr = s.day_close[i], ind[asset]["atr"][i]
                d = position.direction
                position.closes += 1
                position.best = max(position.best * d, close * d) * d
                position.profit = position.profit or (close - position.price) * d > 0
                stop, rule = position.stop, position.rule
                if position.profit:
                    trail = _tighter(position.best - d * 3 * atr, d, s.tick)
                    if (trail - stop) * d > 0:
                        stop, rule = trail, "TR-6"
                reason = ""
                if (close - ind[asset]["slow"][i]) * d < 0:
                    reason = "TR-4"
                elif position.closes >= 30:
                    reason = "TR-7"
                elif (close - stop) * d <= 0:
                    reason = rule
                if reason:
                    leave(asset, now, reason, s.hour[now][0])
                    closed_now.add(asset)
                elif stop != position.stop:
                    position.stop, position.rule = stop, rule
                    out.stops.append((asset, now, stop))
            if episode and len(book) == 2 and len({p.direction for p in book.values()}) == 1:
                for asset, position in book.items():
                    if position.halved_in == episodes:
                        continue
                    position.halved_in = episodes
                    quantity = _floor(position.quantity / 2, series[asset].lot)
                    if quantity > 0:
                        price = series[asset].hour[now][0]
                        cash += position.direction * quantity * (price - position.price) - TAKER_FEE * quantity * price
                        position.quantity = round(position.quantity - quantity, 10)
                        out.cuts.append(Cut(asset, now, quantity))
            equity = cash + sum(p.direction * p.quantity * (last[a] - p.price) for a, p in book.items())
            exposure = sum(p.quantity * last[a] for a, p in book.items())
            for asset, i in rows.items():
                s, values = series[asset], ind[asset]
                if asset in book or asset in closed_now:
                    continue
                f, w, adx, atr = (values[k][i] for k in ("fast", "slow", "adx", "atr"))
                close = s.day_close[i]
                if math.isnan(w) or math.isnan(adx) or not adx > 25:
                    continue
                d = 1 if close > w and f > w else -1 if close < w and f < w else 0
                if d == 0:
                    continue
                if quiet[asset][1]:
                    out.blocked["TR-12"] = out.blocked.get("TR-12", 0) + 1
                    continue
                if d * rate[asset] > 0.001:
                    out.blocked["TR-14"] = out.blocked.get("TR-14", 0) + 1
                    continue
                quantity = _floor(equity * 0.01 * (0.5 if episode else 1.0) / (2 * atr), s.lot)
                if quantity <= 0:
                    out.blocked["lot"] = out.blocked.get("lot", 0) + 1
                    continue
                if quantity * close > equity or exposure + quantity * close > 1.9 * equity:
                    out.blocked["TR-9"] = out.blocked.get("TR-9", 0) + 1
                    continue
                exposure += quantity * close
                price = s.hour[now][0]
                cash -= TAKER_FEE * quantity * price
                stop = _tighter(price - d * 2 * atr, d, s.tick)
                book[asset] = Position(
                    d, quantity, price, stop, "TR-5", price, now, halved_in=episodes if episode else -1
                )
                out.entries.append(Entry(asset, now, d, quantity, price, stop, episode))
        for asset, s in series.items():
            if now not in s.hour:
                continue
            o, h, low, c = s.hour[now]
            position = book.get(asset)
            if position is not None:
                d, stop = position.direction, position.stop
                if (o - stop) * d <= 0:
                    leave(asset, now, position.rule, o)
                elif ((low if d > 0 else h) - stop) * d <= 0:
                    leave(asset, now, position.rule, stop)
            last[asset] = c
    out.equity = cash + sum(p.direction * p.quantity * (last[a] - p.price) for a, p in book.items())
    return out


def _episode(active: bool, number: int, correlation: float) -> tuple[bool, int]:
    if not active and correlation > 0.9:
        return True, number + 1
    if active and correlation < 0.85:
        return False, number
    return active, number


def _quiet_days(s: Series, values: dict[str, Any], start_ms: int) -> tuple[int, bool]:
    count, paused = 0, False
    for i, ms in enumerate(s.day_ms):
        adx = values["adx"][i]
        if int(ms) + DAY_MS >= start_ms or math.isnan(adx):
            continue
        count = count + 1 if adx < 20 else 0
        paused = count >= 14 or (paused and adx <= 20)
    return count, paused


def _correlations(series: dict[str, Series], ind: dict[str, Any]) -> dict[int, float]:
    """Per day the Pearson correlation of the last 30 daily log returns of both assets (D4)."""
    first, second = series.values()
    left, right = (ind[a]["index"] for a in series)
    days = sorted(set(left) & set(right))
    one = np.log([first.day_close[left[d]] for d in days])
    two = np.log([second.day_close[right[d]] for d in days])
    r1, r2 = np.diff(one), np.diff(two)
    return {days[i]: float(np.corrcoef(r1[i - 30 : i], r2[i - 30 : i])[0, 1]) for i in range(30, len(days))}
