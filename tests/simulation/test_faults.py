"""The whole system under a seeded schedule of crashes, outages and faults of the exchange: P3, OR-9, EX-1, EX-2, EX-5,
OR-6, TR-5, TR-9, FU-4, FU-7. `make simulate` runs a thousand seeds of it."""

from __future__ import annotations

import time

import pytest

from tests.simulation.faults.campaign import MAX_SEEDS_PER_DEFECT, finds
from tests.simulation.faults.choices import Choice, Dice
from tests.simulation.faults.defects import (
    Defect,
    a_transfer_is_repeated_under_another_id,
    requests_leave_without_a_check_of_the_epoch,
)
from tests.simulation.faults.points import FAULTS, PATHS, Fault, Point, point_of
from tests.simulation.faults.trial import replayed, seeded, shrunk
from tests.simulation.faults.world import OPENINGS, STAKING

BUDGET_S = 60.0
MIN_SEEDS = 8


@pytest.mark.parametrize("opening", OPENINGS)
def test_without_a_fault_every_invariant_holds(opening: str) -> None:
    outcome = replayed(opening, ())
    assert not outcome.violated, outcome.problem


@pytest.mark.parametrize("fault", FAULTS[Point.STAKING])
@pytest.mark.parametrize("times", [1, 3])
def test_whatever_becomes_of_a_staking_request_nothing_is_lost_or_staked_twice(fault: Fault, times: int) -> None:
    """The exchange takes an id again after half an hour, so that a request repeated blindly would stake twice."""
    choices = [Choice(Point.STAKING, "CORE-HODL", number, fault) for number in range(1, times + 1)]
    outcome = replayed(STAKING, choices)
    assert not outcome.violated, outcome.problem
    assert outcome.choices[:1] == tuple(choices[:1])  # it came to that point


def test_a_seed_is_the_same_run_each_time_and_its_trace_replays_it() -> None:
    """Choices in, choices out: nothing but the seed decides."""
    first = seeded(11)
    assert len(first.choices) > 5
    assert seeded(11) == first
    assert replayed(first.opening, first.choices) == first


@pytest.mark.timeout(180)
def test_whatever_fails_the_invariants_hold() -> None:
    """As many seeds as there is time for; `make simulate` goes on from there."""
    begun, seed = time.monotonic(), 0
    while time.monotonic() - begun < BUDGET_S or seed < MIN_SEEDS:
        outcome = seeded(seed)
        if outcome.violated:
            pytest.fail(f"seed {seed}:\n{shrunk(outcome).trace()}")
        seed += 1


@pytest.mark.parametrize(
    ("defect", "leading"),
    [
        pytest.param(requests_leave_without_a_check_of_the_epoch, frozenset({Point.EPOCH}), marks=pytest.mark.soak),
        (a_transfer_is_repeated_under_another_id, frozenset({Point.TRANSFER})),
    ],
)
def test_a_planted_defect_is_found_and_its_trace_shrinks_to_what_it_takes(
    defect: Defect, leading: frozenset[Point]
) -> None:
    """`make simulate` plants all of them, over all seeds; a simulation that finds none proves nothing."""
    found = finds(defect, (seed for seed in range(MAX_SEEDS_PER_DEFECT) if Dice(seed).leading in leading))
    assert found is not None
    with defect():
        shortest = shrunk(found[1])
        assert replayed(shortest.opening, shortest.choices) == shortest
    assert 1 <= len(shortest.choices) <= 3, shortest.trace()
    assert not replayed(shortest.opening, shortest.choices).violated, "the defect alone is to blame"


def test_reads_have_no_fault_after_their_effect_and_every_path_has_its_point() -> None:
    assert set(PATHS.values()) < set(Point) and point_of("/v5/market/kline") is Point.READ_MARKET
    for point, faults in FAULTS.items():
        is_write = point in (Point.PLACE, Point.CANCEL, Point.AMEND, Point.TRANSFER, Point.STAKING, Point.LEVERAGE)
        assert (Fault.ANSWER_LOST in faults) is is_write


def test_a_choice_reads_as_a_sentence() -> None:
    choice = Choice(Point.PLACE, "TREND-1", 2, Fault.ANSWER_LOST)
    assert str(choice) == "TREND-1, occasion 2 of placing an order: no answer after effect"
