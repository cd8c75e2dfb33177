"""`eternal backtest`: reads the options, runs the machines on a market, shows progress, leaves the report."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from api.cli.days import OptionError, parse_day, start_ms
from api.json_values import day_of
from api.logics import logics
from infra.backtest.deposits import Period, RegularDeposit
from infra.backtest.plan import BacktestPlan
from infra.backtest.report import write_report
from infra.backtest.runner import Backtest
from infra.backtest.version import commit_of_the_code
from infra.config import EternalConfig
from infra.config.model import Profile
from infra.ownership import FolderKind, claim
from infra.simulator.config import FeeConfig
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.judge import Coverage
from infra.simulator.market.port import Market
from infra.simulator.market.synthetic import SyntheticMarket
from infra.simulator.venue.money import USDT_UNIT
from statemachines.values import DAY_MS, ENGINES, ActorName

NAMES: dict[str, tuple[ActorName, ...]] = {
    **{str(engine): (engine,) for engine in ENGINES},
    "core": (ActorName.CORE_HODL,),
    "trend": (ActorName.TREND_1, ActorName.TREND_2),
}
"""What `--engines` takes: every engine's name, and two short ones."""

MAX_SLIPPAGE_BPS = 1_000
SYNTHETIC_DAYS = 365
SYNTHETIC_START = date(2025, 1, 1)
SIGNALLED = 128
"""Added to the signal's number, the exit code of a run that was ended early: its report covers the part that was
run."""

TENTHS = 10
"""Lines of progress where there is no terminal."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user typed, as text."""

    history: Path | None
    first: str | None
    last: str | None
    engines: str | None
    capital: str
    deposit: str | None
    fees: str | None
    slippage_bps: str
    seed: int
    out: Path


def run_backtest(options: Options, config: EternalConfig) -> int:
    """Run and report. Returns the exit code.

    Raises OptionError, HistoryError and ForeignFolderError before anything is run, and OSError when the report cannot
    be written after all.
    """
    if config.profile is not Profile.PAPER:
        raise OptionError(f"A backtest trades on paper; profile {str(config.profile)!r} is refused, paper is allowed.")
    with _interrupted() as stopped:
        plan = _plan(options, config)
        claim(options.out, "The folder of --out", FolderKind.REPORT)
        return _run(plan, options.out, stopped)


def _run(plan: BacktestPlan, out: Path, stopped: _Stop) -> int:
    console = Console(soft_wrap=True)
    console.print(f"Market: {plan.market.label}, {day_of(plan.market.start_ms)} to {day_of(plan.market.end_ms - 1)}")
    for sentence in plan.missing_inputs:
        console.print(f"  {sentence}")
    test = Backtest(plan, logics)
    with _progress(console, plan.market) as bar:
        test.run(bar, stopped.is_asked)
    record = test.record()
    page = write_report(record, out)
    facts = record.facts
    total = record.equity.filter(record.equity["engine"] == "TOTAL")["equity_usdt"]
    ended = "completed" if facts.is_complete else f"ended early, on {day_of(facts.ended_ms)}"
    paid_in = f", {facts.paid_in_usdt:,.2f} USDT paid in" if facts.paid_in_usdt else ""
    console.print(
        f"The run {ended}: {facts.hours:,} market hours in {facts.wall_s:,.1f} s, {record.fills.height:,} fills, "
        f"equity {total[0]:,.2f} -> {total[-1]:,.2f} USDT{paid_in}."
    )
    for fault in facts.ledger_faults:
        console.print(f"FAULT: {fault}")
    console.print(f"Report: {page}")
    if not facts.is_complete:
        return stopped.exit_code
    return 1 if facts.ledger_faults else 0


def _plan(options: Options, config: EternalConfig) -> BacktestPlan:
    market, missing = _market(options)
    return BacktestPlan(
        market=market,
        config=config,
        engines=_engines(options.engines, config.orchestrator.weights),
        capital_usdt=_decimal("--capital", options.capital, Decimal(1_000), Decimal(10**9)),
        deposit=_deposit(options.deposit),
        fees=_fees(options.fees),
        slippage=_decimal("--slippage-bps", options.slippage_bps, Decimal(0), Decimal(MAX_SLIPPAGE_BPS)) / 10_000,
        missing_inputs=missing,
        is_synthetic=options.history is None,
        command=shlex.join(["eternal", *sys.argv[1:]]),
        data_hash=market.data_hash() if isinstance(market, HistoryMarket) else "",
        commit=commit_of_the_code(),
    )


def _market(options: Options) -> tuple[Market, tuple[str, ...]]:
    start = None if options.first is None else start_ms(parse_day("--from", options.first))
    end = None if options.last is None else start_ms(parse_day("--to", options.last)) + DAY_MS
    if start is not None and end is not None and start >= end:
        raise OptionError(f"--from {options.first} must not be after --to {options.last}.")
    if options.history is not None:
        market = HistoryMarket(options.history, start, end)
        return market, missing_inputs(market.coverage(), market.start_ms)
    if start is None:
        start = start_ms(SYNTHETIC_START)
    if end is not None and start >= end:
        raise OptionError(
            f"--to {options.last} must not be before {SYNTHETIC_START}, where the market begins without --from."
        )
    days = SYNTHETIC_DAYS if end is None else (end - start) // DAY_MS
    return SyntheticMarket(options.seed, start, days), ()


def missing_inputs(coverage: Sequence[Coverage], from_ms: int) -> tuple[str, ...]:
    """A sentence for every file that is missing or begins after the run does, with what follows from it."""
    found = []
    for file in coverage:
        if file.first_ms is None:
            found.append(f"{file.stem} is missing; {file.note}.")
        elif file.first_ms > from_ms:
            found.append(f"{file.stem} begins on {day_of(file.first_ms)}; before, the rules that need it are inactive.")
    return tuple(found)


def _engines(text: str | None, weights: Mapping[ActorName, Decimal]) -> tuple[ActorName, ...]:
    if text is None:
        return ENGINES
    chosen: set[ActorName] = set()
    for name in (one.strip() for one in text.split(",")):
        if name not in NAMES:
            raise OptionError(f"--engines {name!r} is no engine; allowed are {', '.join(NAMES)}.")
        if not any(weights[engine] for engine in NAMES[name]):  # as every further engine has at first
            setting = f"orchestrator.weights.{NAMES[name][0]}"
            raise OptionError(
                f"--engines {name!r} is refused: its weight {setting} is 0, so that it has no capital. Give it one by "
                f"--set {setting}=0.1, for example, and another engine so much less: all weights add up to 1 (OR-1)."
            )
        chosen.update(NAMES[name])
    return tuple(engine for engine in ENGINES if engine in chosen)


def _deposit(text: str | None) -> RegularDeposit | None:
    if text is None:
        return None
    amount, slash, period = text.partition("/")
    if not slash or period not in set(Period):
        raise OptionError(
            f"--deposit {text!r} is refused; an amount of USDT per {', '.join(Period)} is allowed, e.g. 1000/month."
        )
    usdt = _decimal("--deposit", amount, Decimal(1), Decimal(10**9))
    if usdt != usdt.quantize(USDT_UNIT):
        raise OptionError(f"--deposit {usdt} has more than the eight decimals that USDT has.")
    return RegularDeposit(usdt, Period(period))


def _fees(text: str | None) -> FeeConfig:
    if text is None:
        return FeeConfig()
    parts = text.split(",")
    if len(parts) != 4:
        raise OptionError(
            f"--fees {text!r} has {len(parts)} parts; four fractions are required: spot taker, spot maker, perpetual "
            "taker, perpetual maker, e.g. 0.001,0.001,0.00055,0.0002."
        )
    return FeeConfig(*(_decimal("--fees", part, Decimal("-0.001"), Decimal("0.05")) for part in parts))


def _decimal(name: str, text: str, least: Decimal, most: Decimal) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise OptionError(f"{name} {text!r} is no number; allowed is {least} to {most:,}.") from None
    if not value.is_finite() or not least <= value <= most:
        raise OptionError(f"{name} {text} is refused; allowed is {least} to {most:,}.")
    return value


class _Stop:
    """Whether SIGINT (Ctrl-C) or SIGTERM has asked the run to end after the day under way."""

    def __init__(self) -> None:
        self._signal = 0

    def ask(self, number: int, _frame: Any) -> None:
        """The first signal asks; a second one ends the program."""
        if self._signal:
            raise KeyboardInterrupt
        self._signal = number

    def is_asked(self) -> bool:
        """A signal has come."""
        return self._signal != 0

    @property
    def exit_code(self) -> int:
        """As shells report a process that a signal has ended."""
        return SIGNALLED + self._signal


@contextmanager
def _interrupted() -> Iterator[_Stop]:
    stop = _Stop()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Bar:
    def __init__(self, progress: Progress, market: Market) -> None:
        self._progress, self._start_ms = progress, market.start_ms
        self._task = progress.add_task("", total=(market.end_ms - market.start_ms) // DAY_MS)

    def __call__(self, market_ms: int) -> None:
        done = (market_ms - self._start_ms) // DAY_MS
        self._progress.update(self._task, completed=done, description=day_of(market_ms))


class _Lines:
    """A line at every tenth of the period, for logs and pipes."""

    def __init__(self, console: Console, market: Market) -> None:
        self._console, self._market = console, market
        self._told = 0
        self._begun_s = time.monotonic()

    def __call__(self, market_ms: int) -> None:
        whole = max(self._market.end_ms - self._market.start_ms, 1)
        tenth = TENTHS * (market_ms - self._market.start_ms) // whole
        if tenth > self._told:
            self._told = tenth
            spent_s = time.monotonic() - self._begun_s
            self._console.print(f"{day_of(market_ms)}: {tenth * 100 // TENTHS} % after {spent_s:,.0f} s")


@contextmanager
def _progress(console: Console, market: Market) -> Iterator[Callable[[int], None]]:
    if not console.is_terminal:
        yield _Lines(console, market)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        yield _Bar(progress, market)
