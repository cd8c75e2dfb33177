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
    """A perpetual closed for trading for days was tried 8,640 times a day."""
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
