"""The lockstep rule (DESIGN 3): which actor acts next once everything has settled, both under Ray and in process.

First the actors whose deadline is due, one at a time in a fixed order, each only when the exchange has nothing left to
send at this instant; otherwise market time advances. Detecting that everything has settled is the runtime's task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from statemachines.actor_logic import NO_LOOKAHEAD, Lookahead
from statemachines.values import ActorName


class Move(NamedTuple):
    """The next move. `tick`: the actor whose deadline is due. Unless the exchange is known to be at rest (`is_at_rest`)
    it first performs one micro-step, at most to `until_ms`; within `lookahead` it may skip whole hours in which nothing
    happens to any account. `handled`: number of frames processed per connection, reported to the exchange."""

    until_ms: int | None
    handled: Mapping[str, int]
    tick: ActorName | None = None
    lookahead: Lookahead = NO_LOOKAHEAD
    is_at_rest: bool = False


class StepSeen(NamedTuple):
    """The result of a micro-step of the exchange: `is_quiet`, it sent nothing; `is_queued`, frames of this instant are
    still to be sent; `is_end`, the market has ended."""

    is_quiet: bool
    is_queued: bool
    is_end: bool


class Next(NamedTuple):
    """What follows a micro-step: the actor to tick, and whether the run has ended."""

    tick: ActorName | None
    is_end: bool


class LockstepRule:
    """Chooses one step at a time. Its only state is the value of `asked` when the exchange was last seen at rest.

    `order` determines which actor acts first when several deadlines fall on one instant; an actor missing from it is
    never ticked.

    `asked` represents all requests that actors have sent to the exchange: while it is unchanged, the exchange still has
    nothing to send at this instant, so no micro-step is needed before the next tick of the instant.
    """

    def __init__(self, order: Sequence[ActorName]) -> None:
        self._order = tuple(order)
        self._at_rest: object | None = None

    def choose(
        self,
        deadlines: Mapping[ActorName, int],
        lookahead: Callable[[], Lookahead],
        now_ms: int,
        handled: Mapping[str, int],
        asked: object,
    ) -> Move:
        """The next move at `now_ms`; `lookahead` is called only when time may advance."""
        for name in self._order:
            due = deadlines.get(name)
            if due is not None and due <= now_ms:
                return Move(now_ms, handled, name, is_at_rest=self._at_rest is not None and self._at_rest == asked)
        return Move(min(deadlines.values(), default=None), handled, lookahead=lookahead())

    def stepped(self, move: Move, asked: object, seen: StepSeen) -> Next:
        """The exchange has made the micro-step of `move`; `asked` as it was when the move was chosen."""
        rests = move.tick is not None and seen.is_quiet
        self._at_rest = asked if rests and not seen.is_queued else None
        return Next(move.tick if rests else None, seen.is_end and move.tick is None)

    def disturbed(self) -> None:
        """Reset: it is no longer known whether the exchange has anything left to send."""
        self._at_rest = None
