"""Growing pauses between tries of one thing, by the reason for which it fails: the one notion of them (EX-4).

What fails for the same reason again waits longer each time; another reason begins anew. Nothing is ever tried
without a pause for ever, and nothing is given up because of the number of tries alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from statemachines.refusals import RefusalCause


class Backoff(NamedTuple):
    """Pauses in seconds: `steps_s` one after the other, then twice the last one each time, never above `longest_s`."""

    steps_s: tuple[float, ...]
    longest_s: float

    def pause_s(self, tries: int) -> float:
        """The pause after `tries` fruitless tries in a row.

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
    """How often in a row something has failed for the same `cause`."""

    cause: str = ""
    failures: int = 0

    def failed(self, cause: str) -> Tries:
        """One more fruitless try; another cause counts from 1."""
        return Tries(cause, self.failures + 1 if cause == self.cause else 1)


URGENT = Backoff((0.0, 0.0, 30.0), 900.0)
"""An exit that was sent and not filled whole (slippage bound, a cancel): at once twice, then growing."""

REFUSED: Mapping[RefusalCause, Backoff] = {
    RefusalCause.PASSING: Backoff((5.0, 15.0, 30.0), 900.0),
    RefusalCause.PRICE: Backoff((0.0, 30.0), 600.0),
    RefusalCause.CLOSED: Backoff((60.0,), 3_600.0),
    RefusalCause.FUNDS: Backoff((30.0,), 3_600.0),
    RefusalCause.OTHER: Backoff((10.0, 30.0), 3_600.0),
}
"""An order that must be done and that the exchange, or our own check, refuses."""


def order_pause_s(tries: Tries) -> float:
    """The pause before an order that must be done is sent again: by the refusal's cause, else as unfilled."""
    cause = tries.cause
    backoff = REFUSED[RefusalCause(cause)] if cause in set(RefusalCause) else URGENT
    return backoff.pause_s(tries.failures)
