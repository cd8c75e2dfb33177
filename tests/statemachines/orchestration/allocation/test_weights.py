"""OR-1, OR-2, O2, O4: weights within bounds and adding up to 1, whatever happens."""

from __future__ import annotations

from decimal import Decimal as D
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.orchestration.allocation.parameters import RegimeParameters, RegimeWeights
from statemachines.orchestration.allocation.regime_machine import Regime
from statemachines.orchestration.allocation.weights import Weights, by_sleeve, exact, goal, moved, paced, shares_within
from statemachines.orchestration.parameters import OrchestratorParameters
from statemachines.values import ENGINES, ActorName, Sleeve

P = RegimeParameters()
ENGINE_WEIGHTS = OrchestratorParameters().weights
DEFAULT = by_sleeve(ENGINE_WEIGHTS)
FIVE = D("0.05")
C, T, F, A = Sleeve.CORE_HODL, Sleeve.TREND, Sleeve.FUNDING, Sleeve.TACTICAL


@pytest.mark.parametrize(
    ("regime", "weights"),
    [
        (Regime.DEFAULT, "60 20 15 5"),
        (Regime.BEAR, "70 5 15 10"),
        (Regime.HIGH_VOLATILITY, "55 15 25 5"),
        (Regime.STRONG_BULL, "50 35 10 5"),
        (Regime.PRE_HALVING, "50 30 15 5"),
    ],
)
def test_or1_or2_the_weights_of_each_regime(regime: Regime, weights: str) -> None:
    found = goal(regime, DEFAULT, P)
    assert [found[sleeve] * 100 for sleeve in (C, T, F, A)] == [D(one) for one in weights.split()]


def test_o4_trend_is_shared_3_to_1() -> None:
    shares = shares_within(ENGINE_WEIGHTS)
    assert (shares[ActorName.TREND_1], shares[ActorName.TREND_2]) == (D("0.75"), D("0.25"))
    assert shares[ActorName.CORE_HODL] == 1


def test_o2_the_largest_change_is_5_points_and_the_others_keep_to_the_straight_line() -> None:
    """From the default to bear: TREND loses 15 points in three days, CORE gains 10 and TACTICAL 5 in the same time."""
    now, aim, days = DEFAULT, goal(Regime.BEAR, DEFAULT, P), list[Weights]()
    while now != aim:
        now = paced(now, aim, FIVE)
        days.append(now)
    assert [day[T] for day in days] == [D("0.15"), D("0.10"), D("0.05")]
    assert days[0][C] == pytest.approx(D("0.6333333333")) and days[1][A] == pytest.approx(D("0.0833333333"))
    assert sum((moved(a, b) for a, b in zip([DEFAULT, *days], days, strict=False)), D(0)) == D("0.15")


def test_o2_what_rounding_leaves_is_no_day_of_its_own() -> None:
    """From bear to high volatility the other weights move by thirds of 5 points; after three days it is there. A day
    more with a change of 1e-12 would also have put off OR-4 (O5)."""
    for first, second in product(Regime, Regime):
        now, aim = goal(first, DEFAULT, P), goal(second, DEFAULT, P)
        days, needed = 0, max(abs(aim[sleeve] - now[sleeve]) for sleeve in Sleeve) / FIVE
        while now != aim:
            now, days = paced(now, aim, FIVE), days + 1
        assert days == -(-needed // 1)


def test_or1_a_run_with_fewer_engines_has_no_weight_for_the_others_in_any_regime() -> None:
    few = {engine: D(0) for engine in ENGINES} | {ActorName.CORE_HODL: D("0.75"), ActorName.TREND_1: D("0.25")}
    default = by_sleeve(few)
    for regime in Regime:
        found = goal(regime, default, P)
        assert found[F] == found[A] == 0 and sum(found.values()) == 1
    assert goal(Regime.BEAR, default, P)[T] == pytest.approx(D(5) / 75)
    alone = by_sleeve({ActorName.TACTICAL: D(1)})
    assert all(goal(regime, alone, P) == alone for regime in Regime)


def test_or2_a_sleeve_that_a_regime_does_not_name_keeps_its_default_weight() -> None:
    own = RegimeParameters(weights=RegimeWeights(bear={C: D("0.8"), T: D("0.2")}))
    found = goal(Regime.BEAR, DEFAULT, own)
    assert (found[F], found[A]) == (D("0.15"), D("0.05"))
    assert (found[C], found[T]) == (D("0.64"), D("0.16"))


VECTORS = st.lists(st.integers(0, 1000), min_size=len(Sleeve), max_size=len(Sleeve)).filter(any)


def vector(parts: list[int]) -> Weights:
    whole = sum(parts)
    return exact({sleeve: D(part) / whole for sleeve, part in zip(Sleeve, parts, strict=True)})


@given(VECTORS, st.lists(VECTORS, min_size=1, max_size=8), st.sampled_from(["0.05", "0.013", "0.3"]))
def test_o2_weights_stay_within_bounds_add_up_to_1_and_reach_their_goal(
    start: list[int], goals: list[list[int]], pace: str
) -> None:
    now, most = vector(start), D(pace)
    for parts in goals:
        aim = vector(parts)
        for _ in range(1 + int(1 / most)):
            after = paced(now, aim, most)
            assert sum(after.values()) == 1 and all(0 <= one <= 1 for one in after.values())
            assert all(abs(after[s] - now[s]) <= most + D("2e-10") for s in Sleeve)
            assert all(min(now[s], aim[s]) - D("1e-11") <= after[s] <= max(now[s], aim[s]) + D("1e-11") for s in Sleeve)
            now = after
            if parts is not goals[-1]:
                break  # a new regime before the goal is reached
    assert now == vector(goals[-1])


def test_weights_that_are_none_are_refused() -> None:
    for wrong in ({C: D("0.5")}, {C: D("1.2"), T: D("-0.2")}):
        with pytest.raises(ValueError, match="must not be negative and add up to 1"):
            exact(wrong)
