"""Which files a history folder has: their names, what is in them, where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from statemachines.values import DAY_MS, HOUR_MS, LINEAR, SPOT, Category

TIME = pl.Datetime("ms", "UTC")
Schema = dict[str, pl.DataType | type[pl.DataType]]
BAR_COLUMNS: Schema = {"ts": TIME, "open": pl.Float64, "high": pl.Float64, "low": pl.Float64, "close": pl.Float64}
INSTRUMENTS_FILE = "instruments.json"
FEAR_GREED_STEM = "fear_greed"


class Kind(StrEnum):
    """What a file holds."""

    BARS = "bars"
    MARK = "mark price bars"
    FUNDING = "funding rates"
    FEAR_GREED = "Fear & Greed"


SCHEMAS: dict[Kind, Schema] = {
    Kind.BARS: {**BAR_COLUMNS, "volume": pl.Float64},
    Kind.MARK: dict(BAR_COLUMNS),
    Kind.FUNDING: {"ts": TIME, "rate": pl.Float64},
    Kind.FEAR_GREED: {"date": TIME, "value": pl.Int64},
}


@dataclass(frozen=True, slots=True)
class Series:
    """One file of the exchange's data. `step_ms` is the distance of its rows; funding settles every 1, 2, 4 or 8 hours,
    so its step is the shortest of them and gaps are judged on the 8-hour grid only."""

    stem: str
    kind: Kind
    category: Category
    symbol: str
    interval: str
    step_ms: int


def series_of(coins: Sequence[str]) -> list[Series]:
    """All files of the coins, in the order in which they are fetched."""
    found: list[Series] = []
    for coin in coins:
        symbol, name = f"{coin.upper()}USDT", coin.lower()
        for category, word in ((SPOT, "spot"), (LINEAR, "perp")):
            found.append(Series(f"{name}_usdt_{word}_1d", Kind.BARS, category, symbol, "D", DAY_MS))
            found.append(Series(f"{name}_usdt_{word}_1h", Kind.BARS, category, symbol, "60", HOUR_MS))
        found.append(Series(f"{name}_usdt_mark_1h", Kind.MARK, LINEAR, symbol, "60", HOUR_MS))
        found.append(Series(f"funding_{name}", Kind.FUNDING, LINEAR, symbol, "", HOUR_MS))
    return found
