"""OR-2, O1-O3: regime and weights day by day against an independent computation in plain numpy and TA-Lib."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from statemachines.commands import Commands, JournalEntry, Remark
from statemachines.facts import BarFact
from statemachines.orchestration.allocation.parameters import AllocationParameters
from statemachines.orchestration.allocation.regime import day_of
from statemachines.orchestration.allocation.tracker import RegimeTracker
from statemachines.orchestration.allocation.weights import by_sleeve, moved
from statemachines.orchestration.parameters import OrchestratorParameters
from statemachines.values import Sleeve
from tests.reference import allocation as reference
from tests.shared import shared_path
from tests.statemachines.orchestration.allocation.bars import day_ms, series, walk

ORDER = (Sleeve.CORE_HODL, Sleeve.TREND, Sleeve.FUNDING, Sleeve.TACTICAL)


def tracker() -> RegimeTracker:
    return RegimeTracker(AllocationParameters(), by_sleeve(OrchestratorParameters().weights))


def expected(bars: Sequence[BarFact], first_cycle: date) -> list[reference.Day]:
    high, low, close = (np.array([float(getattr(one, name)) for one in bars]) for name in ("high", "low", "close"))
    return reference.run([day_of(one.start_ms) for one in bars], high, low, close, first_cycle)


def compare(bars: Sequence[BarFact], first_cycle: date) -> tuple[list[reference.Day], Decimal]:
    """Every close from the first cycle on: winner, regime, change and weights. Returns the reference, and the points
    that our weights have moved."""
    ours, points = tracker(), Decimal(0)
    first_ms = day_ms(first_cycle)
    ours.warm([one for one in bars if one.start_ms < first_ms])
    found = expected(bars, first_cycle)
    cycles = [one for one in bars if one.start_ms >= first_ms]
    for bar, day in zip(cycles, found, strict=True):
        notes = ours.close(bar, bar.start_ms)
        assert (ours.regime.value, _winner(notes), _changed(notes)) == (day.regime, day.winner, day.is_change), day
        for sleeve, weight in zip(ORDER, day.weights, strict=True):
            assert float(ours.weights[sleeve]) * 100 == pytest.approx(weight, abs=1e-7), day
        assert ours.step is not None and sum(ours.weights.values()) == 1
        points += moved(ours.step.before, ours.step.after) * 100
    return found, points


def _winner(notes: Commands) -> str:
    (line,) = (n for n in notes if isinstance(n, JournalEntry | Remark) and "winner" in n.data)
    return str(line.data["winner"])


def _changed(notes: Commands) -> bool:
    return any(isinstance(note, JournalEntry) for note in notes)


@pytest.mark.parametrize("seed", range(6))
def test_or2_on_seeded_markets_every_day_equals_the_plain_computation(seed: int) -> None:
    """Five years with a rise, a wild market, a crash, a steady rise and a calm market."""
    phases = ((0.004, 0.01), (0.004, 0.06), (-0.006, 0.03), (0.006, 0.012), (0.0, 0.008), (-0.004, 0.02))
    bars = series(walk(seed, 1_900, phases), day_ms(date(2018, 1, 1)))
    found, _ = compare(bars, date(2018, 7, 1))
    assert {day.regime for day in found} >= {"BEAR", "HIGH_VOLATILITY", "STRONG_BULL", "DEFAULT"}
    assert sum(day.is_change for day in found) > 5


def test_or2_on_the_real_history_31_changes_and_510_points() -> None:
    """The real closes of 2018-01-01..2025-06-30, with those since 2017-08-17 as the supplied history (O3)."""
    table = pl.read_parquet(shared_path("history", "btc_usdt_spot_1d.parquet"))
    bars = [
        BarFact(
            category="spot",
            symbol="BTCUSDT",
            interval="D",
            start_ms=int(row["ts"].timestamp()) * 1000,
            **{name: Decimal(repr(row[name])) for name in ("open", "high", "low", "close", "volume")},
        )
        for row in table.iter_rows(named=True)
    ]
    found, points = compare(bars, date(2018, 1, 1))
    assert found[-1].day == date(2025, 6, 30)
    assert sum(day.is_change for day in found) == 31
    assert sum(day.points for day in found) == pytest.approx(510)
    assert points == pytest.approx(Decimal(510), abs=Decimal("1e-6"))
    early = [day for day in found if day.day <= date(2021, 4, 13)]
    assert sum(day.is_change for day in early) == 13
    assert sum(day.points for day in early) == pytest.approx(245)
