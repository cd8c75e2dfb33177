"""OR-2 as ruled in O1 and O3: precedence, strict thresholds, dwell, missing bars, the first start, restarts."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal as D
from itertools import product

import pytest
from pydantic import ValidationError

from statemachines.commands import Commands, JournalEntry, Remark
from statemachines.orchestration.allocation.parameters import AllocationParameters, RegimeParameters
from statemachines.orchestration.allocation.regime import Dwell, RegimeReading, days_to_halving, winner
from statemachines.orchestration.allocation.regime_machine import REGIME_TABLE, Regime
from statemachines.orchestration.allocation.tracker import RegimeTracker
from statemachines.orchestration.allocation.weights import by_sleeve, goal
from statemachines.orchestration.parameters import OrchestratorParameters
from statemachines.values import DAY_MS, Sleeve
from tests.statemachines.orchestration.allocation.bars import bar, day_ms, series, walk

P = RegimeParameters()
DEFAULT = by_sleeve(OrchestratorParameters().weights)
FIRST = day_ms(date(2018, 1, 1))


def tracker() -> RegimeTracker:
    return RegimeTracker(AllocationParameters(), DEFAULT)


def reborn(old: RegimeTracker) -> RegimeTracker:
    new = tracker()
    new.restore(old.regime.value, json.loads(json.dumps(old.to_data())))
    return new


def reading(**changes: object) -> RegimeReading:
    """A close at which no condition holds."""
    numbers: dict[str, object] = {
        "day_ms": 0,
        "close": D(100),
        "closes": 200,
        "missing_days": 0,
        "fast_sma": D(100),
        "slow_sma": D(100),
        "adx": D(20),
        "volatility": D("0.5"),
        "halving_in_days": None,
    }
    return RegimeReading(**(numbers | changes))  # type: ignore[arg-type]


BEAR = {"close": D(98), "fast_sma": D(99)}
VOLATILE = {"volatility": D("0.81")}
BULL = {"close": D(101), "adx": D("40.1")}
HALVING = {"halving_in_days": 100}


# --- the table and the precedence ---


def test_or2_every_regime_can_follow_every_other_one() -> None:
    arrows = {(row.source, row.dest) for row in REGIME_TABLE.rows}
    assert arrows == {(a, b) for a, b in product(Regime, Regime) if a is not b}
    assert all(row.trigger == row.dest.value.lower() for row in REGIME_TABLE.rows)
    assert REGIME_TABLE.initial is Regime.DEFAULT


@pytest.mark.parametrize(
    ("conditions", "wins"),
    [
        ((BEAR, VOLATILE, HALVING), Regime.BEAR),
        ((BULL, VOLATILE, HALVING), Regime.HIGH_VOLATILITY),
        ((BULL, HALVING), Regime.STRONG_BULL),
        ((HALVING,), Regime.PRE_HALVING),
        ((), Regime.DEFAULT),
    ],
)
def test_or2_the_first_condition_that_holds_wins(conditions: tuple[dict[str, object], ...], wins: Regime) -> None:
    changes = {name: value for one in conditions for name, value in one.items()}
    assert winner(reading(**changes), P) is wins


@pytest.mark.parametrize(
    ("changes", "wins"),
    [
        ({"close": D(100), "fast_sma": D(99)}, Regime.DEFAULT),
        ({"close": D(99), "fast_sma": D(100)}, Regime.DEFAULT),
        ({"close": D("99.99"), "fast_sma": D("99.99")}, Regime.BEAR),
        ({"volatility": D("0.80")}, Regime.DEFAULT),
        ({"volatility": D("0.8000000001")}, Regime.HIGH_VOLATILITY),
        ({"close": D(101), "adx": D(40)}, Regime.DEFAULT),
        ({"close": D(100), "adx": D(41)}, Regime.DEFAULT),
        ({"close": D("100.01"), "adx": D("40.01")}, Regime.STRONG_BULL),
        ({"halving_in_days": 181}, Regime.DEFAULT),
        ({"halving_in_days": 180}, Regime.PRE_HALVING),
        ({"halving_in_days": 0}, Regime.PRE_HALVING),
    ],
)
def test_or2_o3_at_its_limit_a_condition_does_not_hold_but_both_ends_of_the_halving_do(
    changes: dict[str, object], wins: Regime
) -> None:
    assert winner(reading(**changes), P) is wins


def test_o3_with_fewer_than_200_closes_there_is_neither_bear_nor_bull() -> None:
    few = {"slow_sma": None, "fast_sma": D(99)}
    assert winner(reading(**BEAR | few), P) is Regime.DEFAULT
    assert winner(reading(**BULL | few), P) is Regime.DEFAULT
    assert winner(reading(**VOLATILE | few), P) is Regime.HIGH_VOLATILITY


def test_o3_the_next_halving_counts_its_own_day_and_past_ones_do_not_count() -> None:
    dates = (date(2020, 5, 11), date(2024, 4, 20))
    assert days_to_halving(date(2020, 5, 11), dates) == 0
    assert days_to_halving(date(2020, 5, 12), dates) == (date(2024, 4, 20) - date(2020, 5, 12)).days
    assert days_to_halving(date(2024, 4, 21), dates) is None


# --- dwell ---


def test_o1_the_first_close_counts_a_new_candidate_starts_anew_and_the_ruling_regime_ends_it() -> None:
    dwell = Dwell()
    for won, closes in ((Regime.BEAR, 1), (Regime.BEAR, 2), (Regime.STRONG_BULL, 1), (Regime.BEAR, 1)):
        dwell = dwell.after(won, Regime.DEFAULT)
        assert (dwell.candidate, dwell.closes) == (won, closes)
    assert dwell.after(Regime.DEFAULT, Regime.DEFAULT) == Dwell()


def falling(days: int) -> list[float]:
    """200 closes at one price, then below all averages: each of these closes is a bear's."""
    return [100.0] * 200 + [99.0 - number * 0.01 for number in range(days)]


def test_o1_weights_first_move_in_the_cycle_of_the_14th_close() -> None:
    """2 points a day of the 14 that would be needed are not enough: 13 closes change nothing, the 14th does."""
    one, notes = tracker(), list[Commands]()
    for found in series(falling(14), FIRST):
        notes.append(one.close(found, found.start_ms))
    assert [type(note) for note in notes[-2]] == [Remark]
    change, weights = notes[-1]
    assert isinstance(change, JournalEntry) and isinstance(weights, Remark)
    assert (change.source, change.dest, change.trigger) == ("DEFAULT", "BEAR", "bear")
    assert one.step is not None and one.step.before == DEFAULT and one.step.is_moving
    assert one.weights[Sleeve.TREND] == D("0.15"), "15 points in three steps of 5"
    assert one.weights[Sleeve.CORE_HODL] == D("0.633333333333") and sum(one.weights.values()) == 1


def test_or2_a_decision_is_journalled_with_the_numbers_that_made_it() -> None:
    one = tracker()
    for found in series(falling(14), FIRST):
        (*_, line) = [n for n in one.close(found, found.start_ms) if "winner" in getattr(n, "data", {})]
    assert isinstance(line, JournalEntry)
    named = {"close", "fast_sma", "slow_sma", "adx", "volatility", "halving_in_days", "closes", "dwell", "winner"}
    assert named <= set(line.data) and line.data["dwell"] == 14 and line.data["winner"] == "BEAR"
    for word in ("98.87", "SMA50", "SMA200", "ADX", "volatility", "halving in"):
        assert word in line.reason


def test_o1_weights_go_on_toward_the_old_goal_while_a_new_candidate_is_counted() -> None:
    one = tracker()
    for found in series([*falling(14), 130.0, 131.0], FIRST):
        one.close(found, found.start_ms)
    assert one.regime is Regime.BEAR and one.to_data()["closes"] == 2
    assert one.weights == goal(Regime.BEAR, DEFAULT, P)


# --- missing bars ---


def test_o3_a_missing_bar_freezes_dwell_and_weights() -> None:
    one = tracker()
    bars = series(falling(14), FIRST)
    for found in bars[:-1]:
        one.close(found, found.start_ms)
    before = one.to_data()
    (note,) = one.close(None, bars[-1].start_ms)
    assert isinstance(note, Remark) and note.trigger == "no_bar"
    assert one.step is None and one.to_data() | {"step": before["step"]} == before
    later = bars[-1].start_ms + DAY_MS
    one.close(bar(later, 98.8), later)
    assert one.regime is Regime.BEAR, "it is the 14th close, a day later"


def test_o3_in_the_middle_of_a_move_a_missing_bar_holds_the_weights_for_that_day() -> None:
    one = tracker()
    for found in series(falling(14), FIRST):
        one.close(found, found.start_ms)
    halfway = dict(one.weights)
    one.close(None, FIRST + 214 * DAY_MS)
    assert one.weights == halfway and one.step is None
    one.close(bar(FIRST + 215 * DAY_MS, 98.0), FIRST + 215 * DAY_MS)
    assert one.weights[Sleeve.TREND] == D("0.10")


# --- start and restart ---


def test_o3_the_dwell_counts_on_the_supplied_history_and_the_first_cycle_may_move() -> None:
    """A start in the middle of a bear market does not wait for 14 more closes, and begins at the default weights."""
    bars = series(falling(60), FIRST)
    one = tracker()
    one.warm(bars[:-1])
    start, *notes = one.close(bars[-1], bars[-1].start_ms)
    assert isinstance(start, Remark) and start.trigger == "start" and "BEAR" in start.reason
    assert one.regime is Regime.BEAR and start.data["closes"] == 259
    assert one.step is not None and one.step.before == DEFAULT and one.step.is_moving
    assert [getattr(n, "trigger", "") for n in notes] == ["close", "weights"]


def test_o3_the_count_begun_in_the_history_goes_on_in_the_first_cycle() -> None:
    bars = series(falling(14), FIRST)
    one = tracker()
    one.warm(bars[:-1])
    one.close(bars[-1], bars[-1].start_ms)
    assert one.regime is Regime.BEAR


def test_a_day_that_was_judged_is_not_judged_again() -> None:
    bars = series(falling(3), FIRST)
    one = tracker()
    for found in bars:
        one.close(found, found.start_ms)
    before = one.to_data()
    (note,) = one.close(bars[-1], bars[-1].start_ms)
    assert isinstance(note, Remark) and note.trigger == "repeat" and one.to_data() == before


def test_a_restart_before_every_close_changes_nothing() -> None:
    phases = ((0.004, 0.01), (0.004, 0.06), (-0.006, 0.03))
    bars = series(walk(3, 600, phases), FIRST)
    steady, shaken = tracker(), tracker()
    steady.warm(bars[:100])
    for number, found in enumerate(bars[100:], 100):
        shaken = reborn(shaken)
        shaken.warm(bars[: number + 2])  # the store may hold a bar that has not been judged yet
        assert shaken.close(found, found.start_ms) == steady.close(found, found.start_ms)
        assert shaken.to_data() == steady.to_data()
    assert steady.regime is not Regime.DEFAULT


# --- configuration ---


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"halvings": (date(2028, 4, 17), date(2024, 4, 20))}, "2024-04-20 stands after 2028-04-17"),
        ({"halvings": (date(2028, 4, 17), date(2028, 4, 17))}, "stands there twice"),
        ({"fast_sma_bars": 200}, "fast_sma_bars 200 must be below slow_sma_bars 200"),
        ({"kept_bars": 199}, "slow_sma_bars 200 must be at most kept_bars 199"),
        ({"kept_bars": 250}, "at least 20 times adx_bars 14"),
        ({"dwell_closes": 0}, "greater than or equal to 1"),
        ({"weights": {"bear": {"CORE-HODL": "0.7", "TREND": "0.2"}}}, "bear CORE-HODL 0.7, TREND 0.2 adds up to 0.9"),
        ({"weights": {"bear": {"gold": "1"}}}, "CORE-HODL"),
    ],
)
def test_or2_a_configuration_that_contradicts_itself_is_refused_in_one_sentence(
    changes: dict[str, object], told: str
) -> None:
    with pytest.raises(ValidationError, match=told.replace("(", r"\(")):
        RegimeParameters.model_validate(changes)


def test_or2_halving_dates_come_from_the_configuration() -> None:
    dates = RegimeParameters.model_validate({"halvings": ["2019-01-31"]})
    one = RegimeTracker(AllocationParameters(regime=dates), DEFAULT)
    first = date(2019, 1, 1)
    for number in range(14):
        at_ms = day_ms(first + timedelta(days=number))
        one.close(bar(at_ms, 100), at_ms)
    assert one.regime is Regime.PRE_HALVING
