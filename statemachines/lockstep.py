"""The lockstep rule (DESIGN 3): who acts next once everything has settled, under Ray and in one process alike.

First those whose deadline has come, one at a time in a fixed order, each only when the exchange has nothing left to
send at this instant; else market time moves. How it is found out that everything has settled is the runtime's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from statemachines.actor_logic import NO_LOOKAHEAD, Lookahead
from statemachines.values import ActorName


class Move(NamedTuple):
    """What is to be done. `tick`: this actor's deadline has come. Unless the exchange is known to be at rest
    (`is_at_rest`) it is asked for one micro-step first, at most to `until_ms`; whole hours in which nothing happens to
    any account it may pass over within `lookahead`. `handled`: frames taken per connection, for the exchange to see."""

    until_ms: int | None
    handled: Mapping[str, int]
    tick: ActorName | None = None
    lookahead: Lookahead = NO_LOOKAHEAD
    is_at_rest: bool = False


class StepSeen(NamedTuple):
    """What a micro-step of the exchange did: `is_quiet`, it sent nothing; `is_queued`, frames of this instant are
    still to be sent; `is_end`, the market has ended."""

    is_quiet: bool
    is_queued: bool
    is_end: bool


class Next(NamedTuple):
    """What follows a micro-step: the actor to tick, and whether the run has ended."""

    tick: ActorName | None
    is_end: bool


class LockstepRule:
    """One step after another. Holds only what `asked` was when the exchange was last seen at rest.

    `order` says who acts first when several deadlines fall on one instant; who is not in it is never ticked.

    `asked` stands for all requests that actors have made of the exchange: while it stays the same, the exchange still
    has nothing to send at this instant, so it is not asked again before the next tick of the instant.
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
        """What is to be done next at `now_ms`; `lookahead` is asked for only when time may move."""
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
        """What the exchange has left to send is not known any more."""
        self._at_rest = None
