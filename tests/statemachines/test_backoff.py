"""EX-4: the pauses between tries grow, by the reason of the failure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.backoff import REFUSED, URGENT, Backoff, Tries, order_pause_s
from statemachines.refusals import RefusalCause, cause_of


def test_ex_4_pauses_follow_the_steps_then_double_up_to_the_longest() -> None:
    backoff = Backoff((1, 5, 15), 300)
    assert [backoff.pause_s(n) for n in range(1, 10)] == [1, 5, 15, 30, 60, 120, 240, 300, 300]
    with pytest.raises(ValueError, match="tries 0 must be at least 1"):
        backoff.pause_s(0)


@given(st.integers(1, 10_000), st.sampled_from([URGENT, *REFUSED.values()]))
def test_pauses_never_shrink_and_never_pass_the_longest(tries: int, backoff: object) -> None:
    assert isinstance(backoff, Backoff)
    assert backoff.pause_s(tries) <= backoff.pause_s(tries + 1) <= backoff.longest_s


def test_another_reason_counts_anew() -> None:
    tries = Tries().failed("closed").failed("closed").failed("closed")
    assert tries == Tries("closed", 3)
    assert tries.failed("funds") == Tries("funds", 1)


def test_a_closed_market_is_tried_a_few_dozen_times_a_day() -> None:
    """A perpetual closed for trading for days was tried 8,640 times a day. Elsewhere a contract was delisted while it
    was held, and orders for it were sent without end."""
    at_s, tries = 0.0, Tries()
    while at_s < 86_400:
        tries = tries.failed(RefusalCause.CLOSED)
        at_s += order_pause_s(tries)
    assert tries.failures < 35


@pytest.mark.parametrize(
    ("code", "fault", "cause"),
    [
        (110074, "permanent", RefusalCause.CLOSED),
        (170193, "permanent", RefusalCause.PRICE),
        (170218, "permanent", RefusalCause.PRICE),
        (170134, "permanent", RefusalCause.PRICE),
        (10006, "transient", RefusalCause.PASSING),
        (110007, "funds", RefusalCause.FUNDS),
        (10001, "permanent", RefusalCause.OTHER),
    ],
)
def test_causes_of_refusals(code: int, fault: str, cause: RefusalCause) -> None:
    assert cause_of(code, fault) is cause  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cause", "pauses_s"),
    [
        ("passing", [5, 15, 30, 60, 120, 240, 480, 900, 900]),
        ("price", [0, 30, 60, 120, 240, 480, 600, 600]),
        ("closed", [60, 120, 240, 480, 960, 1920, 3600, 3600]),
        ("funds", [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]),
        ("other", [10, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]),
        ("slippage", [0, 0, 30, 60, 120, 240, 480, 900, 900]),
        ("", [0, 0, 30, 60]),
    ],
)
def test_each_cause_has_its_own_pauses(cause: str, pauses_s: list[float]) -> None:
    assert [order_pause_s(Tries(cause, failures)) for failures in range(1, len(pauses_s) + 1)] == pauses_s


@pytest.mark.parametrize(
    ("cause", "codes"),
    [
        (RefusalCause.CLOSED, [30228, 110023, 110042, 110074, 170121, 170151, 170157, 170221]),
        (
            RefusalCause.PRICE,
            [
                *(30208, 30209, 110003, 110120, 110121, 170132, 170133, 170193, 170194, 170371, 170372),
                *(170217, 170218, 170134),
            ],
        ),
    ],
)
def test_a_code_decides_before_the_fault_of_the_gateway(cause: RefusalCause, codes: list[int]) -> None:
    for code in codes:
        for fault in ("permanent", "transient", "funds"):
            assert cause_of(code, fault) is cause, code
