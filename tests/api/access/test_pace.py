"""DE-3: how fast a client may ask, at the limits."""

from __future__ import annotations

import pytest

from api.access.pace import CALM_S, FREE_FAILURES, LONGEST_WAIT_S, MAX_ADDRESSES, FailurePace, RequestPace


def test_a_holder_may_ask_a_burst_and_then_at_the_pace() -> None:
    pace = RequestPace(10, 3)
    assert [pace.wait_s("a", 0) for _ in range(3)] == [0, 0, 0]
    assert pace.wait_s("a", 0) == pytest.approx(0.1)
    assert pace.wait_s("a", 0.05) == pytest.approx(0.05)
    assert pace.wait_s("a", 0.1) == 0
    assert pace.wait_s("b", 0) == 0, "each holder has his own"
    assert [pace.wait_s("a", 100) for _ in range(4)][:3] == [0, 0, 0], "no more than a burst is saved up"
    assert pace.wait_s("a", 100) > 0


def test_wrong_tokens_are_free_at_first_and_then_slowed_more_and_more() -> None:
    pace, now_s, waits = FailurePace(), 0.0, []
    for _ in range(FREE_FAILURES + 9):
        pace.failed("x", now_s)
        waits.append(pace.wait_s("x", now_s))
        now_s += waits[-1]
    assert waits[: FREE_FAILURES - 1] == [0] * (FREE_FAILURES - 1)
    assert waits[FREE_FAILURES - 1 :] == [min(2.0**n, LONGEST_WAIT_S) for n in range(10)]
    assert pace.wait_s("y", now_s) == 0, "another address is not slowed"
    pace.succeeded("x")
    assert pace.wait_s("x", now_s) == 0


def test_after_a_calm_time_an_address_begins_anew() -> None:
    pace = FailurePace()
    for _ in range(FREE_FAILURES):
        pace.failed("x", 0)
    assert pace.failed("x", CALM_S) == FREE_FAILURES + 1
    assert pace.failed("x", 2 * CALM_S + 1) == 1


def test_strangers_from_everywhere_do_not_fill_the_memory() -> None:
    pace = FailurePace()
    for number in range(3 * MAX_ADDRESSES):
        pace.failed(str(number), number)
    assert len(pace) == MAX_ADDRESSES
