"""`eternal backtest`: reads the options, runs the machines on a market, shows progress, leaves the report."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from api.backtests.options import Checked, Options, checked
from api.backtests.progress import write_progress
from api.json_values import day_of
from api.logics import logics
from api.views.days import OptionError
from infra.backtest.plan import BacktestPlan
from infra.backtest.report import write_report
from infra.backtest.runner import Backtest
from infra.backtest.version import commit_of_the_code
from infra.config import EternalConfig
from infra.config.model import Profile
from infra.ownership import FolderKind, claim
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.judge import Coverage
from infra.simulator.market.port import Market
from infra.simulator.market.synthetic import SyntheticMarket
from statemachines.values import DAY_MS

SIGNALLED = 128
"""Added to the signal's number, the exit code of a run that was ended early: its report covers the part that was
run."""

TENTHS = 10
"""Lines of progress where there is no terminal."""


def run_backtest(options: Options, config: EternalConfig, out: Path, progress: Path | None = None) -> int:
    """Run and report into the folder `out`. Returns the exit code. `progress`: a file that says, while it runs, how far
    it is.

    Raises OptionError, HistoryError and ForeignFolderError before anything is run, and OSError when the report cannot
    be written after all.
    """
    if config.profile is not Profile.PAPER:
        raise OptionError(f"A backtest trades on paper; profile {str(config.profile)!r} is refused, paper is allowed.")
    with _interrupted() as stopped:
        plan = _plan(options, config)
        claim(out, "The folder of --out", FolderKind.REPORT)
        return _run(plan, out, stopped, progress)


def _run(plan: BacktestPlan, out: Path, stopped: _Stop, progress: Path | None) -> int:
    console = Console(soft_wrap=True)
    console.print(f"Market: {plan.market.label}, {day_of(plan.market.start_ms)} to {day_of(plan.market.end_ms - 1)}")
    for sentence in plan.missing_inputs:
        console.print(f"  {sentence}")
    test = Backtest(plan, logics)
    with _progress(console, plan.market, progress) as bar:
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
    asked = checked(options, config)
    market, missing = _market(options, asked)
    return BacktestPlan(
        market=market,
        config=config,
        engines=asked.engines,
        capital_usdt=asked.capital_usdt,
        deposit=asked.deposit,
        fees=asked.fees,
        slippage=asked.slippage,
        missing_inputs=missing,
        is_synthetic=options.history is None,
        command=shlex.join(["eternal", *sys.argv[1:]]),
        data_hash=market.data_hash() if isinstance(market, HistoryMarket) else "",
        commit=commit_of_the_code(),
    )


def _market(options: Options, asked: Checked) -> tuple[Market, tuple[str, ...]]:
    if options.history is not None:
        market = HistoryMarket(options.history, asked.start_ms, asked.end_ms)
        return market, missing_inputs(market.coverage(), market.start_ms)
    assert asked.start_ms is not None and asked.end_ms is not None
    return SyntheticMarket(options.seed, asked.start_ms, (asked.end_ms - asked.start_ms) // DAY_MS), ()


def missing_inputs(coverage: Sequence[Coverage], from_ms: int) -> tuple[str, ...]:
    """A sentence for every file that is missing or begins after the run does, with what follows from it."""
    found = []
    for file in coverage:
        if file.first_ms is None:
            found.append(f"{file.stem} is missing; {file.note}.")
        elif file.first_ms > from_ms:
            found.append(f"{file.stem} begins on {day_of(file.first_ms)}; before, the rules that need it are inactive.")
    return tuple(found)


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


class _File:
    """A file for another process: the period and the instant that is reached, at most once in `EVERY_S`."""

    EVERY_S = 0.5

    def __init__(self, path: Path, market: Market) -> None:
        self._path, self._market = path, market
        self._written_s = 0.0
        self(market.start_ms)

    def __call__(self, market_ms: int) -> None:
        now_s = time.monotonic()
        if now_s - self._written_s >= self.EVERY_S or market_ms >= self._market.end_ms:
            self._written_s = now_s
            write_progress(self._path, self._market.start_ms, self._market.end_ms, market_ms)


@contextmanager
def _progress(console: Console, market: Market, file: Path | None) -> Iterator[Callable[[int], None]]:
    if file is not None:
        yield _File(file, market)
        return
    if not console.is_terminal:
        yield _Lines(console, market)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        yield _Bar(progress, market)
