"""Market time that passes by itself: the wall clock, at real speed or faster, and the loop that follows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.simulator.hub import Hub

TICK_MS = 1_000
"""Time between two path points of the market, in market time."""

LONGEST_TICK_S = 1.0
SHORTEST_TICK_S = 0.05
"""Faster markets make several points at once: more frames a second than this no client reads."""


def wall_ms() -> int:
    """Wall time in ms."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class WallClock:
    """``speed`` market seconds in a second of wall time since ``anchor_ms``, when both were the same."""

    anchor_ms: int
    speed: int = 1
    wall_ms: Callable[[], int] = wall_ms

    def now_ms(self) -> int:
        """Market time now, ms."""
        return self.anchor_ms + (self.wall_ms() - self.anchor_ms) * self.speed

    @property
    def pause_s(self) -> float:
        """Wall time between two looks at the clock."""
        return min(LONGEST_TICK_S, max(SHORTEST_TICK_S, TICK_MS / 1000 / self.speed))


async def follow(hub: Hub, clock: WallClock) -> None:
    """Bring the market to the present again and again, until cancelled; what happens in it is sent to the listeners."""
    while True:
        await hub.act(hub.durable.catch_up)
        await asyncio.sleep(clock.pause_s - time.time() % clock.pause_s)
