"""No engine knows the future (P3, TR-1, D1): the whole system on a market whose future is another one decides the same
up to the cut; and so it does on a market that ends there."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from actors.runtime.memory_store import MemoryStore
from infra.simulator.market.history import HistoryMarket
from infra.simulator.market.series import Series
from infra.simulator.market.synthetic import SyntheticMarket
from infra.simulator.market.tape import Funding, Tape, TapeMarket
from statemachines.facts import ExecutionFact
from statemachines.values import DAY_MS, HOUR_MS, ActorName
from tests.kit.journals import Journals, from_memory
from tests.shared import shared_path
from tests.simulation.whole import build, instant

DAYS = 24
CUTS = 50
ENDS = 12
START = instant("2025-01-01")
ENGINES = ("core-hodl", "trend-1", "trend-2", "funding", "tactical")


class Decided(NamedTuple):
    """Everything that was decided and done before an instant."""

    lines: dict[str, list[str]]
    fills: list[tuple[int, str, Decimal, Decimal]]


def decided(store: MemoryStore, before_ms: int) -> Decided:
    journals: Journals = from_memory(store)
    lines = {
        actor: [str(line) for line in journals[actor] if line.market_ms < before_ms]
        for actor in (*ENGINES, str(ActorName.RISK_MANAGER), str(ActorName.ORDER_MANAGER), str(ActorName.ORCHESTRATOR))
    }
    fills = [
        (fill.executed_ms, fill.client_order_id, fill.quantity, fill.price)
        for fill in store.facts("executions")
        if isinstance(fill, ExecutionFact) and fill.executed_ms < before_ms
    ]
    return Decided(lines, fills)


def run_until(tape: Tape, until_ms: int | None) -> MemoryStore:
    store = MemoryStore()
    system = build(TapeMarket(tape), store)
    system.start()
    system.run(until_ms)
    return store


def another_future(tape: Tape, cut_ms: int, seed: int) -> Tape:
    """The same until the cut; what comes after is the old future in another order and at other prices."""
    dice = np.random.default_rng(seed)
    factor = float(dice.uniform(0.5, 2.0))

    def changed(series: Series) -> Series:
        future = np.flatnonzero(series.starts + series.step_ms > cut_ms)
        order = np.arange(len(series.starts))
        order[future] = dice.permutation(future)
        scale = np.ones(len(series.starts))
        scale[future] = factor
        opened, high, low, closed = (
            (column * scale)[order] for column in (series.open, series.high, series.low, series.close)
        )
        return Series(series.step_ms, series.starts, opened, high, low, closed, series.volume[order])

    def repaid(funding: Funding) -> Funding:
        rates = [rate if at <= cut_ms else -rate for at, rate in zip(funding.times_ms, funding.rates, strict=True)]
        return Funding(funding.times_ms, rates)

    return replace(
        tape,
        hours={key: changed(series) for key, series in tape.hours.items()},
        days={key: changed(series) for key, series in tape.days.items()},
        marks={key: changed(series) for key, series in tape.marks.items()},
        funding={symbol: repaid(funding) for symbol, funding in tape.funding.items()},
        fear_greed=[(at, value if at <= cut_ms else 100 - value) for at, value in tape.fear_greed],
        dvol=[(at, value if at + DAY_MS <= cut_ms else value * 2) for at, value in tape.dvol],
    )


def cuts(count: int, first_ms: int, days: int) -> list[int]:
    """Full hours, among them midnights, when most is decided."""
    dice = random.Random(count)
    hours = dice.sample(range(24, days * 24), count)
    return [first_ms + (hour // 24 * 24 if dice.random() < 0.3 else hour) * HOUR_MS for hour in hours]


@pytest.fixture(scope="module")
def tape() -> Tape:
    return SyntheticMarket(2, START, DAYS).tape


@pytest.fixture(scope="module")
def whole(tape: Tape) -> MemoryStore:
    return run_until(tape, None)


def test_another_future_changes_no_decision_before_it(
    tape: Tape, whole: MemoryStore, eighth_unless_soaking: int
) -> None:
    assert all(decided(whole, START + DAYS * DAY_MS).lines[engine] for engine in ENGINES), "every engine has decided"
    for seed, cut_ms in enumerate(cuts(CUTS // eighth_unless_soaking, START, DAYS)):
        other = run_until(another_future(tape, cut_ms, seed), cut_ms)
        assert decided(other, cut_ms) == decided(whole, cut_ms), f"cut {cut_ms}"


def test_a_future_does_change_what_comes_after_it(tape: Tape, whole: MemoryStore) -> None:
    """Or the test above could not fail."""
    cut_ms = START + 5 * DAY_MS
    other = run_until(another_future(tape, cut_ms, 1), None)
    assert decided(other, START + DAYS * DAY_MS) != decided(whole, START + DAYS * DAY_MS)


def test_a_history_that_ends_earlier_changes_no_decision_before_its_end(
    tape: Tape, whole: MemoryStore, eighth_unless_soaking: int
) -> None:
    for cut_ms in cuts(ENDS // eighth_unless_soaking, START, DAYS):
        end_ms = cut_ms // DAY_MS * DAY_MS
        short = run_until(replace(tape, end_ms=end_ms), None)
        assert decided(short, end_ms) == decided(whole, end_ms), f"end {end_ms}"


@pytest.mark.soak
def test_nor_does_it_in_the_recorded_crash_of_march_2020(eighth_unless_soaking: int) -> None:
    first, days = instant("2020-03-01"), 20
    folder: Path = shared_path("history")
    real = HistoryMarket(folder, first, first + days * DAY_MS).tape
    reference = run_until(real, None)
    for seed, cut_ms in enumerate(cuts(12 // eighth_unless_soaking, first, days)):
        other = run_until(another_future(real, cut_ms, seed), cut_ms)
        assert decided(other, cut_ms) == decided(reference, cut_ms), f"cut {cut_ms}"
