"""The market of a folder of history files: hourly bars, optional daily bars, marks, funding and feeds.

Stems: ``{btc,eth,sol}_usdt_{spot,perp,mark}_{1h,1d}``, ``funding_{btc,eth,sol}`` (or ``funding_sol_2024``),
``fear_greed``, ``dvol_btc_1d``; each as ``.parquet`` or ``.csv``. The hourly spot and perpetual bars of BTC and ETH
are required.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np

from infra.simulator.market.files import (
    HistoryError,
    Table,
    demand,
    find,
    instants,
    numbers,
    on_grid,
    read_table,
)
from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.series import Series, Times, decimal_of
from infra.simulator.market.tape import Funding, Tape, TapeMarket

COINS = ("BTC", "ETH", "SOL")
REQUIRED_COINS = ("BTC", "ETH")
_FILE_NAME_OF_CATEGORY = {"spot": "spot", "linear": "perp"}
_FUNDING_STEMS = {coin: (f"funding_{coin.lower()}",) for coin in COINS} | {"SOL": ("funding_sol", "funding_sol_2024")}
_FUNDING_TOLERANCE_MS = 60_000
"""Venues stamp settlements a few milliseconds late; a minute is still the same settlement."""
_LARGEST_RATE = 0.1


@dataclass(frozen=True)
class Coverage:
    """What one file of the history holds, or that it is missing. Instants in ms; ``gaps`` counts missing rows."""

    stem: str
    rows: int
    first_ms: int | None
    last_ms: int | None
    gaps: int
    note: str

    def __str__(self) -> str:
        if self.first_ms is None or self.last_ms is None:
            return f"{self.stem}: missing; {self.note}"
        text = f"{self.stem}: {self.rows} rows, {_utc(self.first_ms)} to {_utc(self.last_ms)}, {self.gaps} missing"
        return f"{text}; {self.note}" if self.note else text


def _utc(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


class HistoryMarket(TapeMarket):
    """The market of a history folder, tradable in ``[start_ms, end_ms)``; everything before is warm-up.

    Without ``start_ms`` it starts at the first whole UTC day for which all required series exist; without ``end_ms``
    it ends with the first required series that ends. Raises ``HistoryError`` for a folder, file or period that
    cannot be used.
    """

    def __init__(self, folder: Path, start_ms: int | None = None, end_ms: int | None = None) -> None:
        loader = _Loader(folder)
        self._coverage = loader.coverage
        super().__init__(loader.tape(start_ms, end_ms))

    def coverage(self) -> list[Coverage]:
        """One line per file the market looked for, the missing ones included."""
        return list(self._coverage)


class _Loader:
    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise HistoryError(f"The history folder {folder} does not exist; it must be a folder of history files.")
        self.folder = folder
        self.coverage: list[Coverage] = []

    def tape(self, start_ms: int | None, end_ms: int | None) -> Tape:
        hours: dict[tuple[str, str], Series] = {}
        days: dict[tuple[str, str], Series] = {}
        marks: dict[str, Series] = {}
        funding: dict[str, Funding] = {}
        for coin in COINS:
            symbol = f"{coin}USDT"
            for category, name in _FILE_NAME_OF_CATEGORY.items():
                hourly = self._bars(f"{coin.lower()}_usdt_{name}_1h", HOUR_MS, f"{category} {symbol} is not traded")
                if hourly is None:
                    continue
                hours[category, symbol] = hourly
                daily = self._daily(f"{coin.lower()}_usdt_{name}_1d", hourly)
                if daily is not None:
                    days[category, symbol] = daily
            if ("linear", symbol) in hours:
                mark = self._bars(f"{coin.lower()}_usdt_mark_1h", HOUR_MS, "the last price stands for the mark")
                if mark is not None:
                    marks[symbol] = mark
                settled = self._funding(coin)
                if settled is not None:
                    funding[symbol] = settled
        start_ms, end_ms = self._period(hours, start_ms, end_ms)
        return Tape(
            label=f"history, folder {self.folder.resolve().name}",
            start_ms=start_ms,
            end_ms=end_ms,
            hours=hours,
            days=days,
            marks=marks,
            funding=funding,
            fear_greed=self._fear_greed(),
            dvol=self._dvol(),
        )

    def _period(
        self, hours: dict[tuple[str, str], Series], start_ms: int | None, end_ms: int | None
    ) -> tuple[int, int]:
        required = [(category, f"{coin}USDT") for coin in REQUIRED_COINS for category in _FILE_NAME_OF_CATEGORY]
        absent = [f"{category} {symbol}" for category, symbol in required if (category, symbol) not in hours]
        if absent:
            raise HistoryError(
                f"History folder {self.folder.name} has no hourly bars of {', '.join(absent)}; "
                "files named like btc_usdt_spot_1h.parquet or btc_usdt_perp_1h.csv are required for BTC and ETH."
            )
        first_common_ms = max(hours[key].first_ms for key in required)
        if start_ms is None:
            start_ms = -(-first_common_ms // DAY_MS) * DAY_MS
        last_end_ms = min(hours[key].last_ms for key in required) + HOUR_MS
        end_ms = last_end_ms if end_ms is None else end_ms
        earliest_ms = max(hours["spot", f"{coin}USDT"].first_ms for coin in REQUIRED_COINS)
        if start_ms % DAY_MS or start_ms < earliest_ms:
            raise HistoryError(
                f"The period cannot start at {_utc(start_ms)} UTC; it must start at 00:00 UTC of a day from "
                f"{_utc(earliest_ms)} on, where the hourly spot bars of BTC and ETH exist."
            )
        if end_ms % HOUR_MS or not start_ms < end_ms <= last_end_ms:
            raise HistoryError(
                f"The period cannot end at {_utc(end_ms)} UTC; it must end on a full hour after its start "
                f"{_utc(start_ms)} and no later than {_utc(last_end_ms)}, where the hourly bars end."
            )
        return start_ms, end_ms

    def _note(self, stem: str, times: Times, step_ms: int, note: str = "") -> None:
        first_ms, last_ms = int(times[0]), int(times[-1])
        gaps = max((last_ms - first_ms) // step_ms + 1 - len(times), 0)
        self.coverage.append(Coverage(stem, len(times), first_ms, last_ms, gaps, note))

    def _open(self, stem: str, without: str) -> Table | None:
        path = find(self.folder, stem)
        if path is None:
            self.coverage.append(Coverage(stem, 0, None, None, 0, without))
            return None
        return read_table(path)

    def _bars(self, stem: str, step_ms: int, without: str) -> Series | None:
        table = self._open(stem, without)
        if table is None:
            return None
        series = _checked_bars(table, step_ms)
        self._note(stem, series.starts, step_ms)
        return series

    def _daily(self, stem: str, hourly: Series) -> Series | None:
        """Daily bars of the file without an incomplete first day; None without a file or a whole day in it."""
        table = self._open(stem, "daily bars are aggregated from the hourly ones")
        if table is None:
            return None
        series = _checked_bars(table, DAY_MS)
        partial = "n_src" in table.columns and int(numbers(table, "n_src")[0]) < DAY_MS // HOUR_MS
        begun_within = series.first_ms < hourly.first_ms < series.first_ms + DAY_MS
        if not (partial or begun_within):
            self._note(stem, series.starts, DAY_MS)
            return series
        self._note(stem, series.starts, DAY_MS, f"the first day {_utc(series.first_ms)[:10]} is incomplete: dropped")
        return series.rows(series.starts > series.first_ms) if len(series) > 1 else None

    def _funding(self, coin: str) -> Funding | None:
        stems = _FUNDING_STEMS[coin]
        stem = next((name for name in stems if find(self.folder, name) is not None), stems[0])
        table = self._open(stem, f"no funding of {coin}USDT is settled")
        if table is None:
            return None
        column = table.first(("ts",))
        times = on_grid(
            table, column, instants(table, column), HOUR_MS, _FUNDING_TOLERANCE_MS, "within a minute of a full hour"
        )
        rates = numbers(table, table.first(("rate",)))
        demand(
            table, "rate", np.abs(rates) <= _LARGEST_RATE, "it must be a fraction from -0.1 to 0.1 (0.0001 = 0.01 %)"
        )
        self._note(stem, times, 8 * HOUR_MS)
        return Funding([int(time) for time in times], [decimal_of(float(rate)) for rate in rates])

    def _fear_greed(self) -> list[tuple[int, int]]:
        table = self._open("fear_greed", "the Fear & Greed index is unknown")
        if table is None:
            return []
        column = table.first(("date", "ts"))
        times = on_grid(table, column, instants(table, column), DAY_MS, 0, "a day at 00:00 UTC")
        values = numbers(table, table.first(("value",)))
        whole = (values >= 0) & (values <= 100) & (values == np.floor(values))
        demand(table, "value", whole, "it must be a whole number from 0 to 100")
        self._note("fear_greed", times, DAY_MS)
        return [(int(time), int(value)) for time, value in zip(times, values, strict=True)]

    def _dvol(self) -> list[tuple[int, Decimal]]:
        table = self._open("dvol_btc_1d", "realised volatility stands for the volatility index")
        if table is None:
            return []
        column = table.first(("ts", "date"))
        times = on_grid(table, column, instants(table, column), DAY_MS, 0, "a day at 00:00 UTC")
        name = table.first(("dvol", "close"))
        values = numbers(table, name)
        demand(table, name, (values > 0) & (values < 1000), "it must be a percentage between 0 and 1000")
        self._note("dvol_btc_1d", times, DAY_MS)
        return [(int(time), decimal_of(float(value))) for time, value in zip(times, values, strict=True)]


def _checked_bars(table: Table, step_ms: int) -> Series:
    column = table.first(("ts",))
    grid = "on a full hour" if step_ms == HOUR_MS else "a day at 00:00 UTC"
    times = on_grid(table, column, instants(table, column), step_ms, 0, grid)
    prices = {name: numbers(table, table.first((name,))) for name in ("open", "high", "low", "close")}
    for name, values in prices.items():
        # The comparison is false for NaN, so an empty field is refused too.
        demand(table, name, (values > 0) & np.isfinite(values), "it must be a price above 0")
    top = np.maximum(prices["open"], prices["close"])
    bottom = np.minimum(prices["open"], prices["close"])
    demand(table, "high", prices["high"] >= top, "it must be at or above the open and the close of its row")
    demand(table, "low", prices["low"] <= bottom, "it must be at or below the open and the close of its row")
    volume = np.zeros(table.rows)
    if "_mark_" not in table.path.name:
        volume = numbers(table, table.first(("volume",)))
        demand(table, "volume", (volume >= 0) & np.isfinite(volume), "it must be a number of coins, 0 or more")
    return Series(step_ms, times, prices["open"], prices["high"], prices["low"], prices["close"], volume)
