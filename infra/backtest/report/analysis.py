"""Everything the report says about a run, computed once; page, tables and summary only show it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from infra.backtest.records import RunRecord
from infra.backtest.report.books import Book, books_of
from infra.backtest.report.capacity import CapacityLine, capacity_of
from infra.backtest.report.crises import Crisis, deepest_falls, known_crises
from infra.backtest.report.months import Months, months_of
from infra.backtest.report.rules import RuleCount, count_rules, refusals_by_reason
from infra.backtest.report.series import Days, build
from infra.backtest.report.states import Stay, stays_of
from infra.backtest.report.trades import Legs, Trade, TradeStats, accumulation, legs_of, stats_by_engine, trades_of
from infra.returns import Performance, performance


@dataclass(frozen=True, slots=True)
class Analysis:
    """The run and what follows from it."""

    record: RunRecord
    days: Days
    performances: dict[str, Performance]
    books: dict[str, Book]
    months: list[Months]
    legs: Legs
    trades: list[Trade]
    trade_stats: list[TradeStats]
    accumulation: pl.DataFrame
    capacity: list[CapacityLine]
    crises: list[Crisis]
    falls: list[Crisis]
    stays: list[Stay]
    rules: list[RuleCount]
    refusals: pl.DataFrame

    @property
    def has_traded(self) -> bool:
        """At least one fill."""
        return not self.record.fills.is_empty()


def analyse(record: RunRecord) -> Analysis:
    """Read the tables of a run. Calendar crises are left out of invented markets, where the dates mean nothing."""
    days = build(record)
    legs = legs_of(record.fills, record.transfers)
    round_trips = trades_of(legs.legs, record.funding)
    return Analysis(
        record=record,
        days=days,
        performances={name: performance(line.returns) for name, line in days.lines.items()},
        books={book.name: book for book in books_of(record, days)},
        months=months_of(days),
        legs=legs,
        trades=round_trips,
        trade_stats=stats_by_engine(round_trips),
        accumulation=accumulation(record.fills),
        capacity=capacity_of(record.fills),
        crises=[] if record.facts.is_synthetic else known_crises(days),
        falls=deepest_falls(days),
        stays=stays_of(record),
        rules=count_rules(record),
        refusals=refusals_by_reason(record.refusals),
    )
