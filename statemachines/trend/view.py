"""The input of a TREND engine's decisions: bars, rates, instruments, risk states, the portfolio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from statemachines.commands import JournalEntry
from statemachines.facts import BarFact
from statemachines.indicators import vector
from statemachines.indicators.window import DailyValues, DailyWindow
from statemachines.intent_ids import intent_id
from statemachines.limits.entry_gate import ScopeState, barring_scope, entry_size_factor, scopes_of
from statemachines.limits.funding_rates import EIGHT_HOURS_MIN, rate_per_8h
from statemachines.messages.accounts import Portfolio
from statemachines.messages.control import RiskState
from statemachines.messages.market import DayClosed, FundingSettled
from statemachines.portfolio.equity import price_key
from statemachines.portfolio.release import Releases
from statemachines.trend import rules
from statemachines.trend.machine import CycleMachine, CycleStage
from statemachines.trend.parameters import TrendParameters
from statemachines.trend.rules import Episode, Pause
from statemachines.values import DAY_MS, LINEAR, Account, ActorName, Instrument

_STRICT = ConfigDict(extra="forbid")


class Cycle(BaseModel):
    """The current daily cycle: first exits and reductions, then entries on the portfolio after them (D1, T7)."""

    model_config = _STRICT

    day_ms: int
    close_ms: int
    entries_allowed: bool
    stage: CycleStage = CycleStage.REDUCE
    wait_until_ms: int | None = None

    def next_stage(self, trigger: str, reason: str) -> JournalEntry:
        """Move to the next stage. Raises IllegalTransitionError when the table has no such row."""
        machine = CycleMachine.restored("cycle", self.stage)
        entry = machine.fire(trigger, reason, {"close_ms": self.close_ms})
        self.stage = machine.state
        return entry


class EngineMemory(BaseModel):
    """The engine's own durable state (row "engine"). Rates are normalised to 8 hours, per symbol."""

    model_config = _STRICT

    next_intent: int = 1
    started: bool = False
    last_day_ms: int | None = None
    episode: Episode = Episode()
    pauses: dict[str, Pause] = Field(default_factory=dict)
    rates_8h: dict[str, Decimal] = Field(default_factory=dict)
    settled_ms: int | None = None
    settled_symbols: list[str] = Field(default_factory=list)
    settled_due_ms: int | None = None
    risk: dict[str, RiskState] = Field(default_factory=dict)
    cycle: Cycle | None = None
    cycle_due_ms: int | None = None


class PortfolioSeen(BaseModel):
    """The part of the newest portfolio that concerns this account (row "portfolio")."""

    model_config = _STRICT

    version_no: int = 0
    market_ms: int = -1
    equity_usdt: Decimal = Decimal(0)
    cash_usdt: Decimal | None = None
    """The wallet balance; None until a portfolio of this version has shown it."""
    positions: dict[str, Decimal] = Field(default_factory=dict)
    prices: dict[str, Decimal] = Field(default_factory=dict)


class InstrumentsSeen(BaseModel):
    """Instrument rules of the engine's symbols (row "instruments")."""

    model_config = _STRICT

    linear: dict[str, Instrument] = Field(default_factory=dict)


class View:
    """The engine's view; all of it except the windows of bars is durable."""

    def __init__(self, engine: ActorName, account: Account, parameters: TrendParameters) -> None:
        self._engine = engine
        self._account = account
        self._parameters = parameters
        self.memory = EngineMemory()
        self.portfolio = PortfolioSeen()
        self.instruments = InstrumentsSeen()
        self.releases = Releases()
        """Capital that is to be given, or is kept aside (OR-2, OR-4)."""
        self.windows = {asset.symbol: DailyWindow(parameters.warm_up_bars) for asset in parameters.assets}

    # --- updates ---

    def warm(self, symbol: str, bars: Sequence[BarFact]) -> None:
        """Load closed bars of one symbol, oldest first; bars later than the last one handled arrive as messages."""
        limit = self.memory.last_day_ms if self.memory.started else None
        self.windows[symbol].fill(bar for bar in bars if limit is None or bar.start_ms <= limit)

    def start(self) -> None:
        """At the first start, derive the episode and the pauses from the supplied history (T10)."""
        if self.memory.started:
            return
        self.memory.started = True
        self.memory.last_day_ms = max(
            (window.last_day_ms for window in self.windows.values() if window.last_day_ms is not None), default=None
        )
        for symbol, window in self.windows.items():
            pause = Pause()
            for adx in window.adx_series(self._parameters.adx_bars):
                known = None if adx != adx else vector.to_decimal(float(adx))
                pause = rules.next_pause(pause, known, self._parameters)
            self.memory.pauses[symbol] = pause
        days, first, second = self._pair()
        for end in range(1, len(days) + 1):
            self._step_episode(self._correlation(first, second, end))

    def take_day(self, day: DayClosed) -> list[str]:
        """Take the day's bars and return the symbols that have a new closed bar."""
        taken = [
            bar.symbol
            for bar in sorted(day.bars, key=lambda bar: bar.start_ms)
            if bar.category == LINEAR and bar.interval == "D" and bar.symbol in self.windows
            if self.windows[bar.symbol].add(bar)
        ]
        self.memory.last_day_ms = max(day.day_ms, self.memory.last_day_ms or day.day_ms)
        for symbol in taken:
            values = self.values(symbol)
            adx = values.adx if values is not None else None
            self.memory.pauses[symbol] = rules.next_pause(self.pause(symbol), adx, self._parameters)
        days, first, second = self._pair()
        if taken and days[-1:] == [day.day_ms]:
            self._step_episode(self._correlation(first, second, len(days)))
        return taken

    def take_settlement(self, settled: FundingSettled, due_ms: int | None) -> None:
        """Take settled rates; TR-14 is due at `due_ms` (T11), None for an engine without a position."""
        mine = [symbol for symbol in self.windows if symbol in settled.rates]
        if not mine:
            return
        for symbol in mine:
            interval_min = settled.interval_min.get(symbol, EIGHT_HOURS_MIN)
            self.memory.rates_8h[symbol] = rate_per_8h(settled.rates[symbol], interval_min)
        self.memory.settled_ms = settled.settle_ms
        self.memory.settled_symbols = mine
        self.memory.settled_due_ms = due_ms

    def take_portfolio(self, portfolio: Portfolio) -> None:
        """Take a newer portfolio; an older version changes nothing."""
        if portfolio.version_no <= self.portfolio.version_no and self.portfolio.market_ms >= 0:
            return
        own = portfolio.accounts.get(self._account)
        if own is None:
            return
        self.portfolio = PortfolioSeen(
            version_no=portfolio.version_no,
            market_ms=portfolio.market_ms,
            equity_usdt=own.equity_usdt,
            cash_usdt=own.cash_usdt,
            positions={symbol: held[0] for symbol, held in own.positions.items() if symbol in self.windows},
            prices={
                symbol: portfolio.prices[key]
                for symbol in self.windows
                if (key := price_key(LINEAR, symbol)) in portfolio.prices
            },
        )

    def take_instruments(self, instruments: Sequence[Instrument]) -> None:
        """Take the instrument rules of our symbols."""
        mine = {i.symbol: i for i in instruments if i.category == LINEAR and i.symbol in self.windows}
        if mine:
            self.instruments = InstrumentsSeen(linear={**self.instruments.linear, **mine})

    def take_risk(self, risk: RiskState) -> None:
        """Take a risk state that concerns this engine (RM-2, RM-3)."""
        if risk.scope in scopes_of(self._engine):
            self.memory.risk[risk.scope] = risk

    # --- queries ---

    @property
    def equity_usdt(self) -> Decimal:
        """T7: the sub-account's equity for sizing, without capital that is kept aside for a transfer."""
        return self.portfolio.equity_usdt - self.releases.aside_usdt

    def next_intent_id(self) -> str:
        """The next id `<engine>-<base36 counter>`, never issued twice."""
        number = self.memory.next_intent
        self.memory.next_intent += 1
        return intent_id(self._engine, number)

    def values(self, symbol: str) -> DailyValues | None:
        """Indicators of the symbol's newest closed bar."""
        p = self._parameters
        return self.windows[symbol].values(p.fast_sma_bars, p.slow_sma_bars, p.adx_bars, p.atr_bars)

    def values_at(self, symbol: str, close_ms: int) -> DailyValues | None:
        """Indicators of the bar that closed at `close_ms`; None when that bar is missing."""
        values = self.values(symbol)
        return values if values is not None and values.day_ms + DAY_MS == close_ms else None

    def pause(self, symbol: str) -> Pause:
        return self.memory.pauses.get(symbol, Pause())

    def price(self, symbol: str) -> Decimal:
        """The newest closed price known: of the portfolio, else of the newest daily bar; 0 when there is none."""
        last = self.windows[symbol].last_bar
        known = self.portfolio.prices.get(symbol)
        if last is None:
            return known or Decimal(0)
        return known if known is not None and self.portfolio.market_ms >= last.start_ms + DAY_MS else last.close

    def instrument(self, symbol: str) -> Instrument | None:
        return self.instruments.linear.get(symbol)

    def size_factor(self) -> Decimal:
        """RM-3: the strictest size factor in force."""
        return entry_size_factor(risk.size_factor for risk in self.memory.risk.values())

    def entries_refused(self, at_ms: int) -> str | None:
        """RM-2, RM-3: why no entry may be requested at `at_ms`, or None. The end of a block is excluded (F11)."""
        risks = self.memory.risk
        bar = barring_scope((ScopeState(r.scope, r.state, r.entries_blocked_until_ms) for r in risks.values()), at_ms)
        if bar is None:
            return None
        if bar.is_barred_by_state:
            return f"RM-2: {bar.scope} is {bar.state}: {risks[bar.scope].reason}"
        return f"RM-3: entries of {bar.scope} are blocked until {bar.blocked_until_ms} ms: {risks[bar.scope].reason}"

    def shows(self, held: Mapping[str, Decimal], close_ms: int) -> bool:
        """Whether the portfolio is not older than `close_ms` and contains exactly these signed positions (T7)."""
        if self.portfolio.market_ms < close_ms:
            return False
        return all(self.portfolio.positions.get(symbol, Decimal(0)) == held[symbol] for symbol in held)

    # --- correlation ---

    def correlation(self) -> Decimal | None:
        """TR-13, D4: correlation of the first two assets over the newest days that both have."""
        days, first, second = self._pair()
        return self._correlation(first, second, len(days))

    def _pair(self) -> tuple[list[int], vector.Vector, vector.Vector]:
        """The days that the first two assets have in common, oldest first, with both assets' closes."""
        windows = list(self.windows.values())[:2]
        if len(windows) < 2:
            return [], np.empty(0), np.empty(0)
        if windows[0].days() == windows[1].days():
            return list(windows[0].days()), windows[0].closes(), windows[1].closes()
        common, at_first, at_second = np.intersect1d(windows[0].days(), windows[1].days(), return_indices=True)
        return [int(day) for day in common], windows[0].closes()[at_first], windows[1].closes()[at_second]

    def _correlation(self, first: vector.Vector, second: vector.Vector, days: int) -> Decimal | None:
        value = vector.correlation(first[:days], second[:days], self._parameters.correlation_returns)
        return None if value is None else vector.to_decimal(value)

    def _step_episode(self, correlation: Decimal | None) -> None:
        self.memory.episode = rules.next_episode(self.memory.episode, correlation, self._parameters)
