"""Supervision policy as data (OR-8): how often and how fast a component is restarted. Wall time in milliseconds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from statemachines.values import ActorName, Frozen

PositiveMs = Annotated[int, Field(gt=0)]


class SupervisionPolicy(Frozen):
    """Restart intensity as in OTP: more than `max_restarts` restarts within `window_ms` and the component is FAULTED.

    `tireless`: components that are never FAULTED: past the intensity they are restarted every `tireless_delay_ms`. The
    API is one, since a FAULTED component is reset through it; it takes no part in trading, so its restarts harm nobody.
    `delays_ms`: wait before the first, second, ... restart of the window; the last one repeats.
    `misses`: consecutive missing answers that count as death. `stuck_ms`: longest a working loop with work before it
    may stand still (a ping alone misses a stuck one). `start_ms`: longest time to a first answer; `recover_ms`: longest
    time without progress in a recovery. All of it is time that the machine grants (`actors.granted_time`).
    """

    max_restarts: Annotated[int, Field(ge=0)] = 5
    window_ms: PositiveMs = 300_000
    delays_ms: Annotated[tuple[PositiveMs, ...], Field(min_length=1)] = (500, 1_000, 2_000, 5_000, 15_000)
    tireless: frozenset[ActorName] = frozenset({ActorName.API})
    tireless_delay_ms: PositiveMs = 60_000
    misses: Annotated[int, Field(ge=1)] = 3
    stuck_ms: PositiveMs = 15_000
    start_ms: PositiveMs = 60_000
    recover_ms: PositiveMs = 120_000

    def delay_ms(self, restarts_in_window: int) -> int:
        """The wait before the next restart when so many lie in the window already."""
        return self.delays_ms[min(restarts_in_window, len(self.delays_ms) - 1)]
