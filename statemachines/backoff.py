"""Backoff: growing pauses between attempts, per cause of failure; the only implementation (EX-4).

Each further failure for the same cause lengthens the pause; another cause restarts the sequence. No attempt repeats
without a pause forever, and nothing is abandoned because of the number of attempts alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from statemachines.refusals import RefusalCause


class Backoff(NamedTuple):
    """Pauses in seconds: first those of `steps_s` in order, then doubling from the last one, never above
    `longest_s`."""

    steps_s: tuple[float, ...]
    longest_s: float

    def pause_s(self, tries: int) -> float:
        """The pause after `tries` failed attempts in a row.

        Raises:
            ValueError: `tries` is below 1.
        """
        if tries < 1:
            raise ValueError(f"tries {tries} must be at least 1; there is no pause before the first try")
        if tries <= len(self.steps_s):
            return self.steps_s[tries - 1]
        # The exponent is bounded: a power beyond the longest pause is never computed.
        doublings = min(tries - len(self.steps_s), 40)
        return min(self.steps_s[-1] * 2.0**doublings, self.longest_s)


class Tries(NamedTuple):
    """The number of consecutive failures for the same `cause`."""

    cause: str = ""
    failures: int = 0

    def failed(self, cause: str) -> Tries:
        """Count one more failed attempt; a different cause restarts the count at 1."""
        return Tries(cause, self.failures + 1 if cause == self.cause else 1)


URGENT = Backoff((0.0, 0.0, 30.0), 900.0)
"""An exit that was not completely filled (slippage bound, cancellation): two immediate attempts, then growing
pauses."""

REFUSED: Mapping[RefusalCause, Backoff] = {
    RefusalCause.PASSING: Backoff((5.0, 15.0, 30.0), 900.0),
    RefusalCause.PRICE: Backoff((0.0, 30.0), 600.0),
    RefusalCause.CLOSED: Backoff((60.0,), 3_600.0),
    RefusalCause.CROSSED: Backoff((10.0, 30.0), 3_600.0),
    RefusalCause.FUNDS: Backoff((30.0,), 3_600.0),
    RefusalCause.OTHER: Backoff((10.0, 30.0), 3_600.0),
}
"""A mandatory order that the exchange, or our own check, refuses."""


def order_pause_s(tries: Tries) -> float:
    """The pause before a mandatory order is sent again: by the cause of the refusal, otherwise as for an unfilled
    order."""
    cause = tries.cause
    backoff = REFUSED[RefusalCause(cause)] if cause in set(RefusalCause) else URGENT
    return backoff.pause_s(tries.failures)
