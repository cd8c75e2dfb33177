"""The one price path (DESIGN section 3): order of its points, and what of an hour can be seen before its end."""

from __future__ import annotations

from decimal import Decimal as D

from infra.simulator.market.path import HOUR_MS, OFFSETS_MS, merged, passed, points, running_bar
from infra.simulator.market.port import Bar

UP = Bar(0, D(10), D(15), D(8), D(12), D(3), D(30))
DOWN = Bar(0, D(10), D(15), D(8), D(9), D(3), D(30))
FLAT = Bar(0, D(10), D(15), D(8), D(10), D(3), D(30))


def test_a_rising_or_flat_hour_goes_to_its_low_first() -> None:
    assert points(UP) == (D(10), D(8), D(15), D(12))
    assert points(FLAT) == (D(10), D(8), D(15), D(10))


def test_a_falling_hour_goes_to_its_high_first() -> None:
    assert points(DOWN) == (D(10), D(15), D(8), D(9))


def test_points_pass_at_their_offsets_and_not_a_millisecond_earlier() -> None:
    assert OFFSETS_MS == (0, 20 * 60_000, 40 * 60_000, 59 * 60_000 + 59_000)
    for number, offset_ms in enumerate(OFFSETS_MS):
        assert passed(HOUR_MS, HOUR_MS + offset_ms - 1) == number
        assert passed(HOUR_MS, HOUR_MS + offset_ms) == number + 1


def test_the_running_bar_is_made_of_passed_points_and_knows_no_volume() -> None:
    assert running_bar(UP, -1) is None
    assert running_bar(UP, 0) == Bar(0, D(10), D(10), D(10), D(10), D(0), D(0))
    assert running_bar(UP, OFFSETS_MS[1]) == Bar(0, D(10), D(10), D(8), D(8), D(0), D(0))
    assert running_bar(UP, OFFSETS_MS[2]) == Bar(0, D(10), D(15), D(8), D(15), D(0), D(0))
    assert running_bar(UP, OFFSETS_MS[3]) == Bar(0, D(10), D(15), D(8), D(12), D(0), D(0))


def test_merging_bars_keeps_first_open_extremes_last_close_and_sums_volume() -> None:
    later = Bar(HOUR_MS, D(12), D(13), D(7), D(11), D(1), D(11))
    assert merged(0, [UP, later]) == Bar(0, D(10), D(15), D(7), D(11), D(4), D(41))
    assert merged(0, []) is None
