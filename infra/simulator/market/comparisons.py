"""The judge's look at files side by side: what one alone cannot show, its neighbour does.

Spot, perpetual and mark of one coin show one price; daily bars are made of the hours; coins differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from infra.simulator.market.findings import Finding, Severity, found, utc, where, whole
from infra.simulator.market.known_events import is_known
from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.market.rows import findings_of
from infra.simulator.market.series import Floats, Series, Times, resampled

DIFFERENT_MARKET = 0.10
"""Logarithm: two series of one coin whose middle difference is above this are not of one coin (or not of one scale)."""

IMPOSSIBLE_GAP = 0.4
"""Logarithm: no two prices of one coin were ever this far apart at a close; the widest was SOL's 0.27 of 2022."""

WIDE_GAP = 0.02
IMPOSSIBLE_WICK = 0.6
WIDE_WICK = 0.15
"""Logarithms of a bar's high or low beyond its body and beyond its neighbour's high or low."""

MAX_LAG = 14
"""Hours by which local time can differ from UTC."""

WINDOW = 30 * 24
MIN_WINDOW = 48
SHIFTED_CORRELATION = 0.6
ALIGNED_CORRELATION = 0.3
SAME_SHARE = 0.9
MIN_ROWS = 24

CONTRADICTING_DAY = 0.05
DIFFERING_DAY = 0.005
DAILY_LAG = 26
MIN_DAYS = 5
_FIELDS = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class File:
    """Usable bars of one file."""

    name: str
    coin: str
    kind: str
    series: Series


def compared(hours: Mapping[tuple[str, str], File], days: Mapping[tuple[str, str], File]) -> Iterator[Finding]:
    """All findings of files side by side; keys are (coin, "spot" | "perp" | "mark")."""
    for (coin, kind), file in hours.items():
        for other_kind in _neighbours(kind):
            other = hours.get((coin, other_kind))
            if other is not None:
                yield from _pair(other, file, hours)
        if (coin, kind) in days:
            yield from _daily(days[coin, kind], file, hours)
    yield from _coins(hours)


def _neighbours(kind: str) -> tuple[str, ...]:
    return {"perp": ("spot",), "mark": ("perp",)}.get(kind, ())


def _joint(one: Series, other: Series) -> tuple[Times, Times, Times]:
    """Common instants, and their rows in both."""
    return np.intersect1d(one.starts, other.starts, assume_unique=True, return_indices=True)


def _pair(one: File, other: File, all_files: Mapping[tuple[str, str], File]) -> list[Finding]:
    times, left, right = _joint(one.series, other.series)
    if not len(times):
        return []
    gap = np.log(other.series.close[right] / one.series.close[left])
    middle = float(np.median(gap))
    if abs(middle) > DIFFERENT_MARKET:
        return [_other_market(one, other, middle, right, times, all_files)]
    shifted = _shifted(one, other)
    if shifted is not None:
        return [shifted]

    def text(row: int) -> str:
        return (
            f"row {right[row] + 1}, {utc(times[row])}: close {other.series.close[right[row]]:.10g}, in {one.name} "
            f"{one.series.close[left[row]]:.10g}"
        )

    impossible = (np.abs(gap) > IMPOSSIBLE_GAP) & ~is_known(other.coin, times)
    wide = (np.abs(gap) > WIDE_GAP) & ~impossible
    return [
        *found(other.name, f"closes that contradict {one.name}", where(impossible), text),
        *findings_of(other.name, f"closes far from {one.name}", times, where(wide), text, other.coin),
        *_wicks(one, other, times, left, right),
        *_wicks(other, one, times, right, left),
    ]


def _other_market(
    one: File, other: File, middle: float, rows: Times, times: Times, all_files: Mapping[tuple[str, str], File]
) -> Finding:
    factor = float(np.exp(middle))
    text = (
        f"row {rows[0] + 1}, {utc(times[0])}: close {other.series.close[rows[0]]:.10g}; in the middle it is "
        f"{factor:.4g} times that of {one.name}; spot, perpetual and mark of one coin must show one price in one scale"
    )
    for suspect in (other, one):
        twin = _twin(suspect, all_files)
        if twin is not None:
            return whole(suspect.name, "rows of another coin", f"{text}; {suspect.name} looks like {twin}")
    return whole(other.name, "scale", text)


def _twin(suspect: File, files: Mapping[tuple[str, str], File]) -> str | None:
    """The file of another coin whose price the suspect shows."""
    for (coin, _), file in files.items():
        if coin == suspect.coin:
            continue
        _, left, right = _joint(suspect.series, file.series)
        if len(left) >= MIN_ROWS:
            gap = np.log(suspect.series.close[left] / file.series.close[right])
            if float(np.median(np.abs(gap))) < DIFFERENT_MARKET / 5:
                return file.name
    return None


def _wicks(one: File, other: File, times: Times, left: Times, right: Times) -> list[Finding]:
    """Highs and lows of `other` that neither its own body nor its neighbour shows."""
    found_ones: list[Finding] = []
    body = {name: getattr(other.series, name)[right] for name in _FIELDS}
    mate = {name: getattr(one.series, name)[left] for name in ("high", "low")}
    above = np.log(body["high"] / np.maximum(np.maximum(body["open"], body["close"]), mate["high"]))
    below = np.log(np.minimum(np.minimum(body["open"], body["close"]), mate["low"]) / body["low"])
    for name, size in (("high", above), ("low", below)):

        def text(row: int, name: str = name) -> str:
            return (
                f"row {right[row] + 1}, {utc(times[row])}: {name} {body[name][row]:.10g}, in {one.name} "
                f"{mate[name][row]:.10g}"
            )

        impossible = (size > IMPOSSIBLE_WICK) & ~is_known(other.coin, times)
        wide = (size > WIDE_WICK) & ~impossible
        found_ones += found(other.name, f"impossible values of {name}", where(impossible), text)
        found_ones += findings_of(other.name, f"outliers of {name}", times, where(wide), text, other.coin)
    return found_ones


def _shifted(one: File, other: File) -> Finding | None:
    """Months in which the moves of one file come hours after those of the other."""
    first = min(one.series.first_ms, other.series.first_ms)
    size = (max(one.series.last_ms, other.series.last_ms) - first) // HOUR_MS + 1
    ours, theirs = (_moves(file.series, first, size) for file in (one, other))
    places: list[tuple[int, int]] = []
    for start in range(0, size, WINDOW):
        end = min(start + WINDOW, size)
        if end - start < MIN_WINDOW:
            continue
        lag = _lag(ours, theirs, start, end)
        if lag:
            places.append((start, lag))
    if not places:
        return None
    start, lag = places[0]
    lags = ", ".join(f"{one:+d}" for one in sorted({lag for _, lag in places}))
    text = (
        f"from {utc(first + start * HOUR_MS)} on in {len(places)} months its moves come {lags} hours against those of "
        f"{one.name}; a bar is stamped with its open in UTC (one hour late: stamped with the close; other hours: local "
        "time)"
    )
    return whole(other.name, "shifted stamps", text)


def _moves(series: Series, first_ms: int, size: int) -> Floats:
    """Logarithmic moves on the grid of hours, 0 where a bar is missing."""
    grid = np.zeros(size)
    moves = np.diff(np.log(series.close))
    whole_hour = np.diff(series.starts) == HOUR_MS
    grid[((series.starts[1:] - first_ms) // HOUR_MS)[whole_hour]] = moves[whole_hour]
    return grid


def _lag(ours: Floats, theirs: Floats, start: int, end: int) -> int:
    """Hours by which theirs follow ours in the window; 0 when they move together, or not at all alike."""
    mine = ours[start:end]
    if _correlation(mine, theirs[start:end]) > ALIGNED_CORRELATION:
        return 0
    best, best_lag = SHIFTED_CORRELATION, 0
    for lag in (*range(1, MAX_LAG + 1), *range(-1, -MAX_LAG - 1, -1)):
        a, b = max(start + lag, 0), min(end + lag, len(theirs))
        if b - a >= MIN_WINDOW:
            found_here = _correlation(ours[a - lag : b - lag], theirs[a:b])
            if found_here > best:
                best, best_lag = found_here, lag
    return best_lag


def _correlation(left: Floats, right: Floats) -> float:
    spread = float(left.std()) * float(right.std())
    return float(((left - left.mean()) * (right - right.mean())).mean()) / spread if spread > 0 else 0.0


def _daily(daily: File, hourly: File, all_files: Mapping[tuple[str, str], File]) -> list[Finding]:
    """Days of which all hours are there must be what the hours make."""
    made = resampled(hourly.series, DAY_MS, 0)
    if made is None:
        return []
    times, left, right = _joint(made, daily.series)
    counts = np.bincount((hourly.series.starts - made.first_ms)[hourly.series.starts >= made.first_ms] // DAY_MS)
    complete = counts[(times - made.first_ms) // DAY_MS] == DAY_MS // HOUR_MS
    times, left, right = times[complete], left[complete], right[complete]
    if not len(times):
        return []
    gaps = {name: np.log(getattr(daily.series, name)[right] / getattr(made, name)[left]) for name in _FIELDS}
    middle = float(np.median(gaps["close"]))
    if abs(middle) > DIFFERENT_MARKET:
        return [_other_market(hourly, daily, middle, right, times, all_files)]
    shifted = _daily_shift(daily, hourly, times, right)
    if shifted is not None:
        return [shifted]
    findings: list[Finding] = []
    for name, gap in gaps.items():
        most = IMPOSSIBLE_GAP if name in ("high", "low") else CONTRADICTING_DAY
        size = np.abs(gap)

        def text(row: int, name: str = name) -> str:
            return (
                f"row {right[row] + 1}, {utc(times[row])[:10]}: {name} {getattr(daily.series, name)[right[row]]:.10g}, "
                f"the hours of {hourly.name} make {getattr(made, name)[left[row]]:.10g}"
            )

        wrong, differing = where(size > most), where((size > DIFFERING_DAY) & (size <= most))
        findings += found(daily.name, f"values of {name} that contradict {hourly.name}", wrong, text)
        kind = f"values of {name} that differ from {hourly.name}"
        findings += found(daily.name, kind, differing, text, Severity.WARNING)
    return findings


def _daily_shift(daily: File, hourly: File, times: Times, rows: Times) -> Finding | None:
    """Whether the days close at another hour than the hours' midnight."""
    if len(times) < MIN_DAYS:
        return None
    logs = np.log(daily.series.close[rows])
    hours = np.log(hourly.series.close)
    errors: dict[int, float] = {}
    for lag in range(-DAILY_LAG, DAILY_LAG + 1):
        at = np.searchsorted(hourly.series.starts, times + DAY_MS - HOUR_MS + lag * HOUR_MS)
        at_end = np.minimum(at, len(hours) - 1)
        there = hourly.series.starts[at_end] == times + DAY_MS - HOUR_MS + lag * HOUR_MS
        if int(there.sum()) >= MIN_DAYS - 1:
            errors[lag] = float(np.median(np.abs(logs[there] - hours[at_end[there]])))
    if 0 not in errors:
        return None
    best = min(errors, key=lambda lag: (errors[lag], abs(lag)))
    if best == 0 or errors[best] > 0.002 or errors[0] < 5 * errors[best] + 0.0005:
        return None
    text = (
        f"row {rows[0] + 1}, {utc(times[0])[:10]}: close {daily.series.close[rows[0]]:.10g}; its days close {best:+d} "
        f"hours against those of {hourly.name}; bars are stamped with their open in UTC (neither close nor local time)"
    )
    return whole(daily.name, "shifted stamps", text)


def _coins(hours: Mapping[tuple[str, str], File]) -> Iterator[Finding]:
    """One coin's file under another's name."""
    for kind in ("spot", "perp"):
        present = [hours[coin, kind] for coin in ("BTC", "ETH", "SOL") if (coin, kind) in hours]
        for number, one in enumerate(present):
            for other in present[number + 1 :]:
                times, left, right = _joint(one.series, other.series)
                if len(times) < MIN_ROWS:
                    continue
                ours, theirs = one.series.close[left], other.series.close[right]
                if float(np.mean(ours == theirs)) > SAME_SHARE:
                    text = f"{np.sum(ours == theirs):,} of {len(times):,} closes are those of {one.name}"
                    yield whole(other.name, "rows of another coin", text)
                elif float(np.median(np.log(ours / theirs))) < -np.log(2):
                    text = (
                        f"row {left[0] + 1}, {utc(times[0])}: close {ours[0]:.10g}, in {other.name} {theirs[0]:.10g}; "
                        f"a {one.coin} has always cost more than a {other.coin}: the coins are mixed up, or the scale "
                        "is another one"
                    )
                    yield whole(one.name, "rows of another coin", text)
