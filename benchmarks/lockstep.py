"""Milliseconds per market hour in lockstep without pacing, by part.

The whole system under Ray on the synthetic market (or `--history FOLDER --from DAY`); the limit in the same run is the
same market and the same logics in one process, with a memory store and without sockets.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg

from actors.runtime.memory_store import MemoryStore
from api.logics import logics
from benchmarks.common import (
    MeasuredSystem,
    make_config,
    print_machine,
    print_runs,
    print_table,
    running,
    temporary_folder,
    wait,
)
from benchmarks.meters import MeteredAssembly, Sums, between, processor_seconds, read_meters
from benchmarks.processes import roles
from infra.backtest.system import InProcessSystem
from infra.config import EternalConfig
from infra.simulator.api import Exchange
from infra.simulator.config import SimConfig
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.port import Market
from infra.simulator.market.synthetic import DEFAULT_SEED, SyntheticMarket
from statemachines.values import DAY_MS, HOUR_MS

WARM_UP_DAYS = 1
SPARE_DAYS = 3
PATIENCE_S = 900.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lockstep", description=__doc__)
    parser.add_argument("--days", type=int, default=10, help="market days measured, after one day of warming up")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--history", type=Path, help="a folder of recorded prices")
    parser.add_argument("--from", dest="start", type=date.fromisoformat, default=date(2025, 1, 1))
    parser.add_argument("--no-meters", action="store_true", help="without stopwatches: only the time per hour")
    options = parser.parse_args()
    print_machine(f"Lockstep: {options.days} market days as fast as possible")
    figures, last = [], Measured()
    for _ in range(options.runs):
        last = measure(options.history, options.start, options.days, not options.no_meters)
        limit = measure_in_process(options.history, options.start, options.days)
        figures.append(
            {
                "under Ray, ms per market hour": last.ms_per_hour,
                "limit: one process, memory store, ms per market hour": limit,
                "under Ray, moves of the exchange per market hour": last.steps / last.hours,
                "under Ray, transactions per market hour": last.transactions / last.hours,
                "under Ray, processor ms per market hour": sum(last.processor.values()) * 1000 / last.hours,
            }
        )
    print_runs("lockstep", figures)
    last.show()


class Measured:
    """The figures of one run under Ray."""

    def __init__(self) -> None:
        self.hours = 1.0
        self.wall_s = 0.0
        self.steps = 0
        self.transactions = 0
        self.processor: dict[str, float] = {}
        self.sums: dict[str, Sums] = {}

    @property
    def ms_per_hour(self) -> float:
        """Wall time per market hour."""
        return self.wall_s * 1000 / self.hours

    def show(self) -> None:
        """Where the time of the run went."""
        ordered = sorted(self.processor.items(), key=lambda item: -item[1])
        rows = [[role, f"{s * 1000 / self.hours:.2f}"] for role, s in ordered]
        print_table(["processor time of the last run", "ms per market hour"], rows)
        for name, sums in sorted(self.sums.items(), key=lambda item: item[0] != "lockstep-driver"):
            found = [(label, count, s) for label, (count, s) in sums.items() if count]
            found.sort(key=lambda row: -row[2])
            rows = [
                [label, f"{count / self.hours:.2f}", f"{s * 1000 / count:.2f}", f"{s * 1000 / self.hours:.2f}"]
                for label, count, s in found
            ]
            print_table([name, "per hour", "ms each", "ms per hour"], rows)


def measure(history: Path | None, start: date, days: int, with_meters: bool) -> Measured:
    """One run of the whole system."""
    end = start + timedelta(days=WARM_UP_DAYS + days + SPARE_DAYS)
    found = Measured()
    with temporary_folder() as folder, temporary_folder() as meters:
        section = {"history": history, "from_day": start, "to_day": end}
        rebuild = (lambda assembly: MeteredAssembly.of(assembly, meters)) if with_meters else None
        with running(make_config(folder, exchange=section), rebuild) as system:
            first = _ms(start) + WARM_UP_DAYS * DAY_MS
            wait("the warming up", lambda: _market_ms(system) >= first, PATIENCE_S)
            before = _reading(system, meters)
            goal = before[1] + days * DAY_MS
            wait("the measured days", lambda: _market_ms(system) >= goal, PATIENCE_S)
            after = _reading(system, meters)
    found.wall_s, found.hours = after[0] - before[0], (after[1] - before[1]) / HOUR_MS
    found.steps, found.transactions = after[2] - before[2], after[3] - before[3]
    for pid, (role, seconds) in after[4].items():
        found.processor[role] = found.processor.get(role, 0.0) + seconds - before[4].get(pid, (role, 0.0))[1]
    found.sums = between(before[5], after[5])
    return found


Reading = tuple[float, int, int, int, dict[int, tuple[str, float]], dict[str, Sums]]


def _reading(system: MeasuredSystem, meters: Path) -> Reading:
    status = system.ask_status()
    now, lockstep = time.monotonic(), status["lockstep"]
    processor = {pid: (role, processor_seconds(pid)) for pid, role in roles(system).items()}
    with psycopg.connect(system.database_url) as connection:
        row = connection.execute("SELECT sum(xact_commit) FROM pg_stat_database").fetchone()
    assert row is not None
    return now, int(lockstep["market_ms"]), int(lockstep["step"]), int(row[0]), processor, read_meters(meters)


def _market_ms(system: MeasuredSystem) -> int:
    return int((system.status.get("lockstep") or {}).get("market_ms", 0))


def measure_in_process(history: Path | None, start: date, days: int) -> float:
    """ms per market hour of the same market in one process."""
    first, end = _ms(start), _ms(start) + (WARM_UP_DAYS + days) * DAY_MS
    market: Market
    if history is not None:
        market = HistoryMarket(history, first, end)
    else:
        market = SyntheticMarket(DEFAULT_SEED, first, WARM_UP_DAYS + days)
    exchange = Exchange(market, SimConfig(rate_limits=False))
    system = InProcessSystem(exchange, logics(EternalConfig(), "bench1"), MemoryStore())
    system.start()
    system.run(first + WARM_UP_DAYS * DAY_MS)
    begun, since = time.monotonic(), exchange.market_time
    system.run()
    return (time.monotonic() - begun) * 1000 * HOUR_MS / (exchange.market_time - since)


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


if __name__ == "__main__":
    main()
