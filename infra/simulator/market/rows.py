"""The judge's look at one file: order, grid, ranges, shapes, gaps, silence, outliers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from infra.simulator.market.files import Table, UnreadableError, instants, numbers
from infra.simulator.market.findings import MOST_EXAMPLES, Finding, Severity, found, utc, where, whole
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
LEAST_MOVE = 0.15
"""Moves smaller than this are never called outliers: quiet weeks make small deviations."""

IMPOSSIBLE_MOVE = 0.6
"""Logarithm: a close that leaves and comes back by this much within two bars is no price that was paid."""

ZERO_VOLUME_RUN = 3
LEAST_DVOL = 3.0


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
    column = table.first(("ts",))
    names = ("open", "high", "low", "close", *(("volume",) if has_volume else ()))
    times, values = _columns(table, column, names, optional=("n_src",))
    grid = "it must be on a full hour" if step_ms == HOUR_MS else "it must be a day at 00:00 UTC"
    findings = [*_order(table, column, times), *_off_grid(table, column, times, step_ms, 0, grid)]
    for name in names[:4]:
        good = (values[name] > 0) & (values[name] <= LARGEST_PRICE)  # False for NaN, so an empty field is refused too
        findings += _refused(table, times, name, ~good, "it must be a price above 0 (and not above 1e12)")
    if has_volume:
        volume = values["volume"]
        bad = ~((volume >= 0) & (volume <= LARGEST_VOLUME))
        findings += _refused(table, times, "volume", bad, "it must be a number of coins, 0 or more (at most 1e15)")
        findings += _silence(table.file, times, volume)
    if all(one.severity is not Severity.ERROR for one in findings):
        findings += _shapes(table, times, values)
        findings += _gaps(table.file, times, step_ms, step_ms, "hours" if step_ms == HOUR_MS else "days")
        findings += _outliers(table.file, times, values["close"], coin)
        if "n_src" in values:
            findings += _incomplete(table.file, times, values["n_src"])
    return Rows(times, values, tuple(findings))


def series_of(rows: Rows, step_ms: int) -> Series:
    """Usable bars as a series."""
    volume = rows.values.get("volume", np.zeros(len(rows.times)))
    open_, high, low, close = (rows.values[name] for name in ("open", "high", "low", "close"))
    return Series(step_ms, rows.times, open_, high, low, close, volume)


def rates_of(table: Table) -> Rows:
    """Funding rates as fractions, on full hours. Raises `UnreadableError`."""
    column = table.first(("ts",))
    stamped, values = _columns(table, column, ("rate",))
    times = np.asarray((stamped + HOUR_MS // 2) // HOUR_MS * HOUR_MS, dtype=np.int64)
    rate = values["rate"]
    allowed = "it must be a fraction from -0.1 to 0.1 (0.0001 = 0.01 %)"
    grid = "it must be within a minute of a full hour"
    findings = [
        *_order(table, column, times),
        *_off_grid(table, column, stamped, HOUR_MS, FUNDING_TOLERANCE_MS, grid),
        *_refused(table, times, "rate", ~(np.abs(rate) <= LARGEST_RATE), allowed),
    ]
    if not findings:
        findings += _magnitude(table.file, times, rate)
        findings += _local_time(table.file, times)
        findings += _gaps(table.file, times, FUNDING_STEP_MS, HOUR_MS, "settlements")
    return Rows(times, values, tuple(findings))


def fear_greed_of(table: Table) -> Rows:
    """The Fear & Greed index, one whole number a day. Raises `UnreadableError`."""
    column = table.first(("date", "ts"))
    times, values = _columns(table, column, ("value",))
    value = values["value"]
    good = (value >= 0) & (value <= 100) & (value == np.floor(value))
    findings = [
        *_order(table, column, times),
        *_off_grid(table, column, times, DAY_MS, 0, "it must be a day at 00:00 UTC"),
        *_refused(table, times, "value", ~good, "it must be a whole number from 0 to 100"),
    ]
    if not findings:
        findings += _gaps(table.file, times, DAY_MS, DAY_MS, "days")
    return Rows(times, values, tuple(findings))


def dvol_of(table: Table) -> Rows:
    """The volatility index in per cent, one close a day. Raises `UnreadableError`."""
    column = table.first(("ts", "date"))
    name = table.first(("dvol", "close"))
    times, values = _columns(table, column, (name,))
    value = values[name]
    findings = [
        *_order(table, column, times),
        *_off_grid(table, column, times, DAY_MS, 0, "it must be a day at 00:00 UTC"),
        *_refused(table, times, name, ~((value > 0) & (value < 1000)), "it must be a percentage between 0 and 1000"),
    ]
    if not findings and float(np.median(value)) < LEAST_DVOL:
        text = f"the middle value is {float(np.median(value)):.3g}; percentages are required (60 means 60 %)"
        findings.append(whole(table.file, "implausible magnitude", text))
    if not findings:
        findings += _gaps(table.file, times, DAY_MS, DAY_MS, "days")
    return Rows(times, {"dvol": value}, tuple(findings))


def decimals(values: Floats) -> list[Decimal]:
    """The values as the decimal numbers that the file meant."""
    return [decimal_of(float(value)) for value in values]


def _columns(
    table: Table, time: str, names: tuple[str, ...], optional: tuple[str, ...] = ()
) -> tuple[Times, dict[str, Floats]]:
    """All columns at once: what is wrong with any of them is told together."""
    findings: list[Finding] = []
    times: Times = np.empty(0, dtype=np.int64)
    values: dict[str, Floats] = {}
    try:
        times = instants(table, time)
    except UnreadableError as error:
        findings += error.findings
    for name in (*names, *(one for one in optional if one in table.columns)):
        try:
            values[name] = numbers(table, table.first((name,)))
        except UnreadableError as error:
            findings += error.findings
    if findings:
        raise UnreadableError(findings)
    return times, values


def _refused(table: Table, times: Times, column: str, bad: np.ndarray, allowed: str) -> list[Finding]:
    return found(
        table.file,
        f"impossible values of {column}",
        where(bad),
        lambda row: f"{utc(times[row])}, {table.shown(row, column, allowed)}",
    )


def _order(table: Table, column: str, times: Times) -> list[Finding]:
    steps = np.diff(times)
    allowed = "it must be later than the row before it"

    def text(row: int) -> str:
        return f"{utc(times[row])} after {utc(times[row - 1])}, {table.shown(row, column, allowed)}"

    return [
        *found(table.file, "duplicate rows", where(steps == 0) + 1, text),
        *found(table.file, "rows out of order", where(steps < 0) + 1, text),
    ]


def _off_grid(table: Table, column: str, times: Times, step_ms: int, tolerance_ms: int, grid: str) -> list[Finding]:
    distance = np.minimum(times % step_ms, step_ms - times % step_ms)
    return found(
        table.file,
        "rows off the grid",
        where(distance > tolerance_ms),
        lambda row: f"{utc(times[row])}, {table.shown(row, column, grid)}",
    )


def _gaps(file: str, times: Times, step_ms: int, grid_ms: int, unit: str) -> list[Finding]:
    """Rows that are missing between the first and the last; rates may settle more often than every `step_ms`."""
    steps = np.diff(times // grid_ms * grid_ms)
    places = where(steps > step_ms)
    if not len(places):
        return []
    missing = int(np.sum(steps[places] // step_ms - 1 + (steps[places] % step_ms > 0)))
    longest = places[np.argsort(-steps[places], kind="stable")][:MOST_EXAMPLES]
    texts = tuple(f"{-(-int(steps[at]) // step_ms) - 1} from {utc(int(times[at]) + step_ms)}" for at in longest)
    return [Finding(file, f"missing {unit}", Severity.WARNING, missing, texts)]


def _shapes(table: Table, times: Times, values: dict[str, Floats]) -> list[Finding]:
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


def _outliers(file: str, times: Times, close: Floats, coin: str) -> list[Finding]:
    """Closes that jump far beyond what is usual around them: a warning, and an error when they come straight back."""
    if len(close) < 3:
        return []
    moves = np.diff(np.log(close))
    usual = pl.Series(np.abs(moves)).rolling_median(NEIGHBOURHOOD, min_samples=min(20, len(moves)), center=True)
    limit = np.maximum(usual.fill_null(np.inf).to_numpy() * 1.4826 * OUTLIER_SIGMA, LEAST_MOVE)
    far = where(np.abs(moves) > limit) + 1
    spikes = where((np.minimum(np.abs(moves[:-1]), np.abs(moves[1:])) > IMPOSSIBLE_MOVE) & (moves[:-1] * moves[1:] < 0))
    wrong = (spikes + 1)[~is_known(coin, times[spikes + 1])]
    far = np.setdiff1d(far, np.concatenate((wrong, wrong + 1)))

    def text(row: int) -> str:
        return f"row {row + 1}, {utc(times[row])}: close {close[row]:.10g} after {close[row - 1]:.10g}"

    return [
        *found(file, "impossible closes", wrong, lambda row: f"{text(row)} and {close[row + 1]:.10g} after it"),
        *told(file, "outliers", times, far, text, coin),
    ]


def told(file: str, kind: str, times: Times, rows: Times, text: object, coin: str) -> list[Finding]:
    """Rows that are told but stop nobody: warnings, and those within known events apart."""
    assert callable(text)
    known = is_known(coin, times[rows])

    def named(row: int) -> str:
        event = event_at(coin, int(times[row]))
        return f"{text(row)} ({event.what})" if event else str(text(row))

    return [
        *found(file, kind, rows[~known], named, Severity.WARNING),
        *found(file, kind, rows[known], named, Severity.KNOWN),
    ]


def _silence(file: str, times: Times, volume: Floats) -> list[Finding]:
    is_zero = np.concatenate(([False], volume == 0, [False]))
    edges = np.flatnonzero(np.diff(is_zero.astype(np.int8)))
    runs = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= ZERO_VOLUME_RUN]
    texts = tuple(f"{b - a} rows from row {a + 1}, {utc(times[a])}" for a, b in runs[:MOST_EXAMPLES])
    return [Finding(file, "runs without volume", Severity.WARNING, len(runs), texts)] if runs else []


def _incomplete(file: str, times: Times, sources: Floats) -> list[Finding]:
    rows = where(sources < DAY_MS // HOUR_MS)
    return found(
        file,
        "incomplete days",
        rows,
        lambda row: f"row {row + 1}, {utc(times[row])[:10]}: made of {sources[row]:.0f} hours",
        Severity.WARNING,
    )


def _magnitude(file: str, times: Times, rate: Floats) -> list[Finding]:
    """A month whose middle rate is above what any month has seen is in per cent (or worse)."""
    size = np.abs(rate)
    middle = pl.Series(size).rolling_median(RATES_JUDGED, min_samples=min(3, len(size)), center=True)
    rows = where(middle.fill_null(0.0).to_numpy() > USUAL_RATE)
    if not len(rows):
        return []
    row = int(rows[0])
    text = (
        f"row {row + 1}, {utc(times[row])}: rate {rate[row]:.6g}; around it the middle size is "
        f"{float(np.median(size[rows])):.3g} over {len(rows):,} rows, and it is below {USUAL_RATE} in every month of "
        "every market; fractions are required (0.0001 = 0.01 %), these look like per cent"
    )
    return [Finding(file, "rates of implausible magnitude", Severity.ERROR, len(rows), (text,))]


def _local_time(file: str, times: Times) -> list[Finding]:
    """Settlements eight hours apart happen at 00:00, 08:00 and 16:00 UTC; others were stamped in another zone."""
    steps = np.diff(times)
    between = np.zeros(len(times), dtype=np.bool_)
    between[1:-1] = (steps[:-1] == FUNDING_STEP_MS) & (steps[1:] == FUNDING_STEP_MS)
    return found(
        file,
        "settlements in another time zone",
        where(between & (times % FUNDING_STEP_MS != 0)),
        lambda row: f"row {row + 1}, {utc(times[row])}: eight-hourly rates settle at 00:00, 08:00 and 16:00 UTC",
    )
