"""The soak finds a planted leak, and calls nothing a leak that is none."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.live.series import not_flat, trend

MINUTES_120 = 720
"""Samples of two hours, one in ten seconds."""


def noise(seed: int = 1) -> Callable[[], float]:
    chance = random.Random(seed)
    return lambda: chance.gauss(0, 3)


@pytest.mark.parametrize("seed", range(6))
def test_a_leak_of_12_mb_an_hour_is_found_under_noise_and_peaks(seed: int) -> None:
    jitter = noise(seed)
    leak = [150 + 12 * n / 360 + jitter() + (40 if n % 97 == 0 else 0) for n in range(MINUTES_120)]
    found = not_flat("order-manager", "rss_mb", leak)
    assert found is not None and "grows by 2" in found


@pytest.mark.parametrize("seed", range(6))
def test_noise_peaks_and_an_outage_are_no_leak(seed: int) -> None:
    jitter = noise(seed)
    flat = [150 + jitter() + (60 if 300 < n < 360 else 0) for n in range(MINUTES_120)]
    assert not_flat("order-manager", "rss_mb", flat) is None


def test_a_thread_for_each_reconnect_is_found() -> None:
    """What the clock of the live profile did before there was one for each process: a thread for each use."""
    assert not_flat("orchestrator", "threads", [70.0 + n // 12 for n in range(90)]) is not None
    assert not_flat("orchestrator", "threads", [70.0 + (n % 12 < 3) * 7 for n in range(90)]) is None


def test_a_queue_that_is_worked_off_is_none_that_grows() -> None:
    assert not_flat("risk-manager", "inbox", [float(n % 30) for n in range(180)]) is None
    assert not_flat("risk-manager", "inbox", [n / 10 for n in range(180)]) is not None


def test_too_little_says_nothing() -> None:
    with pytest.raises(ValueError, match="11 values say nothing"):
        not_flat("x", "rows", [1.0] * 11)
    assert trend([5.0]).growth == 0
