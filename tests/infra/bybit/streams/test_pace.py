"""Pauses between two attempts to connect."""

from __future__ import annotations

import pytest

from infra.bybit.streams.pace import (
    BUDGET,
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    PATIENCE,
    ReconnectPace,
)

WINDOW_S = 300.0
LIMIT = 500
"""New connections that the exchange takes in five minutes from one address (bybit-v5 1)."""

STREAMS = 8
"""Two public ones and one of each sub-account, and room for one more."""


def test_storms_of_reconnects_are_each_over_at_once_however_many_there_were_before() -> None:
    """Every break lengthened the next pause, up to a minute, unless the connection had lived for a minute in between:
    after some storms, or some restarts of the exchange, a stream that could have been back after a second stayed away
    for a minute, and what the exchange reported meanwhile had to be read from its lists."""
    pace, now_s = ReconnectPace(), 0.0
    for _storm in range(50):
        for _break in range(5):
            pause_s = pace.pause_s(now_s, was_up=True)
            assert pause_s == FIRST_DELAY_S
            now_s += pause_s + 0.5
        now_s += 35.0


@pytest.mark.parametrize("was_up", [True, False])
@pytest.mark.parametrize("lives_s", [0.0, 0.2, 2.0])
def test_no_flapping_exceeds_the_exchanges_limit_of_new_connections(was_up: bool, lives_s: float) -> None:
    pace, now_s, attempts = ReconnectPace(), 0.0, [0.0]
    while now_s < 3_600.0:
        now_s += pace.pause_s(now_s, was_up=was_up)
        attempts.append(now_s)
        now_s += lives_s
    most = max(sum(1 for at in attempts if begin <= at < begin + WINDOW_S) for begin in attempts)
    assert most > BUDGET and most * STREAMS <= LIMIT


def test_failed_attempts_pause_longer_each_time_and_an_exchange_that_is_back_is_not_kept_waiting() -> None:
    pace, now_s, pauses = ReconnectPace(), 0.0, []
    for _ in range(100):
        pauses.append(pace.pause_s(now_s, was_up=False))
        now_s += pauses[-1]
    assert pauses[0] == FIRST_DELAY_S and pauses == sorted(pauses) and max(pauses) == LONGEST_DELAY_S


@pytest.mark.parametrize("away_s", [0.5, 3.0, 9.0, 25.0])
def test_an_exchange_that_is_back_waits_for_us_at_most_a_fifth_of_its_absence_and_a_second(away_s: float) -> None:
    pace, now_s = ReconnectPace(), 0.0
    now_s += pace.pause_s(now_s, was_up=True)
    while now_s < away_s:
        now_s += pace.pause_s(now_s, was_up=False)
    assert now_s - away_s <= FIRST_DELAY_S + away_s * (PATIENCE - 1)


def test_after_it_was_up_a_connection_begins_with_the_first_pause_again() -> None:
    pace = ReconnectPace()
    assert [pace.pause_s(0.0, was_up=False) for _ in range(3)] == [
        FIRST_DELAY_S * PATIENCE**number for number in range(3)
    ]
    assert pace.pause_s(600.0, was_up=True) == FIRST_DELAY_S
    assert pace.pause_s(601.0, was_up=False) == FIRST_DELAY_S * PATIENCE
