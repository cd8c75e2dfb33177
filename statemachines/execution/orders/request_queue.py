"""Which requests of one account leave next, and which leave together (EX-7): pure, without a clock or a thread.

Cancels go first, then what reduces risk, then everything else in the order of its arrival. Requests on orders that are
ready together travel as one batch, each with an id and an outcome of its own; look-ups of orders that follow each other
are made together, so that all share one pause between their rounds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from statemachines.commands import ExchangeCall
from statemachines.requests import (
    Accepted,
    AmendOrder,
    CancelOrder,
    ExchangeResponse,
    LookUpOrder,
    OrderWrite,
    PlaceOrder,
    Unknown,
)
from statemachines.values import LINEAR, SPOT, Category

MAX_BATCH: dict[Category, int] = {LINEAR: 20, SPOT: 10}
"""Orders in one batch request (bybit-v5 4.2)."""


LOOK_UPS_TOGETHER = 20
"""Orders that are looked up together: cancels wait for them."""


class Precedence(IntEnum):
    """Which waiting requests go first."""

    CANCEL = 0
    REDUCTION = 1
    OTHER = 2


class BatchKind(NamedTuple):
    """What one batch request can hold: one kind of request, one category."""

    kind: str
    category: Category


def precedence(call: ExchangeCall) -> Precedence:
    """New risk waits for everything that removes risk; amendments are of stops or of resting quotes."""
    if isinstance(call.request, CancelOrder):
        return Precedence.CANCEL
    if isinstance(call.request, AmendOrder) or (isinstance(call.request, PlaceOrder) and call.gate is None):
        return Precedence.REDUCTION
    return Precedence.OTHER


def batch_kind(call: ExchangeCall) -> BatchKind | None:
    """The batch that the request may travel in; None when it travels alone.

    Alone go: repetitions, so that a leg which fails a whole call cannot fail its neighbours again; what the legs of a
    batch have no field for, as the exchange documents them: conditional orders of spot cannot be cancelled there, and
    no slippage limit can be given. New risk carries that limit as a price (`worst_price`); an exit must not fail for
    a quote that is out of date.
    """
    request = call.request
    if isinstance(request, LookUpOrder) and not call.delay_s:
        return BatchKind(request.kind, request.category)
    if call.delay_s or not isinstance(request, OrderWrite):
        return None
    if isinstance(request, CancelOrder) and request.is_conditional and request.category == SPOT:
        return None
    if isinstance(request, PlaceOrder) and not _is_bounded_by_price(request, call):
        return None
    return BatchKind(request.kind, request.category)


def _is_bounded_by_price(request: PlaceOrder, call: ExchangeCall) -> bool:
    """Whether the order can do without a slippage limit: it has none, or a price stands for it."""
    return request.slippage_limit is None or (call.gate is not None and request.worst_price is not None)


class RequestQueue:
    """The requests of one account that are ready. `most` says how many requests like this one the exchange takes
    together at present. In lockstep every request leaves alone and, after the cancels, in the order of its decision, as
    in the backtest: market time stands still meanwhile, so nothing is gained by any other order."""

    def __init__(
        self, most: Callable[[BatchKind], int] = lambda kind: MAX_BATCH[kind.category], *, is_lockstep: bool = False
    ) -> None:
        self._most = most
        self._is_lockstep = is_lockstep
        self._waiting: tuple[deque[ExchangeCall], ...] = tuple(deque() for _ in Precedence)
        self._is_careful = False

    def __iter__(self) -> Iterator[ExchangeCall]:
        return (call for waiting in self._waiting for call in waiting)

    def __len__(self) -> int:
        return sum(map(len, self._waiting))

    def put(self, call: ExchangeCall) -> None:
        rank = precedence(call)
        if self._is_lockstep and rank is Precedence.REDUCTION:
            rank = Precedence.OTHER
        self._waiting[rank].append(call)

    @property
    def _is_alone(self) -> bool:
        return self._is_careful or self._is_lockstep

    @property
    def may_grow(self) -> bool:
        """Whether what would leave next is new risk in a batch that is not full yet: others may join it."""
        if self._waiting[Precedence.CANCEL] or self._waiting[Precedence.REDUCTION]:
            return False
        waiting = self._waiting[Precedence.OTHER]
        if not waiting or self._is_alone or not isinstance(waiting[0].request, OrderWrite):
            return False
        kind = batch_kind(waiting[0])
        return kind is not None and len(waiting) < min(self._most(kind), MAX_BATCH[kind.category])

    def take(self) -> list[ExchangeCall]:
        """Remove what leaves next: one request, or several that form one batch; empty when nothing waits."""
        waiting = next((one for one in self._waiting if one), None)
        if waiting is None:
            return []
        first = waiting.popleft()
        kind = batch_kind(first)
        if kind is None or self._is_alone:
            return [first]
        if isinstance(first.request, LookUpOrder):
            return [first, *_look_ups(waiting, kind)]
        group, passed, ids = [first], [], {_id_of(first)}
        most = min(self._most(kind), MAX_BATCH[kind.category])
        while waiting and len(group) < most:
            call = waiting.popleft()
            if batch_kind(call) == kind and _id_of(call) not in ids:
                group.append(call)
                ids.add(_id_of(call))
                continue
            passed.append(call)
            if not isinstance(call.request, OrderWrite):
                break  # what is decided after another request (leverage, say) does not overtake it
        waiting.extendleft(reversed(passed))
        return group

    def ended(self, outcomes: Sequence[ExchangeResponse]) -> None:
        """What became of the group that was taken: after a batch of which nothing is known, requests go one by one
        until one is accepted."""
        if len(outcomes) > 1 and all(isinstance(outcome, Unknown) for outcome in outcomes):
            self._is_careful = True
        elif any(isinstance(outcome, Accepted) for outcome in outcomes):
            self._is_careful = False


def _look_ups(waiting: deque[ExchangeCall], kind: BatchKind) -> Iterator[ExchangeCall]:
    """Remove the look-ups that follow; they overtake nothing."""
    for _ in range(LOOK_UPS_TOGETHER - 1):
        if not waiting or batch_kind(waiting[0]) != kind:
            return
        yield waiting.popleft()


def _id_of(call: ExchangeCall) -> str:
    assert isinstance(call.request, OrderWrite)
    return call.request.client_order_id
