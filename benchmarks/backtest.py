"""Market hours and bars per second of the backtest, its memory, and whether its cost is linear.

(a) TREND alone on ten synthetic years of hourly bars; (b) all engines with matching, fees and funding on recorded
hourly history (`--history FOLDER`), which must stay under 60 s and 1 GiB. The two halves of (b) in the same run show
whether the cost is linear in the length of the history. Each case runs in a separate process, so that its memory is
measured separately.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from api.logics import logics
from benchmarks.common import print_machine, print_table
from infra.backtest.plan import BacktestPlan
from infra.backtest.runner import Backtest
from infra.config import EternalConfig
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.port import Market
from infra.simulator.market.synthetic import DEFAULT_SEED, SyntheticMarket
from statemachines.values import ENGINES, ActorName

TREND = (ActorName.TREND_1, ActorName.TREND_2)
YEARS = 10
LIMIT_S, LIMIT_MIB = 60.0, 1_024.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backtest", description=__doc__)
    parser.add_argument("--history", type=Path, help="a folder of recorded prices, for (b)")
    parser.add_argument("--from", dest="start", type=date.fromisoformat, default=date(2018, 1, 1))
    parser.add_argument("--to", dest="end", type=date.fromisoformat, default=date(2025, 6, 30))
    parser.add_argument("--years", type=int, default=YEARS, help="length of (a)")
    options = parser.parse_args()
    print_machine("Backtest")
    rows = [_measured("(a) TREND, synthetic", TREND, None, 0, options.years * 365)]
    if options.history is not None:
        start, end = day_ms(options.start), day_ms(options.end)
        middle = start + (end - start) // 2 // 86_400_000 * 86_400_000
        for label, first, last in (
            ("(b) all engines, recorded", start, end),
            ("    its first half", start, middle),
            ("    its second half", middle, end),
        ):
            rows.append(_measured(label, ENGINES, options.history, first, last))
    heads = ["case", "market hours", "bars", "fills", "s", "hours/s", "bars/s", "peak MiB"]
    print_table(heads, rows)
    if options.history is not None:
        seconds, memory = float(rows[1][4]), float(rows[1][7])
        print(f"(b) against its limits: {seconds / LIMIT_S:.2f} of {LIMIT_S:.0f} s, {memory / LIMIT_MIB:.2f} of 1 GiB")


def _measured(label: str, engines: Sequence[ActorName], history: Path | None, start: int, end: int) -> list[str]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        hours, bars, fills, seconds, memory = pool.apply(_run, (tuple(engines), history, start, end))
    figures = (f"{hours:,}", f"{bars:,}", f"{fills:,}", f"{seconds:.1f}", f"{hours / seconds:,.0f}")
    return [label, *figures, f"{bars / seconds:,.0f}", f"{memory:.0f}"]


def _run(
    engines: tuple[ActorName, ...], history: Path | None, start: int, end: int
) -> tuple[int, int, int, float, float]:
    market: Market
    if history is None:
        market = SyntheticMarket(DEFAULT_SEED, day_ms(date(2015, 1, 1)), end)
    else:
        market = HistoryMarket(history, start, end)
    test = Backtest(BacktestPlan(market, EternalConfig(), engines), logics)
    begun = time.perf_counter()
    test.run(lambda _market_ms: None, lambda: False)
    seconds = time.perf_counter() - begun
    record = test.record()
    bars = sum(
        market.hour(category, symbol, hour) is not None
        for category, symbol in market.symbols()
        for hour in range(market.start_ms, market.end_ms, 3_600_000)
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return record.facts.hours, bars, record.fills.height, seconds, memory


def day_ms(day: date) -> int:
    """The day's first instant, UTC, in milliseconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


if __name__ == "__main__":
    main()
