"""Small invented markets for the tests of the market package."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.series import Series

START_MS = 1_704_067_200_000
"""2024-01-01 00:00 UTC, a Monday."""

Row = tuple[int, float, float, float, float, float]


def rows(hours: int, first_ms: int = START_MS, seed: int = 1, price: float = 100.0) -> list[Row]:
    """Hourly rows ``(start_ms, open, high, low, close, volume)`` of a small random walk with two decimals."""
    rng = np.random.default_rng(seed)
    made: list[Row] = []
    for number in range(hours):
        close = max(round(price + float(rng.normal(0, 1)), 2), 1.0)
        high = round(max(price, close) + float(rng.uniform(0, 1)), 2)
        low = round(max(min(price, close) - float(rng.uniform(0, 0.5)), 0.5), 2)
        made.append((first_ms + number * HOUR_MS, price, high, low, close, round(float(rng.uniform(1, 9)), 3)))
        price = close
    return made


def series(source: Sequence[Row], step_ms: int = HOUR_MS) -> Series:
    """The rows as a series."""
    table = np.array([row[1:] for row in source], dtype=np.float64)
    starts = np.array([row[0] for row in source], dtype=np.int64)
    return Series(step_ms, starts, *(table[:, column].copy() for column in range(5)))


def write_csv(path: Path, header: str, lines: Iterable[Sequence[object]]) -> Path:
    """A CSV file with the header and the lines."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(lines)
    return path


BARS_HEADER = "ts,open,high,low,close,volume"


def beside(source: Sequence[Row], factor: float = 1.0003) -> list[Row]:
    """Another market of the same coin: the same moves, a shade away, as a perpetual is from its spot."""
    return [times(one, factor) for one in source]


def times(row: Row, factor: float) -> Row:
    """The bar with its prices multiplied, to the cent."""
    start, opened, high, low, closed, volume = row
    return (
        start,
        round(opened * factor, 2),
        round(high * factor, 2),
        round(low * factor, 2),
        round(closed * factor, 2),
        volume,
    )


def by_day(source: Sequence[Row]) -> list[Row]:
    """The daily rows that the hours make."""
    days: dict[int, list[Row]] = {}
    for one in source:
        days.setdefault(one[0] // DAY_MS * DAY_MS, []).append(one)
    return [
        (
            start_ms,
            hours[0][1],
            max(one[2] for one in hours),
            min(one[3] for one in hours),
            hours[-1][4],
            round(sum(one[5] for one in hours), 3),
        )
        for start_ms, hours in days.items()
    ]


PRICES = {"btc": 100.0, "eth": 50.0, "sol": 20.0}


def hours_of(coin: str, days: int, first_ms: int = START_MS) -> list[Row]:
    """The hourly spot rows of an invented coin."""
    made = rows(days * DAY_MS // HOUR_MS, first_ms, seed=list(PRICES).index(coin), price=100.0)
    scale = PRICES[coin] / 100.0
    return [times(one, scale) for one in made]


def write_required(
    folder: Path, days: int = 3, first_ms: int = START_MS, coins: Sequence[str] = ("btc", "eth")
) -> None:
    """The files that a history folder must have, ``days`` days from ``first_ms`` on."""
    for coin in coins:
        spot = hours_of(coin, days, first_ms)
        write_csv(folder / f"{coin}_usdt_spot_1h.csv", BARS_HEADER, spot)
        write_csv(folder / f"{coin}_usdt_perp_1h.csv", BARS_HEADER, beside(spot))
