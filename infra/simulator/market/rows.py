"""The judge's look at one file: order, grid, ranges, shapes, gaps, silence, outliers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from infra.simulator.market.files import Table, UnreadableError, instants, numbers
from infra.simulator.market.findings import MAX_EXAMPLES, Finding, Severity, found, utc, where, whole
from infra.simulator.market.known_events import event_at, is_known
from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.series import Floats, Series, Times, decimal_of

FUNDING_STEP_MS = 8 * HOUR_MS
FUNDING_TOLERANCE_MS = 60_000
"""Venues stamp settlements a few milliseconds late; a minute is still the same settlement."""

LARGEST_RATE = 0.1
USUAL_RATE = 0.002
"""The middle of a month's rates lies below this; a file in per cent lies above."""

RATES_JUDGED = 90
LARGEST_PRICE = 1e12
LARGEST_VOLUME = 1e15

OUTLIER_SIGMA = 12.0
"""A close-to-close move of more than this many robust deviations (1.4826 × the median move) of its neighbourhood."""

NEIGHBOURHOOD = 500
MIN_MOVE = 0.15
"""Moves smaller than this are never called outliers: quiet weeks make small deviations."""

IMPOSSIBLE_MOVE = 0.6
"""Logarithm: a close that leaves and comes back by this much within two bars is no price that was paid."""

_A_DAY = "it must be a day at 00:00 UTC"
ZERO_VOLUME_RUN = 3
MIN_DVOL = 3.0


@dataclass(frozen=True, slots=True)
class Rows:
    """One file's rows as far as they can be used: instants on the grid, values by column."""

    times: Times
    values: dict[str, Floats]
    findings: tuple[Finding, ...]

    @property
    def is_usable(self) -> bool:
        """Without an error of its own."""
        return all(one.severity is not Severity.ERROR for one in self.findings)


def bars_of(table: Table, step_ms: int, coin: str, has_volume: bool) -> Rows:
    """Bars of `step_ms`; the mark price has no volume. Raises `UnreadableError`."""
    names = ("open", "high", "low", "close", *(("volume",) if has_volume else ()))
    read = _columns(table, ("ts",), names, optional=("n_src",))
    grid = "it must be on a full hour" if step_ms == HOUR_MS else "it must be a day at 00:00 UTC"
    findings = [*read.findings, *_order(read), *_off_grid(read, read.times, step_ms, 0, grid)]
    is_good = np.ones(len(read.times), dtype=np.bool_)
    for name in read.having(names[:4]):
        good = (read.values[name] > 0) & (read.values[name] <= LARGEST_PRICE)  # False for an empty field's NaN, too
        findings += _refused(read, name, ~good, "it must be a price above 0 (and not above 1e12)")
        is_good &= good
    for name in read.having(names[4:]):
        good = (read.values[name] >= 0) & (read.values[name] <= LARGEST_VOLUME)
        findings += _refused(read, name, ~good, "it must be a number of coins, 0 or more (at most 1e15)")
        findings += _silence(read)
    findings += _gaps(read, step_ms, step_ms, "hours" if step_ms == HOUR_MS else "days")
    sound = read.sound(is_good)
    if len(sound.times) and len(sound.having(names[:4])) == 4:
        findings += _shapes(sound)
        findings += _outliers(sound, coin)
    if "n_src" in sound.values:
        findings += _incomplete(sound)
    return Rows(read.times, read.values, tuple(findings))


def series_of(rows: Rows, step_ms: int) -> Series:
    """Usable bars as a series."""
    volume = rows.values.get("volume", np.zeros(len(rows.times)))
    open_, high, low, close = (rows.values[name] for name in ("open", "high", "low", "close"))
    return Series(step_ms, rows.times, open_, high, low, close, volume)


def rates_of(table: Table) -> Rows:
    """Funding rates as fractions, on full hours. Raises `UnreadableError`."""
    stamped = _columns(table, ("ts",), ("rate",))
    times = np.asarray((stamped.times + HOUR_MS // 2) // HOUR_MS * HOUR_MS, dtype=np.int64)
    read = replace(stamped, times=times)
    allowed = "it must be a fraction from -0.1 to 0.1 (0.0001 = 0.01 %)"
    grid = "it must be within a minute of a full hour"
    findings = [
        *read.findings,
        *_order(read),
        *_off_grid(read, stamped.times, HOUR_MS, FUNDING_TOLERANCE_MS, grid),
    ]
    for name in read.having(("rate",)):
        good = np.abs(read.values[name]) <= LARGEST_RATE
        findings += _refused(read, name, ~good, allowed)
        sound = read.sound(good)
        if len(sound.times):
            findings += _magnitude(sound)
            findings += _local_time(sound)
    findings += _gaps(read, FUNDING_STEP_MS, HOUR_MS, "settlements")
    return Rows(times, read.values, tuple(findings))


def fear_greed_of(table: Table) -> Rows:
    """The Fear & Greed index, one whole number a day. Raises `UnreadableError`."""
    read = _columns(table, ("date", "ts"), ("value",))
    findings = [*read.findings, *_order(read), *_off_grid(read, read.times, DAY_MS, 0, _A_DAY)]
    for name in read.having(("value",)):
        value = read.values[name]
        good = (value >= 0) & (value <= 100) & (value == np.floor(value))
        findings += _refused(read, name, ~good, "it must be a whole number from 0 to 100")
    findings += _gaps(read, DAY_MS, DAY_MS, "days")
    return Rows(read.times, read.values, tuple(findings))


def dvol_of(table: Table) -> Rows:
    """The volatility index in per cent, one close a day. Raises `UnreadableError`."""
    name = table.first(("dvol", "close"))
    read = _columns(table, ("ts", "date"), (name,))
    value = read.values[name]
    good = (value > 0) & (value < 1000)
    findings = [
        *read.findings,
        *_order(read),
        *_off_grid(read, read.times, DAY_MS, 0, _A_DAY),
        *_refused(read, name, ~good, "it must be a percentage between 0 and 1000"),
    ]
    if good.any() and float(np.median(value[good])) < MIN_DVOL:
        text = f"the middle value is {float(np.median(value[good])):.3g}; percentages are required (60 means 60 %)"
        findings.append(whole(table.file, "implausible magnitude", text))
    findings += _gaps(read, DAY_MS, DAY_MS, "days")
    return Rows(read.times, {"dvol": value}, tuple(findings))


def decimals(values: Floats) -> list[Decimal]:
    """The values as the decimal numbers that the file meant."""
    return [decimal_of(float(value)) for value in values]


@dataclass(frozen=True, slots=True)
class _Read:
    """The rows of a file whose fields are an instant and numbers, as far as its columns are there; `findings` say what
    the others are. `time` is the name of the column of instants."""

    table: Table
    time: str
    times: Times
    values: dict[str, Floats]
    findings: tuple[Finding, ...]

    @property
    def file(self) -> str:
        return self.table.file

    def having(self, names: tuple[str, ...]) -> list[str]:
        """Those of the columns that are there."""
        return [name for name in names if name in self.values]

    def sound(self, is_good: NDArray[np.bool_]) -> _Read:
        """The good rows in the order of time, of two at one instant the first: one wrong row must not hide what else is
        wrong, nor make its neighbours look wrong."""
        good = where(is_good)
        keep = good[np.unique(self.times[good], return_index=True)[1]]
        if len(keep) == len(self.times):
            return self
        values = {name: column[keep] for name, column in self.values.items()}
        return replace(self, table=self.table.only(keep), times=self.times[keep], values=values)


def _columns(table: Table, time: tuple[str, ...], names: tuple[str, ...], optional: tuple[str, ...] = ()) -> _Read:
    """All columns at once: what is wrong with any is reported together. Raises `UnreadableError` when there is no
    column of instants, none of the others, or no row without a fault in it."""
    findings: list[Finding] = [*table.findings]
    present: list[str] = []
    for one in ((name,) for name in names):
        try:
            present.append(table.first(one))
        except UnreadableError as error:
            findings += error.findings
    values: dict[str, Floats] = {}
    bad: list[Times] = []
    for name in (*present, *(one for one in optional if one in table.columns)):
        values[name], rows, told_of = numbers(table, name)
        bad.append(rows)
        findings += told_of
    try:
        column = table.first(time)
    except UnreadableError as error:
        raise UnreadableError([*error.findings, *findings]) from error
    times, rows, told_of = instants(table, column)
    bad.append(rows)
    findings = [*told_of, *findings]
    keep = np.setdiff1d(np.arange(table.rows, dtype=np.int64), np.concatenate(bad))
    if not present or not len(keep):
        raise UnreadableError(findings)
    if len(keep) < table.rows:
        table, times = table.only(keep), times[keep]
        values = {name: column_of[keep] for name, column_of in values.items()}
    return _Read(table, column, times, values, tuple(findings))


def _refused(read: _Read, column: str, bad: np.ndarray, allowed: str) -> list[Finding]:
    return found(
        read.file,
        f"impossible values of {column}",
        where(bad),
        lambda row: f"{utc(read.times[row])}, {read.table.shown(row, column, allowed)}",
    )


def _order(read: _Read) -> list[Finding]:
    steps = np.diff(read.times)
    allowed = "it must be later than the row before it"

    def text(row: int) -> str:
        after = f"{utc(read.times[row])} after {utc(read.times[row - 1])}"
        return f"{after}, {read.table.shown(row, read.time, allowed)}"

    return [
        *found(read.file, "duplicate rows", where(steps == 0) + 1, text),
        *found(read.file, "rows out of order", where(steps < 0) + 1, text),
    ]


def _off_grid(read: _Read, stamps: Times, step_ms: int, tolerance_ms: int, grid: str) -> list[Finding]:
    distance = np.minimum(stamps % step_ms, step_ms - stamps % step_ms)
    return found(
        read.file,
        "rows off the grid",
        where(distance > tolerance_ms),
        lambda row: f"{utc(stamps[row])}, {read.table.shown(row, read.time, grid)}",
    )


def _gaps(read: _Read, step_ms: int, grid_ms: int, unit: str) -> list[Finding]:
    """Rows that are missing between the first and the last; rates may settle more often than every `step_ms`."""
    times = np.unique(read.times // grid_ms * grid_ms)
    steps = np.diff(times)
    places = where(steps > step_ms)
    if not len(places):
        return []
    missing = int(np.sum(steps[places] // step_ms - 1 + (steps[places] % step_ms > 0)))
    longest = places[np.argsort(-steps[places], kind="stable")][:MAX_EXAMPLES]
    texts = tuple(f"{-(-int(steps[at]) // step_ms) - 1} from {utc(int(times[at]) + step_ms)}" for at in longest)
    return [Finding(read.file, f"missing {unit}", Severity.WARNING, missing, texts)]


def _shapes(read: _Read) -> list[Finding]:
    table, times, values = read.table, read.times, read.values
    top = np.maximum(values["open"], values["close"])
    bottom = np.minimum(values["open"], values["close"])
    above = "it must be at or above the open and the close of its row"
    below = "it must be at or below the open and the close of its row"

    def text(column: str, allowed: str, row: int) -> str:
        return f"{utc(times[row])}, {table.shown(row, column, allowed)}"

    return [
        *found(table.file, "inconsistent bars", where(values["high"] < top), lambda row: text("high", above, row)),
        *found(table.file, "inconsistent bars", where(values["low"] > bottom), lambda row: text("low", below, row)),
    ]


def _outliers(read: _Read, coin: str) -> list[Finding]:
    """Closes that jump far beyond what is usual around them: a warning, and an error when they come straight back."""
    file, times, close = read.file, read.times, read.values["close"]
    if len(close) < 3:
        return []
    moves = np.diff(np.log(close))
    usual = pl.Series(np.abs(moves)).rolling_median(NEIGHBOURHOOD, min_samples=min(20, len(moves)), center=True)
    limit = np.maximum(usual.fill_null(np.inf).to_numpy() * 1.4826 * OUTLIER_SIGMA, MIN_MOVE)
    far = where(np.abs(moves) > limit) + 1
    spikes = where((np.minimum(np.abs(moves[:-1]), np.abs(moves[1:])) > IMPOSSIBLE_MOVE) & (moves[:-1] * moves[1:] < 0))
    wrong = (spikes + 1)[~is_known(coin, times[spikes + 1])]
    far = np.setdiff1d(far, np.concatenate((wrong, wrong + 1)))

    def text(row: int) -> str:
        return f"row {read.table.number(row)}, {utc(times[row])}: close {close[row]:.10g} after {close[row - 1]:.10g}"

    return [
        *found(file, "impossible closes", wrong, lambda row: f"{text(row)} and {close[row + 1]:.10g} after it"),
        *findings_of(file, "outliers", times, far, text, coin),
    ]


def findings_of(file: str, kind: str, times: Times, rows: Times, text: object, coin: str) -> list[Finding]:
    """Rows that are reported but stop no run: warnings, and apart from them those within known events."""
    assert callable(text)
    known = is_known(coin, times[rows])

    def named(row: int) -> str:
        event = event_at(coin, int(times[row]))
        return f"{text(row)} ({event.what})" if event else str(text(row))

    return [
        *found(file, kind, rows[~known], named, Severity.WARNING),
        *found(file, kind, rows[known], named, Severity.KNOWN),
    ]


def _silence(read: _Read) -> list[Finding]:
    is_zero = np.concatenate(([False], read.values["volume"] == 0, [False]))
    edges = np.flatnonzero(np.diff(is_zero.astype(np.int8)))
    runs = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= ZERO_VOLUME_RUN]
    texts = tuple(f"{b - a} rows from row {read.table.number(a)}, {utc(read.times[a])}" for a, b in runs[:MAX_EXAMPLES])
    return [Finding(read.file, "runs without volume", Severity.WARNING, len(runs), texts)] if runs else []


def _incomplete(read: _Read) -> list[Finding]:
    sources = read.values["n_src"]
    rows = where(sources < DAY_MS // HOUR_MS)
    return found(
        read.file,
        "incomplete days",
        rows,
        lambda row: f"row {read.table.number(row)}, {utc(read.times[row])[:10]}: made of {sources[row]:.0f} hours",
        Severity.WARNING,
    )


def _magnitude(read: _Read) -> list[Finding]:
    """A month whose middle rate is above what any month has seen is in per cent (or worse)."""
    rate = read.values["rate"]
    size = np.abs(rate)
    middle = pl.Series(size).rolling_median(RATES_JUDGED, min_samples=min(3, len(size)), center=True)
    rows = where(middle.fill_null(0.0).to_numpy() > USUAL_RATE)
    if not len(rows):
        return []
    row = int(rows[0])
    text = (
        f"row {read.table.number(row)}, {utc(read.times[row])}: rate {rate[row]:.6g}; around it the middle size is "
        f"{float(np.median(size[rows])):.3g} over {len(rows):,} rows, and it is below {USUAL_RATE} in every month of "
        "every market; fractions are required (0.0001 = 0.01 %), these look like per cent"
    )
    return [Finding(read.file, "rates of implausible magnitude", Severity.ERROR, len(rows), (text,))]


def _local_time(read: _Read) -> list[Finding]:
    """Settlements eight hours apart happen at 00:00, 08:00 and 16:00 UTC; others were stamped in another zone."""
    times = read.times
    steps = np.diff(times)
    between = np.zeros(len(times), dtype=np.bool_)
    between[1:-1] = (steps[:-1] == FUNDING_STEP_MS) & (steps[1:] == FUNDING_STEP_MS)
    return found(
        read.file,
        "settlements in another time zone",
        where(between & (times % FUNDING_STEP_MS != 0)),
        lambda row: (
            f"row {read.table.number(row)}, {utc(times[row])}: eight-hourly rates settle at 00:00, 08:00 and 16:00 UTC"
        ),
    )
