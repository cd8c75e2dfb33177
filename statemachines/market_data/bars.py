"""The bars of the instants that are not announced yet, and which series are active (DA-3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from statemachines.commands import Alert, AlertEnded, Commands, Record, Remark
from statemachines.facts import BarFact
from statemachines.market_data.parameters import INTERVALS, MarketDataParameters, Series, series_name
from statemachines.market_data.quality import INTERVAL_MS, Counters, Defect, close_ms, inconsistency, jump
from statemachines.requests import ReadBars, SetAside
from statemachines.unusable_data import UnusableData
from statemachines.values import DAILY, DAY_MS, HOURLY

Key = tuple[Series, str]
"""A series and its interval."""


class PendingBars:
    """Accepts, refuses, drops and flags bars; determines what is missing at an instant."""

    def __init__(self, parameters: MarketDataParameters, counters: Counters, unusable: UnusableData) -> None:
        self._parameters = parameters
        self._unusable = unusable
        self._counters = counters
        self._groups: dict[int, dict[Key, BarFact]] = {}
        self._closes: dict[Key, tuple[int, Decimal]] = {}
        self.active: set[Series] = set()
        self.missed_hours: dict[Series, int] = {}

    def remember(self, series: Series, interval: str, bar: BarFact) -> None:
        """Store the newest recorded bar of a previous incarnation, with which the next bar is compared."""
        self._closes[(series, interval)] = (bar.start_ms, bar.close)

    def take(self, bar: BarFact, announced_ms: int, now_ms: int) -> Commands:
        """One bar of the stream or of a repair: recorded unless refused, kept for its instant unless already
        announced."""
        series: Series = (bar.category, bar.symbol)
        if series not in self._parameters.symbols:
            return []
        wrong = inconsistency(bar, now_ms)
        if wrong:
            return self._refuse(bar, wrong)
        at, key = close_ms(bar), (series, bar.interval)
        if at <= announced_ms:
            return self._late(bar, series)
        group = self._groups.setdefault(at, {})
        if key in group:
            return self._repeat(bar, group[key])
        group[key] = bar
        return [Record(bar), *self._unusable.end("bar", *series), *self._flag_outlier(bar)]

    def _refuse(self, bar: BarFact, wrong: str) -> Commands:
        self._counters.add(Defect.INCONSISTENT)
        aside = SetAside(kind="bar", category=bar.category, symbol=bar.symbol, problem=wrong)
        return [_note((bar.category, bar.symbol), "refuse_bar", wrong), *self._unusable.begin(aside)]

    def take_past(self, bars: Sequence[BarFact], announced_ms: int, now_ms: int) -> Commands:
        """Bars of a backfill: those of announced instants are only recorded, later ones are kept for announcement."""
        commands: Commands = []
        for bar in bars:
            wrong = inconsistency(bar, now_ms)
            if wrong:
                commands += self._refuse(bar, wrong)
            elif close_ms(bar) > announced_ms:
                commands += self.take(bar, announced_ms, now_ms)
            else:
                commands.append(Record(bar))
                self._flag_outlier(bar)  # counted; past bars need no note
                if bar.interval == HOURLY and close_ms(bar) > now_ms - DAY_MS:
                    commands += self._await((bar.category, bar.symbol), f"a bar ended at {close_ms(bar)}")
        return commands

    def take_repair(self, bars: Sequence[BarFact], announced_ms: int, now_ms: int) -> Commands:
        """Bars read because the stream lacked them; one that has arrived in the meantime is skipped."""
        commands: Commands = []
        for bar in bars:
            if ((bar.category, bar.symbol), bar.interval) in self._groups.get(close_ms(bar), {}):
                continue
            taken = self.take(bar, announced_ms, now_ms)
            if any(isinstance(command, Record) for command in taken):
                self._counters.add(Defect.REPAIRED)
            commands += taken
        return commands

    def _late(self, bar: BarFact, series: Series) -> Commands:
        """A bar of an announced instant: a repeat of the newest one, or one that arrived too late to be announced."""
        awaited = self._await(series, f"a bar ended at {close_ms(bar)}")
        if self._closes.get((series, bar.interval)) == (bar.start_ms, bar.close):
            self._counters.add(Defect.DUPLICATE)
            return awaited
        self._counters.add(Defect.OUT_OF_ORDER)
        return [*awaited, Record(bar)]

    def _await(self, series: Series, reason: str) -> Commands:
        """From now on the bars of the series are expected; its silence has ended."""
        if series in self.active:
            return []
        self.active.add(series)
        return [AlertEnded(_silence(series), reason)]

    def _repeat(self, bar: BarFact, known: BarFact) -> Commands:
        if bar == known:
            self._counters.add(Defect.DUPLICATE)
            return []
        self._counters.add(Defect.CONFLICT)
        reason = (
            f"bar {bar.interval} {bar.start_ms} arrived again with other values (close {known.close}, now {bar.close})"
            "; the first one remains in use"
        )
        return [_note((bar.category, bar.symbol), "bar_conflict", reason)]

    def _flag_outlier(self, bar: BarFact) -> Commands:
        series: Series = (bar.category, bar.symbol)
        before = self._closes.get((series, bar.interval))
        if before is not None and before[0] >= bar.start_ms:
            return []
        self._closes[(series, bar.interval)] = (bar.start_ms, bar.close)
        change = jump(bar, before[1] if before else None)
        limit = self._parameters.outlier_at(bar.interval)
        if change <= limit:
            return []
        self._counters.add(Defect.OUTLIER)
        reason = (
            f"bar {bar.interval} {bar.start_ms} closes at {bar.close}, {change:.1%} away from the previous close; "
            f"more than {limit:.0%} is flagged, the bar is used"
        )
        return [_note(series, "outlier", reason)]

    # --- an instant ---

    def missing(self, at: int) -> list[ReadBars]:
        """What is still expected at an instant, as the requests that would repair it."""
        intervals = INTERVALS if at % DAY_MS == 0 else (HOURLY,)
        expected = {(series, interval) for series in self.active for interval in intervals}
        return [
            ReadBars(
                category=series[0],
                symbol=series[1],
                interval=interval,
                from_ms=at - INTERVAL_MS[interval],
                until_ms=at,
            )
            for series, interval in sorted(expected - self._groups.get(at, {}).keys())
        ]

    def listed(self, at: int, interval: str) -> tuple[tuple[BarFact, ...], tuple[str, ...]]:
        """Bars of the active series in the configured order, and the names of the series without one.

        The first bar of a series only makes it active: whether it arrives before or after the other bars of its instant
        must not change what is announced.
        """
        group = self._groups.get(at, {})
        bars: list[BarFact] = []
        missing: list[str] = []
        for series in self._parameters.symbols:
            bar = group.get((series, interval)) if series in self.active else None
            if bar is None:
                missing.append(series_name(series))
            else:
                bars.append(bar)
        return tuple(bars), tuple(missing)

    def close(self, at: int) -> Commands:
        """The instant is announced: count gaps, update the active series, discard its bars."""
        group = self._groups.pop(at, {})
        commands: Commands = []
        for series in self._parameters.symbols:
            if (series, HOURLY) in group:
                self.missed_hours.pop(series, None)
                if series not in self.active:
                    reason = f"the first bar ended at {at}; the series is expected from now on"
                    commands += [_note(series, "active", reason), *self._await(series, reason)]
            elif series in self.active:
                commands += self._gap(series, at, group)
            if at % DAY_MS == 0 and series in self.active and (series, DAILY) not in group:
                self._counters.add(Defect.GAP)
                commands.append(_note(series, "gap", f"there is no daily bar for the day that ended at {at}"))
        return commands

    def _gap(self, series: Series, at: int, group: Mapping[Key, BarFact]) -> Commands:
        self._counters.add(Defect.GAP)
        missed = self.missed_hours[series] = self.missed_hours.get(series, 0) + 1
        reason = f"there is no bar for the hour that ended at {at} ({missed} hours in a row)"
        if missed < self._parameters.inactive_after_hours:
            return [_note(series, "gap", reason)]
        self.active.discard(series)
        self.missed_hours.pop(series)
        text = (
            f"{series_name(series)}: {reason}. Its bars are not expected again until one arrives; the other series "
            "continue. No action is required; check the exchange's status if it lasts."
        )
        return [_note(series, "inactive", reason), Alert("warning", "A series has gone silent", text, _silence(series))]


def _note(series: Series, trigger: str, reason: str) -> Remark:
    return Remark(series_name(series), trigger, reason, is_bookkeeping=True)


def _silence(series: Series) -> str:
    """The key of the condition that no bars of a series arrive (DA-3)."""
    return f"silent:{series_name(series)}"
