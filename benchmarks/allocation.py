"""What allocating does: the shipped allocation against fixed weights and against no rebalancing at all (OR-2, OR-4).

Each case is one backtest of all engines on recorded hourly history (`--history FOLDER`), in a process of its own.
"fixed weights" gives every regime the default weights, so that OR-2 moves nothing while OR-4 still trims; "no
rebalancing" also takes OR-4 away. Returns are time-weighted: a deposit is no profit.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl

from api.logics import logics
from benchmarks.backtest import day_ms
from benchmarks.common import print_machine, print_table
from infra.backtest.deposits import Period, RegularDeposit
from infra.backtest.plan import BacktestPlan
from infra.backtest.records import OUTSIDE, RunRecord
from infra.backtest.report.analysis import analyse
from infra.backtest.runner import Backtest
from infra.config import EternalConfig
from infra.simulator.market.history import HistoryMarket
from statemachines.orchestration.allocation.parameters import RegimeWeights
from statemachines.orchestration.allocation.weights import by_sleeve

SHIPPED, FIXED, NONE = "as shipped", "fixed weights", "no rebalancing"
NEVER = Decimal("0.999")
"""An engine is never so far above its weight."""

HEADS = (
    "case", "end USDT", "paid in", "return", "a year", "deepest fall", "Sharpe", "turnover a year", "fees + slippage",
    "moved OR-2", "moved OR-4", "moved OR-5", "CORE at the end", "fills",
)  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.allocation", description=__doc__)
    parser.add_argument("--history", type=Path, required=True, help="a folder of recorded prices")
    parser.add_argument("--from", dest="start", type=date.fromisoformat, default=date(2018, 1, 1))
    parser.add_argument("--to", dest="end", type=date.fromisoformat, default=date(2025, 6, 30))
    parser.add_argument("--deposit", type=Decimal, default=Decimal(1_000), help="USDT a month, in a second run of each")
    options = parser.parse_args()
    print_machine("Allocation against fixed weights and against none")
    print(f"override  {FIXED}: every regime has the weights of OR-1; {NONE}: also allocation.trim_excess {NEVER}")
    rows = []
    for deposit in (None, RegularDeposit(options.deposit, Period.MONTH)):
        for case in (SHIPPED, FIXED, NONE):
            asked = (case, options.history, day_ms(options.start), day_ms(options.end), deposit)
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows.append(pool.apply(_run, asked))
            print("; ".join(f"{head} {cell}" for head, cell in zip(HEADS, rows[-1], strict=True)), flush=True)
    print()
    print_table(list(HEADS), rows)


def configured(case: str) -> EternalConfig:
    """The shipped configuration, changed as the case says."""
    config = EternalConfig()
    if case == SHIPPED:
        return config
    orchestrator = config.orchestrator
    fixed = by_sleeve(orchestrator.weights)
    weights = RegimeWeights.model_validate(dict.fromkeys(RegimeWeights.model_fields, fixed))
    regime = orchestrator.allocation.regime.model_copy(update={"weights": weights})
    changes: dict[str, object] = {"regime": regime} | ({"trim_excess": NEVER} if case == NONE else {})
    allocation = orchestrator.allocation.model_copy(update=changes)
    return config.model_copy(update={"orchestrator": orchestrator.model_copy(update={"allocation": allocation})})


def _run(case: str, history: Path, start_ms: int, end_ms: int, deposit: RegularDeposit | None) -> list[str]:
    test = Backtest(BacktestPlan(HistoryMarket(history, start_ms, end_ms), configured(case), deposit=deposit), logics)
    test.run(lambda _market_ms: None, lambda: False)
    record = test.record()
    run = analyse(record)
    total, book = run.performances["TOTAL"], run.books["TOTAL"]
    core = run.days.accounts["CORE-HODL"].equity[-1] / run.days.accounts["TOTAL"].equity[-1]
    moved = _moved(record)
    return [
        case if deposit is None else f"{case}, {deposit}",
        f"{book.end_usdt:,.0f}",
        f"{record.facts.paid_in_usdt:,.0f}",
        f"{total.total_return:.1%}",
        _shown(total.cagr, ".2%"),
        _shown(None if total.worst is None else total.worst.depth, ".1%"),
        _shown(total.sharpe, ".2f"),
        _shown(book.turnover_per_year, ".2f"),
        f"{book.costs_usdt:,.0f}",
        *(f"{moved.get(rule, 0.0):,.0f}" for rule in ("OR-2", "OR-4", "OR-5")),
        f"{core:.1%}",
        f"{record.fills.height:,}",
    ]


def _shown(figure: float | None, form: str) -> str:
    """Some figures are not defined for less than a year."""
    return "-" if figure is None else format(figure, form)


def _moved(record: RunRecord) -> Mapping[str, float]:
    """USDT moved between accounts, by the rule that moved it."""
    own = record.transfers.filter(pl.col("source") != OUTSIDE).with_columns(
        rule=pl.col("reason").str.extract(r"^(OR-\d)")
    )
    return {rule: usdt for rule, usdt in own.group_by("rule").agg(pl.col("amount_usdt").sum()).iter_rows() if rule}


if __name__ == "__main__":
    main()
