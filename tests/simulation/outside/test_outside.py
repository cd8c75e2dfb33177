"""Issue 10: any sequence of market moves, deposits, withdrawals, transfers, failures and operator commands keeps the
ledger balanced, weights within bounds, no capital negative, no transfer doubled, no refused order at the exchange, and
HALTED until the operator ends it. `make simulate` draws them by seeds; here each kind, and each planted defect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest

from statemachines.values import Sleeve
from tests.simulation.faults.choices import Choice, Dice
from tests.simulation.faults.defects import a_transfer_is_repeated_under_another_id
from tests.simulation.faults.points import OUTSIDE, OUTSIDE_PAIRS, Fault, Pair, Point, Situation
from tests.simulation.faults.trial import replayed
from tests.simulation.faults.world import OPENINGS, opening
from tests.simulation.operator.defects import halted_calms_down
from tests.simulation.outside import defects, policies
from tests.simulation.outside.defects import OUTSIDE_DEFECTS, Defect
from tests.simulation.outside.policies import bounds

PAIRS_OPENED = "the trends are entered and the tranches begin"
QUOTED = "the tranches are quoted again"


def planned(point: Point, *events: tuple[int, Fault, int]) -> Iterator[Choice]:
    """Events at ordinary moments: the number of the occasion, what, and its extent."""
    for number, fault, extent in events:
        yield Choice(point, Situation.ORDINARY, number, fault, extent)


COMMANDS = (
    (20, Fault.PAUSE, 1),
    (40, Fault.REPEAT, 2),
    (60, Fault.RESUME, 1),
    (80, Fault.REPEAT, 2),
    (100, Fault.REDUCE_ONLY, 3),
    (120, Fault.NORMAL, 3),
    (140, Fault.HALT, 1),
    (160, Fault.REUSE, 1),
    (180, Fault.FLATTEN, 1),
)
MONEY = (
    (20, Fault.DEPOSIT, 13),
    (40, Fault.WITHDRAWAL, 2),
    (60, Fault.DEPOSIT, 9),
    (80, Fault.BY_HAND, 14),
    (100, Fault.WITHDRAWAL, 24),
    (120, Fault.DEPOSIT, 1),
)
MOVES = ((20, Fault.FALL, 4), (60, Fault.RISE, 3), (100, Fault.FALL, 7), (140, Fault.FALL, 2))
VERSIONS = ((20, Fault.CHANGE, 1), (60, Fault.CHANGE, 3))
FAULTED = ((20, Fault.FAULTED, 2), (60, Fault.FAULTED, 1), (100, Fault.RESET, 1))
KINDS: dict[Point, tuple[tuple[int, Fault, int], ...]] = {
    Point.OPERATOR: COMMANDS,
    Point.MONEY: MONEY,
    Point.PRICES: MOVES,
    Point.POLICY: VERSIONS,
    Point.SUPERVISION: FAULTED,
}


@pytest.mark.parametrize("point", OUTSIDE)
def test_whatever_comes_from_outside_the_invariants_hold(point: Point) -> None:
    choices = tuple(planned(point, *KINDS[point]))
    outcome = replayed(QUOTED, choices)
    assert not outcome.violated, outcome.trace()
    assert outcome.choices == choices, "not all of it came about"


def test_every_kind_of_event_is_tried() -> None:
    tried = {Pair(point, fault) for point, events in KINDS.items() for _number, fault, _extent in events}
    assert tried == set(OUTSIDE_PAIRS)


def test_what_comes_from_outside_does_not_change_which_faults_a_seed_draws() -> None:
    calm, other = Dice(3), Dice(3)
    for _ in range(50):
        other.at(Point.MONEY, Situation.TRANSFERRING, 24)
    assert [calm.at(Point.COMMIT, "x") for _ in range(200)] == [other.at(Point.COMMIT, "x") for _ in range(200)]


def test_the_bounds_of_the_weights_are_those_of_or_1_and_or_2() -> None:
    """By hand from SPEC 6.2, with the weights of the version that changes them."""
    assert bounds()[Sleeve.CORE_HODL] == (Decimal("0.4"), Decimal("0.7"))
    assert bounds()[Sleeve.TREND] == (Decimal("0.05"), Decimal("0.35"))
    assert policies.max_shift() == Decimal("0.05")


# --- planted defects ---


def found_by(defect: Defect, name: str, choices: Sequence[Choice]) -> str:
    """The invariant that the run under the defect violates."""
    opening(name)  # calm, so without the defect
    with defect():
        return replayed(name, choices).violated


@pytest.mark.parametrize(
    ("defect", "point", "invariant"),
    [
        (defects.a_deposit_is_booked_to_withdrawals, Point.MONEY, "flows"),
        (defects.weights_jump_to_their_goal, Point.POLICY, "weights"),
        (defects.weights_add_up_to_more_than_one, Point.POLICY, "weights"),
        (defects.a_transfer_leaves_the_view_twice, Point.MONEY, "capital"),
        (defects.a_repeated_command_is_carried_out_again, Point.OPERATOR, "commands"),
        (halted_calms_down, Point.OPERATOR, "HALTED is left by the operator only"),
    ],
)
def test_a_planted_defect_is_found(defect: Defect, point: Point, invariant: str) -> None:
    assert found_by(defect, QUOTED, tuple(planned(point, *KINDS[point]))) == invariant


@pytest.mark.parametrize(
    ("defect", "invariant"),
    [
        (a_transfer_is_repeated_under_another_id, "transfers"),
        (defects.a_lost_answer_counts_as_a_failed_transfer, "flows"),
    ],
)
def test_a_transfer_that_is_made_twice_is_found(defect: Defect, invariant: str) -> None:
    """By a second id of one request, or as money that left for no place that the books know."""
    lost = Choice(Point.TRANSFER, "MASTER", 1, Fault.ANSWER_LOST)
    assert found_by(defect, PAIRS_OPENED, [lost]) == invariant


def test_a_denied_order_that_is_approved_all_the_same_is_found() -> None:
    """Under a version of the policy that refuses what the day's close decides."""
    choices = tuple(planned(Point.POLICY, (20, Fault.CHANGE, 4)))
    assert found_by(defects.a_denied_order_is_approved_all_the_same, PAIRS_OPENED, choices) == "refused orders"


def test_every_planted_defect_is_among_those_that_make_simulate_plants() -> None:
    assert len(set(OUTSIDE_DEFECTS)) == len(OUTSIDE_DEFECTS) and set(OPENINGS) >= {QUOTED, PAIRS_OPENED}
