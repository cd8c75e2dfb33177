"""Reference of FUNDING over recorded series: FU-1 .. FU-8 as ruled F1 .. F10, written straight from the rulings.

It shares nothing with the program: numpy for the series, one loop over hours, `Decimal` for money. Market orders
fill at the open of the hour that begins at the decision; the spot fee is taken in the coin; equity at last closes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path

import numpy as np
import polars as pl

HOUR = 3_600_000
SETTLEMENT = 8 * HOUR
ASSETS = ("BTC", "ETH", "SOL")
PERP_STEP = {"BTC": Decimal("0.001"), "ETH": Decimal("0.01"), "SOL": Decimal("0.1")}
SPOT_STEP = {"BTC": Decimal("0.000001"), "ETH": Decimal("0.00001"), "SOL": Decimal("0.001")}
FUNDING_FILE = {"BTC": "funding_btc", "ETH": "funding_eth", "SOL": "funding_sol_2024"}


@dataclass
class Leg:
    """Hourly bars of one instrument, by open time."""

    at: dict[int, int]
    open: np.ndarray
    close: np.ndarray
    volume: np.ndarray


@dataclass
class Series:
    """Everything the reference needs of one asset."""

    spot: Leg
    perp: Leg
    rates: dict[int, Decimal]


@dataclass(frozen=True)
class Event:
    """One action: `kind` is entry, exit or compound; quantities are those of the two orders."""

    ms: int
    asset: str
    kind: str
    reason: str
    short: Decimal
    spot: Decimal


@dataclass
class Book:
    """Position of one asset."""

    coins: Decimal = Decimal(0)
    short: Decimal = Decimal(0)
    average: Decimal = Decimal(0)
    carry: Decimal = Decimal(0)
    entered_ms: int = 0
    held: bool = False
    high_basis: int = 0
    negative: int = 0
    history: list[Decimal] = field(default_factory=list)
    exit_waits: str = ""


def load_leg(path: Path) -> Leg:
    """Read one file of hourly bars."""
    table = pl.read_parquet(path)
    starts = table["ts"].dt.epoch("ms").to_numpy()
    columns = [table[name].to_numpy() for name in ("open", "close", "volume")]
    return Leg({int(start): row for row, start in enumerate(starts)}, *columns)


def load(folder: Path) -> dict[str, Series]:
    """Read the recorded series of all assets."""
    found = {}
    for asset in ASSETS:
        rates = pl.read_parquet(folder / f"{FUNDING_FILE[asset]}.parquet")
        stamps = (rates["ts"].dt.epoch("ms").to_numpy() + 30_000) // 60_000 * 60_000
        table = {int(ms): Decimal(repr(float(rate))) for ms, rate in zip(stamps, rates["rate"].to_numpy(), strict=True)}
        name = asset.lower()
        found[asset] = Series(
            load_leg(folder / f"{name}_usdt_spot_1h.parquet"), load_leg(folder / f"{name}_usdt_perp_1h.parquet"), table
        )
    return found


def step_down(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def step_up(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_CEILING) * step


def pair_size(asset: str, room_usdt: Decimal, price: Decimal, spot_fee: Decimal) -> tuple[Decimal, Decimal]:
    """The largest short in whole lots whose grossed-up spot order costs no more than `room_usdt` (F7, F9)."""
    lots = step_down(room_usdt / price, PERP_STEP[asset])
    while lots > 0:
        order = step_up(lots / (1 - spot_fee), SPOT_STEP[asset])
        if order * price <= room_usdt:
            return lots, order
        lots -= PERP_STEP[asset]
    return Decimal(0), Decimal(0)


def run(
    data: dict[str, Series],
    start_ms: int,
    end_ms: int,
    cash: Decimal = Decimal(15_000),
    spot_fee: Decimal = Decimal("0.001"),
    perp_fee: Decimal = Decimal("0.00055"),
) -> list[Event]:
    """Every action of FUNDING between two instants, flat at the start; rates settled before it are known (FU-2)."""
    events: list[Event] = []
    books = {asset: Book() for asset in ASSETS}
    last: dict[tuple[str, str], Decimal] = {}
    owed = Decimal(0)
    for asset in ASSETS:
        for ms in sorted(ms for ms in data[asset].rates if ms < start_ms):
            book, rate = books[asset], data[asset].rates[ms]
            book.history = [*book.history, rate][-2:]
            book.negative = book.negative + 1 if rate < 0 else 0

    def equity() -> Decimal:
        held = sum((b.coins * last.get((a, "spot"), Decimal(0)) for a, b in books.items()), Decimal(0))
        gains = (b.short * (b.average - last.get((a, "perp"), Decimal(0))) for a, b in books.items())
        return cash + held + sum(gains, Decimal(0)) - owed

    def fill_price(asset: str, leg: str, ms: int) -> Decimal:
        series: Leg = getattr(data[asset], leg)
        row = series.at.get(ms)
        return last[asset, leg] if row is None else Decimal(repr(float(series.open[row])))

    for now in range(start_ms, end_ms, HOUR):
        fresh = {}
        for asset in ASSETS:  # the hour that has just ended
            ok = True
            for leg in ("spot", "perp"):
                series = getattr(data[asset], leg)
                row = series.at.get(now - HOUR)
                if row is not None:
                    last[asset, leg] = Decimal(repr(float(series.close[row])))
                ok = ok and row is not None and series.volume[row] > 0
            fresh[asset] = ok
        settled = {asset: data[asset].rates[now] for asset in ASSETS if now in data[asset].rates}
        for asset, rate in settled.items():
            book = books[asset]
            if book.short > 0:
                amount = book.short * last[asset, "perp"] * rate
                cash += amount
                if amount > 0:
                    owed += amount / 2
                    book.carry += amount / 2
            book.history = [*book.history, rate][-2:]
            book.negative = book.negative + 1 if rate < 0 else 0
        basis = {a: last[a, "perp"] / last[a, "spot"] - 1 for a in ASSETS if fresh[a]}
        for asset, book in books.items():
            book.high_basis = book.high_basis + 1 if asset in basis and basis[asset] > Decimal("0.02") else 0

        # exits (D5: FU-8, negative, basis, 14 days)
        closed_now = set()
        all_out = bool(settled) and any(b.held and b.negative >= 3 for b in books.values())
        for asset, book in books.items():
            if not book.held:
                continue
            if not book.exit_waits:
                if all_out:
                    book.exit_waits = "FU-8"
                elif asset in settled and settled[asset] < 0:
                    book.exit_waits = "negative"
                elif book.high_basis >= 2:
                    book.exit_waits = "basis"
                elif asset in settled and now // SETTLEMENT - book.entered_ms // SETTLEMENT >= 42:
                    book.exit_waits = "14 days"
            if book.exit_waits and fresh[asset]:
                spot_quantity = step_down(book.coins, SPOT_STEP[asset])
                spot_price, perp_price = fill_price(asset, "spot", now), fill_price(asset, "perp", now)
                cash += spot_quantity * spot_price * (1 - spot_fee)
                cash += book.short * (book.average - perp_price) - book.short * perp_price * perp_fee
                events.append(Event(now, asset, "exit", book.exit_waits, book.short, spot_quantity))
                book.coins -= spot_quantity
                book.short, book.average, book.held, book.exit_waits = Decimal(0), Decimal(0), False, ""
                closed_now.add(asset)

        def buy(asset: str, now: int, room: Decimal, kind: str) -> Decimal:
            nonlocal cash
            book = books[asset]
            lots, order = pair_size(asset, room, last[asset, "spot"], spot_fee)
            if lots == 0 or order * last[asset, "spot"] < 5 or lots * last[asset, "perp"] < 5:
                return Decimal(0)
            spot_price, perp_price = fill_price(asset, "spot", now), fill_price(asset, "perp", now)
            cash -= order * spot_price + lots * perp_price * perp_fee
            book.coins += order * (1 - spot_fee)
            book.average = (book.average * book.short + lots * perp_price) / (book.short + lots)
            book.short += lots
            events.append(Event(now, asset, kind, "", lots, order))
            return order * spot_price

        if settled:
            total = equity()
            for asset in settled:
                book = books[asset]
                if book.held and not book.exit_waits and fresh[asset]:
                    room = min(book.carry, Decimal("0.05") * total - book.coins * last[asset, "spot"])
                    if room > 0:
                        book.carry -= buy(asset, now, room, "compound")
            total = equity()
            for asset in ASSETS:
                book = books[asset]
                ready = asset in settled and fresh[asset] and not book.held and asset not in closed_now
                if not ready or all_out or len(book.history) < 2:
                    continue
                flat = Decimal("-0.02") <= basis[asset] < Decimal("0.02")
                wanted = book.history[-1] > Decimal("0.0001") and min(book.history) > 0 and flat
                if wanted and buy(asset, now, Decimal("0.05") * total, "entry") > 0:
                    book.held, book.entered_ms = True, now
        if now % (24 * HOUR) == 0:
            cash, owed = cash - owed, Decimal(0)
    return events
