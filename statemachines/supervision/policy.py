"""Supervision policy as data (OR-8): how often and how fast a component is restarted. Wall time in milliseconds."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from statemachines.limits.parameter_checks import Distinct, Growing, OneOf, Order
from statemachines.parameters import ParameterModel, Unit
from statemachines.values import ActorName

PositiveMs = Annotated[int, Field(gt=0, le=86_400_000), Unit("milliseconds")]

WAYS_IN: tuple[ActorName, ...] = (ActorName.API, ActorName.NOTIFIER)
"""Actors that take no part in trading, so that their restarts are harmless."""


class SupervisionPolicy(ParameterModel):
    """Restart intensity as in OTP: more than `max_restarts` restarts within `window_ms` and the component is FAULTED.

    All durations are granted time (`actors.runtime.granted_time`).
    """

    max_restarts: Annotated[int, Field(ge=0, le=1_000), Unit("restarts")] = 5
    """Restarts within the window after which the next failure makes a component FAULTED (OR-8)."""

    window_ms: PositiveMs = 300_000
    """The window in which restarts are counted (OR-8)."""

    delays_ms: Annotated[tuple[PositiveMs, ...], Field(min_length=1, max_length=100), Growing()] = (
        500,
        1_000,
        2_000,
        5_000,
        15_000,
    )
    """Wait before the first, second, ... restart of the window; the last one repeats (OR-8)."""

    tireless: Annotated[frozenset[Annotated[ActorName, OneOf(WAYS_IN)]], Distinct()] = frozenset(WAYS_IN)
    """Components that never become FAULTED: the API, since FAULTED components are reset through it, and the notifier,
    since it reports them. Neither takes part in trading, so their restarts are harmless (OR-8)."""

    tireless_delay_ms: PositiveMs = 60_000
    """Wait before each restart of such a component once the intensity is reached (OR-8)."""

    misses: Annotated[int, Field(ge=1, le=1_000), Unit("answers")] = 3
    """Consecutive missing health reports after which a component counts as failed (OR-8)."""

    stuck_ms: PositiveMs = 15_000
    """Longest time that a working loop with pending work may stand still; a ping alone does not detect this (OR-8)."""

    start_ms: PositiveMs = 60_000
    """Longest time to a first health report (OR-8)."""

    recover_ms: PositiveMs = 120_000
    """Longest time without progress in a recovery (OR-8, OR-9)."""

    RELATIONS: ClassVar[tuple[Order, ...]] = (
        Order("delays_ms", "at most", "window_ms", "OR-8"),
        Order("delays_ms", "at most", "tireless_delay_ms", "OR-8"),
    )

    def delay_ms(self, restarts_in_window: int) -> int:
        """The wait before the next restart, given the number of restarts already in the window."""
        return self.delays_ms[min(restarts_in_window, len(self.delays_ms) - 1)]
