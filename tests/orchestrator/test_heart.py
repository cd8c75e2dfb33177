"""RM-4: when the orchestrator beats, and when its silence is meant to be heard."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.heart import Heart
from statemachines.deadman.beats import Beat, BeatState
from tests.waiting import until

WELL: dict[str, Any] = {
    "state": "RUNNING", "progress": 1, "is_busy": True, "outage": None, "epoch": 7, "market_ms": 5,
}  # fmt: skip
OUTAGE = {"what": "cannot be reached", "why": "", "since_s": 1.0}


class Places:
    def __init__(self) -> None:
        self.beats: list[Beat] = []
        self.fails = False

    def beat(self, beat: Beat, market_ms: int) -> None:
        if self.fails:
            raise RuntimeError("planted")
        self.beats.append(beat)


@pytest.mark.parametrize(
    ("before", "now", "beats"),
    [
        (WELL, {**WELL, "progress": 2}, True),
        (WELL, WELL, False),
        (WELL, {**WELL, "is_busy": False}, True),
        (WELL, {**WELL, "state": "WAITING_FOR_DATABASE", "outage": OUTAGE}, True),
        (WELL, {**WELL, "state": "RECOVERING", "progress": 2}, False),
        (WELL, {**WELL, "state": "FAILED", "progress": 2}, False),
        (WELL, {**WELL, "state": "STOPPED", "is_busy": False}, False),
    ],
)
def test_rm4_it_beats_while_it_works(before: dict[str, Any], now: dict[str, Any], beats: bool) -> None:
    """A worker that stands still with work before it is silent, though its process lives; one that waits for the
    database is not."""
    places, health = Places(), before
    heart = Heart(places, lambda: health)
    assert heart.beat_if_working()
    health = now
    assert heart.beat_if_working() is beats
    assert places.beats == [Beat(f"7:{number}", BeatState.RUNNING) for number in range(1, 2 + beats)]


def test_a_beat_that_fails_is_followed_by_the_next_one() -> None:
    places = Places()
    places.fails = True
    heart = Heart(places, lambda: {**WELL, "is_busy": False}, period_s=0.01)
    heart.start()
    places.fails = False
    until(lambda: len(places.beats) >= 2)
    heart.stop()
    assert len(set(places.beats)) == len(places.beats)
