"""OR-2: which regime wins a close, and how many closes running it has (O1, O3). Pure; thresholds compare in Decimal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from statemachines.facts import BarFact
from statemachines.indicators import vector
from statemachines.indicators.window import DailyWindow
from statemachines.orchestration.allocation.parameters import RegimeParameters
from statemachines.orchestration.allocation.regime_machine import Regime
from statemachines.values import DAY_MS


class RegimeReading(NamedTuple):
    """The numbers of one daily close. None where there are too few closes (O3); `halving_in_days` None: no halving
    date on or after the bar's is configured. `closes` are those that the averages had, `missing_days` the days between
    them without a bar (D3: nothing is spliced in)."""

    day_ms: int
    close: Decimal
    closes: int
    missing_days: int
    fast_sma: Decimal | None
    slow_sma: Decimal | None
    adx: Decimal | None
    volatility: Decimal | None
    halving_in_days: int | None

    def data(self) -> dict[str, object]:
        """The numbers by name, for the journal."""
        numbers = {name: value for name, value in self._asdict().items() if value is not None}
        return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in numbers.items()}

    def sentence(self) -> str:
        """The numbers as a clause."""
        days = self.halving_in_days
        halving = "no halving is configured" if days is None else f"halving in {days} days"
        return (
            f"close {self.close:f}, SMA50 {_shown(self.fast_sma)}, SMA200 {_shown(self.slow_sma)}, "
            f"ADX {_shown(self.adx)}, volatility {_percent(self.volatility)}, {halving}"
        )


def _shown(value: Decimal | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _percent(value: Decimal | None) -> str:
    return "unknown" if value is None else f"{value * 100:.2f} %"


def winner(reading: RegimeReading, p: RegimeParameters) -> Regime:
    """OR-2: the first regime in the order of precedence whose condition holds; all comparisons are strict."""
    slow, fast = reading.slow_sma, reading.fast_sma
    if slow is not None and fast is not None and reading.close < slow and fast < slow:
        return Regime.BEAR
    if reading.volatility is not None and reading.volatility > p.high_volatility:
        return Regime.HIGH_VOLATILITY
    if slow is not None and reading.adx is not None and reading.adx > p.strong_adx and reading.close > slow:
        return Regime.STRONG_BULL
    if reading.halving_in_days is not None and reading.halving_in_days <= p.halving_days:
        return Regime.PRE_HALVING
    return Regime.DEFAULT


def days_to_halving(day: date, halvings: Iterable[date]) -> int | None:
    """O3: days from the bar's date to the next halving, 0 on its day; None when no later one is configured."""
    return min((days for one in halvings if (days := (one - day).days) >= 0), default=None)


class RegimeWindow:
    """The newest daily bars of BTC spot, from which the readings are computed. Not durable: a start reads them from the
    recorded bars."""

    def __init__(self, parameters: RegimeParameters) -> None:
        self._p = parameters
        self._window = DailyWindow(parameters.kept_bars)

    @property
    def last_day_ms(self) -> int | None:
        """Start of the newest bar; None while there is none."""
        return self._window.last_day_ms

    def take(self, bar: BarFact) -> RegimeReading | None:
        """The reading of the next closed bar; None for one that was taken before or is older than the newest."""
        if not self._window.add(bar):
            return None
        p = self._p
        values = self._window.values(p.fast_sma_bars, p.slow_sma_bars, p.adx_bars, p.adx_bars)
        assert values is not None, "a bar has just been added"
        closes = min(len(self._window), p.slow_sma_bars)
        days = (bar.start_ms - self._window.days()[-closes]) // DAY_MS + 1
        volatility = vector.realised_volatility(self._window.closes(p.volatility_returns + 1), p.volatility_returns)
        return RegimeReading(
            day_ms=bar.start_ms,
            close=values.close,
            closes=closes,
            missing_days=days - closes,
            fast_sma=values.fast_sma,
            slow_sma=values.slow_sma,
            adx=values.adx,
            volatility=None if volatility is None else vector.to_decimal(volatility),
            halving_in_days=days_to_halving(day_of(bar.start_ms), p.halvings),
        )

    def refill(self, bars: Iterable[BarFact]) -> None:
        """Take recorded bars, oldest first, without a reading."""
        self._window.fill(bars)


def day_of(day_ms: int) -> date:
    """The UTC date of a bar."""
    return datetime.fromtimestamp(day_ms / 1000, UTC).date()


class Dwell(NamedTuple):
    """O1: the regime that wins instead of the ruling one, and on how many closes running; none with 0 closes."""

    candidate: Regime | None = None
    closes: int = 0

    def after(self, won: Regime, ruling: Regime) -> Dwell:
        """The count after one more close; a new candidate starts it anew, the ruling regime ends it."""
        if won is ruling:
            return Dwell()
        return Dwell(won, self.closes + 1 if won is self.candidate else 1)
