"""The one judge of a history folder: `eternal history check` prints it, the loader starts only without errors.

Stems: ``{btc,eth,sol}_usdt_{spot,perp}_{1h,1d}``, ``{btc,eth,sol}_usdt_mark_1h``, ``funding_{btc,eth,sol}`` (or
``funding_sol_2024``), ``fear_greed``, ``dvol_btc_1d``; each as ``.parquet`` or ``.csv``. The hourly spot and perpetual
bars of BTC and ETH are required.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path

from infra.simulator.market.comparisons import File, compared
from infra.simulator.market.files import Table, UnreadableError, read_table
from infra.simulator.market.findings import Finding, HistoryError, Severity, utc, whole
from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.rows import (
    FUNDING_STEP_MS,
    Rows,
    bars_of,
    decimals,
    dvol_of,
    fear_greed_of,
    rates_of,
    series_of,
)
from infra.simulator.market.series import Series
from infra.simulator.market.tape import Funding

COINS = ("BTC", "ETH", "SOL")
REQUIRED_COINS = ("BTC", "ETH")
KINDS = {"spot": "spot", "linear": "perp"}
"""The word for a category in the names of files."""

SUFFIXES = (".parquet", ".csv")
FOLDER = "the folder"
NOT_USABLE = "not usable, see the errors"
_MAX_TOLD = 20
_SOL_FUNDING = ("funding_sol", "funding_sol_2024")


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one file of the history holds, or that it is missing (which an unreadable one is not). Instants in ms;
    ``gaps`` counts missing rows."""

    stem: str
    rows: int
    first_ms: int | None
    last_ms: int | None
    gaps: int
    note: str
    sha256: str = ""
    is_missing: bool = False

    def __str__(self) -> str:
        if self.first_ms is None or self.last_ms is None:
            return f"{self.stem}: missing; {self.note}" if self.is_missing else f"{self.stem}: {self.note}"
        text = f"{self.stem}: {self.rows:,} rows, {utc(self.first_ms)} to {utc(self.last_ms)}, {self.gaps:,} missing"
        return f"{text}; {self.note}" if self.note else text


@dataclass(slots=True)
class Judgement:
    """What a folder holds and what is wrong with it. The data are complete when there is no error."""

    folder: Path
    files: list[Coverage] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    hours: dict[tuple[str, str], Series] = field(default_factory=dict)
    days: dict[tuple[str, str], Series] = field(default_factory=dict)
    marks: dict[str, Series] = field(default_factory=dict)
    funding: dict[str, Funding] = field(default_factory=dict)
    fear_greed: list[tuple[int, int]] = field(default_factory=list)
    dvol: list[tuple[int, Decimal]] = field(default_factory=list)

    @property
    def errors(self) -> list[Finding]:
        """What makes the folder unusable."""
        return [one for one in self.findings if one.severity is Severity.ERROR]

    def demand(self) -> None:
        """Raise `HistoryError` with every error of the folder, when there is one."""
        errors = self.errors
        if errors:
            lines = [f"  {one}" for one in errors[:_MAX_TOLD]]
            more = [f"  and {len(errors) - _MAX_TOLD} more"] if len(errors) > _MAX_TOLD else []
            text = f"The history folder {self.folder} cannot be used; `eternal history check` lists everything:"
            raise HistoryError("\n".join([text, *lines, *more]))

    @property
    def first_common_ms(self) -> int:
        """The first whole UTC day for which all required hours exist."""
        return -(-max(self.hours[key].first_ms for key in required()) // DAY_MS) * DAY_MS

    @property
    def end_ms(self) -> int:
        """The end of the first required file that ends, exclusive."""
        return min(self.hours[key].last_ms for key in required()) + HOUR_MS


def required() -> list[tuple[str, str]]:
    """Category and symbol of the hours without which there is no market."""
    return [(category, f"{coin}USDT") for coin in REQUIRED_COINS for category in KINDS]


def judge(folder: Path) -> Judgement:
    """Read and judge everything in the folder that its name calls ours. Raises nothing for bad content."""
    return _Judge(folder).judgement()


class _Judge:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._result = Judgement(folder)
        self._hours: dict[tuple[str, str], File] = {}
        self._days: dict[tuple[str, str], File] = {}
        self._read: set[str] = set()

    def judgement(self) -> Judgement:
        result = self._result
        try:
            names = {path.name for path in self._folder.iterdir()}
        except OSError as error:
            if not self._folder.exists():
                text = f"The history folder {self._folder} does not exist; it must be a folder of history files"
            else:
                text = f"The history folder {self._folder} cannot be read: {error.strerror}; a folder is required"
            result.findings.append(whole(FOLDER, "unreadable", text))
            return result
        self._names = names
        for coin in COINS:
            self._coin(coin)
        self._index()
        result.findings += self._absent()
        result.findings += self._strangers()
        # The files without an error of their own: another one's must not hide what they contradict each other in.
        result.findings += compared(self._hours, self._days)
        if not result.errors and result.first_common_ms >= result.end_ms:
            text = "the required files have no whole UTC day in common; at least one is required"
            result.findings.append(whole(FOLDER, "no common period", text))
        return result

    def _coin(self, coin: str) -> None:
        name, symbol, result = coin.lower(), f"{coin}USDT", self._result
        for category, kind in KINDS.items():
            stem = f"{name}_usdt_{kind}_1h"
            without = f"{category} {symbol} is not traded"
            read = partial(bars_of, step_ms=HOUR_MS, coin=coin, has_volume=True)
            rows = self._rows(stem, read, without, HOUR_MS)
            hourly = None if rows is None else series_of(rows, HOUR_MS)
            if hourly is not None:
                result.hours[category, symbol] = hourly
                self._hours[coin, kind] = File(self._file(stem), coin, kind, hourly)
            daily = self._daily(coin, kind, hourly)
            if daily is not None and hourly is not None:
                result.days[category, symbol] = daily
                self._days[coin, kind] = File(self._file(f"{name}_usdt_{kind}_1d"), coin, kind, daily)
        read = partial(bars_of, step_ms=HOUR_MS, coin=coin, has_volume=False)
        rows = self._rows(f"{name}_usdt_mark_1h", read, "the last price stands for the mark", HOUR_MS)
        if rows is not None and ("linear", symbol) in result.hours:
            result.marks[symbol] = series_of(rows, HOUR_MS)
            self._hours[coin, "mark"] = File(self._file(f"{name}_usdt_mark_1h"), coin, "mark", result.marks[symbol])
        stems = _SOL_FUNDING if coin == "SOL" else (f"funding_{name}",)
        stem = next((one for one in stems if self._paths(one)), stems[0])
        rates = self._rows(stem, rates_of, f"no funding of {symbol} is settled", FUNDING_STEP_MS)
        if rates is not None and ("linear", symbol) in result.hours:
            result.funding[symbol] = Funding([int(time) for time in rates.times], decimals(rates.values["rate"]))

    def _daily(self, coin: str, kind: str, hourly: Series | None) -> Series | None:
        """Daily bars without an incomplete first or last day; None without a file or a whole day in it."""
        stem = f"{coin.lower()}_usdt_{kind}_1d"
        read = partial(bars_of, step_ms=DAY_MS, coin=coin, has_volume=True)
        rows = self._rows(stem, read, "daily bars are aggregated from the hourly ones", DAY_MS)
        if rows is None:
            return None
        series = series_of(rows, DAY_MS)
        keep = series.starts == series.starts
        sources = rows.values.get("n_src")
        for place in (0, -1):
            partial_day = sources is not None and bool(sources[place] < DAY_MS // HOUR_MS)
            begun_within = (
                place == 0 and hourly is not None and series.first_ms < hourly.first_ms < series.first_ms + DAY_MS
            )
            if partial_day or begun_within:
                keep[place] = False
                which = "first" if place == 0 else "last"
                self._note(stem, f"the {which} day {utc(series.starts[place])[:10]} is incomplete: dropped")
        return series.rows(keep) if bool(keep.any()) else None

    def _index(self) -> None:
        result = self._result
        mood = self._rows("fear_greed", fear_greed_of, "the Fear & Greed index is unknown", DAY_MS)
        if mood is not None:
            values = mood.values["value"]
            result.fear_greed = [(int(time), int(value)) for time, value in zip(mood.times, values, strict=True)]
        dvol = self._rows("dvol_btc_1d", dvol_of, "realised volatility stands for the volatility index", DAY_MS)
        if dvol is not None:
            closes = decimals(dvol.values["dvol"])
            result.dvol = [(int(time), value) for time, value in zip(dvol.times, closes, strict=True)]

    def _rows(self, stem: str, read: Callable[[Table], Rows], without: str, step_ms: int) -> Rows | None:
        """The usable rows of a file; the findings go into the judgement."""
        result, paths = self._result, self._paths(stem)
        self._read.update(path.name for path in paths)
        if not paths:
            result.files.append(Coverage(stem, 0, None, None, 0, without, is_missing=True))
            return None
        if len(paths) > 1:
            text = f"the folder holds both {paths[0].name} and {paths[1].name}; keep one of them, since they may differ"
            result.findings.append(whole(FOLDER, "two files of one name", text))
            return None
        path = paths[0]
        try:
            table = read_table(path)
            rows = read(table)
        except UnreadableError as error:
            result.findings += error.findings
            result.files.append(Coverage(stem, 0, None, None, 0, NOT_USABLE, _sha256(path)))
            return None
        result.findings += rows.findings
        first, last = int(rows.times.min()), int(rows.times.max())
        gaps = max((last - first) // step_ms + 1 - len(rows.times), 0)
        note = "" if rows.is_usable else NOT_USABLE
        result.files.append(Coverage(stem, len(rows.times), first, last, gaps, note, _sha256(path)))
        return rows if rows.is_usable else None

    def _paths(self, stem: str) -> list[Path]:
        return [self._folder / f"{stem}{suffix}" for suffix in SUFFIXES if f"{stem}{suffix}" in self._names]

    def _file(self, stem: str) -> str:
        return self._paths(stem)[0].name

    def _note(self, stem: str, note: str) -> None:
        files = self._result.files
        at = next(number for number, one in enumerate(files) if one.stem == stem)
        one = files[at]
        text = f"{one.note}; {note}" if one.note else note
        files[at] = Coverage(one.stem, one.rows, one.first_ms, one.last_ms, one.gaps, text, one.sha256)

    def _absent(self) -> Iterator[Finding]:
        for category, symbol in required():
            stem = f"{symbol[:3].lower()}_usdt_{KINDS[category]}_1h"
            if not self._paths(stem):
                text = f"{stem}.parquet or {stem}.csv, the hourly bars of {category} {symbol}, is required"
                yield whole(FOLDER, "missing files", text)

    def _strangers(self) -> Iterator[Finding]:
        """Files that look like history and are not read: a misspelt name must not pass in silence."""
        others = sorted(name for name in self._names - self._read if name.lower().endswith(SUFFIXES))
        if others:
            shown = tuple(others[:_MAX_TOLD])
            yield Finding(FOLDER, "files that are not read", Severity.WARNING, len(others), shown)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
