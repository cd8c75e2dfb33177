"""The moves of one day: OR-2 (O2, O4), OR-4 (O5, O7), OR-5 (O6), by cases and by properties."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.orchestration.allocation.moves import (
    SleeveMove,
    between_engines,
    contributions,
    regime_moves,
    trim_moves,
    trims,
)
from statemachines.orchestration.allocation.parameters import AllocationParameters
from statemachines.orchestration.allocation.weights import Weights, by_sleeve, exact, shares_within
from statemachines.orchestration.parameters import OrchestratorParameters
from statemachines.values import ActorName, Sleeve

P = AllocationParameters()
ENGINE_WEIGHTS = OrchestratorParameters().weights
DEFAULT = by_sleeve(ENGINE_WEIGHTS)
SHARES = shares_within(ENGINE_WEIGHTS)
C, T, F, A = Sleeve.CORE_HODL, Sleeve.TREND, Sleeve.FUNDING, Sleeve.TACTICAL
ORDER = (C, T, F, A)
STEP = D("0.0001")


def by(core: float, trend: float, funding: float, tactical: float) -> dict[Sleeve, D]:
    return {s: D(str(one)) for s, one in zip(ORDER, (core, trend, funding, tactical), strict=True)}


def shown(moves: list[SleeveMove]) -> dict[tuple[str, str], float]:
    return {(str(m.giver), str(m.receiver)): round(float(m.amount_usdt), 4) for m in moves}


# --- OR-2 ---


def test_o2_each_engine_gives_or_receives_the_change_of_its_weight_times_the_portfolio() -> None:
    after = exact(by(0.65, 0.12, 0.13, 0.10))
    found = shown(regime_moves(DEFAULT, after, D(100_000)))
    assert found == {
        ("TREND", "CORE-HODL"): 4_000,
        ("TREND", "TACTICAL"): 4_000,
        ("FUNDING", "CORE-HODL"): 1_000,
        ("FUNDING", "TACTICAL"): 1_000,
    }


def test_o4_trends_part_is_3_to_1_between_its_engines_on_either_side() -> None:
    gives = between_engines([SleeveMove(T, C, D(1_000), "OR-2")], SHARES, STEP)
    assert [(m.giver, m.amount_usdt) for m in gives] == [(ActorName.TREND_1, 750), (ActorName.TREND_2, 250)]
    receives = between_engines([SleeveMove(None, T, D(1_000), "OR-5")], SHARES, STEP)
    assert [(m.receiver, m.amount_usdt) for m in receives] == [(ActorName.TREND_1, 750), (ActorName.TREND_2, 250)]


# --- OR-4 ---


def test_or4_trend_grown_from_20_to_30_points_is_trimmed_by_10_and_shared_50_30_20() -> None:
    """The others lack exactly what the rule gives them: CORE 5, FUNDING 3, TACTICAL 2 points."""
    equities = by(55, 30, 12, 3)
    found = trims(equities, DEFAULT, D(100), P)
    assert [(one.giver, one.excess_usdt, one.waits) for one in found] == [(T, D(10), False)]
    moved = shown(trim_moves(found, equities, DEFAULT, D(100), P))
    assert moved == {("TREND", "CORE-HODL"): 5, ("TREND", "FUNDING"): 3, ("TREND", "TACTICAL"): 2}


def test_o5_a_receiver_at_its_weight_gets_nothing_and_what_is_left_goes_by_shortfall() -> None:
    """FUNDING stands at 18 of 15, so that only CORE (short of 11) and TACTICAL (short of 2) receive: first 5 and 2,
    then the rest of 3 to CORE, which alone is still short."""
    equities = by(49, 30, 18, 3)
    found = trims(equities, DEFAULT, D(100), P)
    moved = shown(trim_moves(found, equities, DEFAULT, D(100), P))
    assert moved == {("TREND", "CORE-HODL"): 8, ("TREND", "TACTICAL"): 2}


def test_o5_any_other_engines_excess_is_shared_by_shortfall() -> None:
    equities = by(72, 16, 10, 2)
    found = trims(equities, DEFAULT, D(100), P)
    assert [one.giver for one in found] == [C]
    moved = shown(trim_moves(found, equities, DEFAULT, D(100), P))
    assert moved == {("CORE-HODL", "TREND"): 4, ("CORE-HODL", "FUNDING"): 5, ("CORE-HODL", "TACTICAL"): 3}


def test_o5_the_excess_counts_from_exactly_10_points_on() -> None:
    assert [one.giver for one in trims(by(70, 15, 12, 3), DEFAULT, D(100), P)] == [C]
    assert trims(by(69.999, 15.001, 12, 3), DEFAULT, D(100), P) == []


def test_o5_two_engines_above_their_weights_do_not_fill_the_same_gap_twice() -> None:
    equities = by(40, 31, 26, 3)
    found = trims(equities, DEFAULT, D(100), P)
    assert [one.giver for one in found] == [T, F]
    moved = shown(trim_moves(found, equities, DEFAULT, D(100), P))
    into_tactical = sum(amount for (_, to), amount in moved.items() if to == "TACTICAL")
    into_core = sum(amount for (_, to), amount in moved.items() if to == "CORE-HODL")
    assert (into_core, into_tactical) == (pytest.approx(20), pytest.approx(2))


def test_o7_a_trim_below_1_percent_of_the_portfolio_waits() -> None:
    """It can only be that small where the excess from which on it is trimmed is configured so."""
    small = AllocationParameters(trim_excess=D("0.005"), min_trim=D("0.005"))
    found = trims(by(60.6, 19.7, 14.8, 4.9), DEFAULT, D(100), small.model_copy(update={"min_trim": D("0.01")}))
    assert [(one.giver, one.waits) for one in found] == [(C, True)]
    assert trim_moves(found, by(60.6, 19.7, 14.8, 4.9), DEFAULT, D(100), small) == []
    assert [one.waits for one in trims(by(61, 19.5, 14.7, 4.8), DEFAULT, D(100), small)] == [False]


# --- OR-5 ---


def test_o6_the_largest_shortfall_in_usdt_is_filled_first_then_the_next() -> None:
    """1,000 in all with the deposit of 100: CORE lacks 90, TREND 30, FUNDING is over, TACTICAL lacks 5."""
    equities = by(510, 170, 175, 45)
    assert shown(contributions(D(100), equities, DEFAULT, D(1_000))) == {
        ("None", "CORE-HODL"): 90,
        ("None", "TREND"): 10,
    }
    assert shown(contributions(D(40), by(580, 170, 175, 45), DEFAULT, D(1_000))) == {
        ("None", "CORE-HODL"): 10,
        ("None", "TREND"): 30,
    }


def test_or5_with_all_at_their_weights_it_goes_by_weights() -> None:
    assert shown(contributions(D(100), by(0, 0, 0, 0), DEFAULT, D(0))) == {
        ("None", "CORE-HODL"): 60,
        ("None", "TREND"): 20,
        ("None", "FUNDING"): 15,
        ("None", "TACTICAL"): 5,
    }


# --- properties ---

MONEY = st.decimals(min_value=0, max_value=100_000, places=2)
EQUITIES = st.tuples(MONEY, MONEY, MONEY, MONEY).map(lambda four: dict(zip(ORDER, four, strict=True)))
PARTS = st.tuples(*[st.integers(0, 100)] * 4).filter(lambda four: sum(four) > 0)
TOLERANCE = D("1e-6")


def weights_of(parts: tuple[int, ...]) -> Weights:
    return exact({sleeve: D(part) / sum(parts) for sleeve, part in zip(ORDER, parts, strict=True)})


def after(equities: dict[Sleeve, D], moves: list[SleeveMove]) -> dict[Sleeve, D]:
    found = dict(equities)
    for move in moves:
        assert move.amount_usdt > 0 and move.giver is not move.receiver
        found[move.receiver] += move.amount_usdt
        if move.giver is not None:
            found[move.giver] -= move.amount_usdt
    return found


@given(EQUITIES, PARTS)
def test_or4_a_trim_takes_no_engine_below_its_weight_and_lifts_none_above_it(
    equities: dict[Sleeve, D], parts: tuple[int, ...]
) -> None:
    total, weights = sum(equities.values(), D(0)), weights_of(parts)
    found = trims(equities, weights, total, P)
    left = after(equities, trim_moves(found, equities, weights, total, P))
    assert sum(left.values()) == pytest.approx(total)
    for sleeve in Sleeve:
        aim = weights[sleeve] * total
        if sleeve in {one.giver for one in found}:
            assert left[sleeve] == pytest.approx(aim, abs=TOLERANCE)
        else:
            assert min(equities[sleeve], aim) - TOLERANCE <= left[sleeve] <= max(equities[sleeve], aim) + TOLERANCE


@given(EQUITIES, PARTS, MONEY)
def test_or5_a_contribution_is_distributed_whole_and_lifts_no_engine_above_its_weight(
    equities: dict[Sleeve, D], parts: tuple[int, ...], amount: D
) -> None:
    total, weights = sum(equities.values(), D(0)) + amount, weights_of(parts)
    moves = contributions(amount, equities, weights, total)
    left = after(equities, moves)
    assert sum((move.amount_usdt for move in moves), D(0)) == pytest.approx(amount, abs=TOLERANCE)
    for sleeve in Sleeve:
        assert equities[sleeve] <= left[sleeve] <= max(equities[sleeve], weights[sleeve] * total) + TOLERANCE


@given(PARTS, PARTS, MONEY)
def test_o2_what_is_given_is_what_is_received_and_no_engine_does_both(
    one: tuple[int, ...], other: tuple[int, ...], total: D
) -> None:
    before, aim = weights_of(one), weights_of(other)
    moves = regime_moves(before, aim, total)
    left = after({sleeve: before[sleeve] * total for sleeve in Sleeve}, moves)
    assert all(left[sleeve] == pytest.approx(aim[sleeve] * total, abs=TOLERANCE) for sleeve in Sleeve)
    assert not {move.giver for move in moves} & {move.receiver for move in moves}
    engines = between_engines(moves, SHARES, STEP)
    given_in_all = sum((move.amount_usdt for move in engines), D(0))
    assert 0 <= sum((m.amount_usdt for m in moves), D(0)) - given_in_all <= STEP * max(1, 4 * len(moves)) + TOLERANCE
