"""Reference of TACTICAL over recorded series: TA-1 .. TA-8 as ruled A1 .. A7, written straight from the rulings.

It shares nothing with the program: numpy for the conditions, one loop over days, `Decimal` for money. A date is
the bar's; orders fill at the next day's open; the spot fee is 0.10 %, taken in the coin by a buy and in USDT by a sale.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

DAY = 86_400_000
STEP = {"BTC": Decimal("0.000001"), "ETH": Decimal("0.00001")}
SHARE = {"BTC": Decimal("0.8"), "ETH": Decimal("0.2")}
FEE = Decimal("0.001")


@dataclass
class Market:
    """Daily spot bars of both coins on common days, feeds and BTC's settled funding rates."""

    days: list[date]
    close: dict[str, list[Decimal]]
    opened: dict[str, list[Decimal]]
    fear_greed: dict[date, int]
    dvol: dict[date, float]
    funding: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Event:
    """One action: `kind` is deploy, sell or in_kind; quantities are orders (or the coins that move)."""

    day: date
    kind: str
    reason: str
    quantities: tuple[tuple[str, Decimal], ...]


@dataclass
class Deployment:
    """Gross coins bought and what they cost; net coins held."""

    day: date
    gross: dict[str, Decimal]
    cost: dict[str, Decimal]
    net: dict[str, Decimal]
    halved: bool = False


def exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def load(folder: Path) -> Market:
    """Read the recorded series."""
    tables = {coin: pl.read_parquet(folder / f"{coin.lower()}_usdt_spot_1d.parquet") for coin in ("BTC", "ETH")}
    days = [stamp.date() for stamp in tables["BTC"]["ts"].to_list()]
    assert days == [stamp.date() for stamp in tables["ETH"]["ts"].to_list()]
    assert all(b - a == timedelta(days=1) for a, b in pairwise(days))
    fear = pl.read_parquet(folder / "fear_greed.parquet")
    dvol = pl.read_parquet(folder / "dvol_btc_1d.parquet")
    funding = pl.read_parquet(folder / "funding_btc.parquet")
    stamps = (funding["ts"].dt.epoch("ms").to_numpy() + 30_000) // 60_000 * 60_000
    return Market(
        days,
        {coin: [exact(v) for v in table["close"].to_list()] for coin, table in tables.items()},
        {coin: [exact(v) for v in table["open"].to_list()] for coin, table in tables.items()},
        {stamp.date(): int(value) for stamp, value in fear.iter_rows()},
        {stamp.date(): float(value) for stamp, value in dvol.iter_rows()},
        (stamps, funding["rate"].to_numpy()),
    )


def drawdowns(market: Market, coin: str = "BTC") -> np.ndarray:
    """TA-1: close against the highest close so far."""
    close = np.array([float(v) for v in market.close[coin]])
    return close / np.maximum.accumulate(close) - 1


def cycle_ms(day: date) -> int:
    """The instant of the cycle that decides on the bar of `day`."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000) + DAY


def fear(market: Market, day: date) -> int | None:
    """A5: the value stamped with the bar's day or, lacking it, the day before (at most 48 h old)."""
    return market.fear_greed.get(day, market.fear_greed.get(day - timedelta(days=1)))


def mean_funding(market: Market, day: date) -> Decimal | None:
    """A6: BTC's last nine settlements, the one of the cycle's instant included."""
    stamps, rates = market.funding
    end = int(np.searchsorted(stamps, cycle_ms(day), side="right"))
    if end < 9 or cycle_ms(day) - stamps[end - 9] > 4 * DAY:
        return None
    return sum((exact(rate) for rate in rates[end - 9 : end]), Decimal(0)) / 9


def volatility(market: Market, row: int) -> float | None:
    """A6, D4: DVOL's last close if at most two days old, else realised over 30 returns; in percent."""
    for back in (0, 1):
        value = market.dvol.get(market.days[row] - timedelta(days=back))
        if value is not None:
            return value
    if row < 30:
        return None
    close = np.array([float(v) for v in market.close["BTC"][row - 30 : row + 1]])
    return float(np.std(np.diff(np.log(close)), ddof=1) * np.sqrt(365) * 100)


def anniversary(day: date) -> date:
    """Twelve months later; 1 March for 29 February."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return date(day.year + 1, 3, 1)


def run(market: Market, start: date, end: date, cash: Decimal, target: Decimal) -> list[Event]:
    """Every action of TACTICAL on the bars `start` <= day < `end`, without inflows."""
    events: list[Event] = []
    open_deployments: list[Deployment] = []
    first = market.days.index(start)
    high = max(market.close["BTC"][:first], default=Decimal(0))
    reserve = Decimal(0)
    fired: set[int] = set()
    last_day: date | None = None
    least = max(Decimal(100), target / 100)
    for row in range(first, market.days.index(end)):
        day = market.days[row]
        close = {coin: market.close[coin][row] for coin in SHARE}
        price = {coin: market.opened[coin][row + 1] for coin in SHARE}
        if close["BTC"] > high:
            high, reserve, fired = close["BTC"], Decimal(0), set()
        fall = close["BTC"] / high - 1
        capital = cash  # proceeds of this cycle's sales belong to CORE

        for one in list(open_deployments):
            gain = sum(one.gross[c] * close[c] for c in SHARE) / sum(one.cost.values()) - 1
            late = day >= anniversary(one.day)
            share = Decimal(0)
            if gain > 1:
                share, reason = Decimal(1), "+100 %"
            elif gain > Decimal("0.5") and (day - one.day).days <= 90 and not one.halved:
                share, reason = Decimal("0.5"), "+50 %"
            elif late:
                coins = tuple((c, one.net[c].quantize(Decimal("1e-8"), ROUND_FLOOR)) for c in SHARE)
                events.append(Event(day, "in_kind", "12 months", coins))
                open_deployments.remove(one)
            if share:
                sold = {c: (one.net[c] * share / STEP[c]).to_integral_value(ROUND_FLOOR) * STEP[c] for c in SHARE}
                events.append(Event(day, "sell", reason, tuple(sold.items())))
                for coin in SHARE:
                    left = (one.net[coin] - sold[coin]) / one.net[coin]
                    one.gross[coin] *= left
                    one.cost[coin] *= left
                    one.net[coin] -= sold[coin]
                one.halved = True
                if share == 1:
                    open_deployments.remove(one)

        kept = min(reserve, capital)
        free = capital - kept
        amount, reason = Decimal(0), ""
        mean, vol, greed = mean_funding(market, day), volatility(market, row), fear(market, day)
        panic = fall <= Decimal("-0.2")
        if fall <= Decimal("-0.7") and 1 in fired and 2 not in fired:
            amount, reason = kept + free / 2, "level 2"
        elif fall <= Decimal("-0.5") and 1 not in fired:
            amount, reason = capital / 2, "level 1"
        elif greed is not None and greed < 20:
            amount, reason = free / 4, "fear"
        elif mean is not None and mean < Decimal("-0.0005") and panic:
            amount, reason = free / 4, "funding"
        elif vol is not None and vol > 80 and panic:
            amount, reason = free / 4, "volatility"
        if not reason or amount < least or (last_day is not None and (day - last_day).days < 30):
            continue
        budget = min(amount, capital / Decimal("1.005") * (1 - FEE))  # A2: what slippage and fee may take stays
        sizes = {c: (budget * SHARE[c] / close[c] / STEP[c]).to_integral_value(ROUND_FLOOR) * STEP[c] for c in SHARE}
        events.append(Event(day, "deploy", reason, tuple(sizes.items())))
        if reason == "level 1":
            reserve, fired = capital - amount, fired | {1}
        elif reason == "level 2":
            reserve, fired = Decimal(0), fired | {2}
        cost = {c: sizes[c] * price[c] for c in SHARE}
        cash -= sum(cost.values())
        last_day = day
        open_deployments.append(Deployment(day, sizes.copy(), cost, {c: sizes[c] * (1 - FEE) for c in SHARE}))
    return events
