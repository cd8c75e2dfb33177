"""The interface between an actor's logic and its durable actor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from statemachines.commands import Commands, ExchangeCall
from statemachines.facts import BarFact
from statemachines.messages.envelope import Body, Envelope
from statemachines.values import ActorName, Category

if TYPE_CHECKING:
    from statemachines.state_store import StateDialect


class HistoryNeed(NamedTuple):
    """Closed bars that a logic requires before it starts; `interval` is "60" or "D", `bars` the number of newest
    bars."""

    category: Category
    symbol: str
    interval: str
    bars: int


class StateRow(NamedTuple):
    """A durable row. `state` is that of its machine, "" for a row without a machine; `schema` is the version of
    `data`'s shape, for upcasters."""

    key: str
    state: str
    schema: int
    data: Mapping[str, Any]  # JSON values only; Decimal as str


FOREVER_MS = 253_402_300_799_000
"""The last instant of the year 9999: later than any deadline."""


class Lookahead(NamedTuple):
    """How long the delivery of closed hourly bars may be delayed and batched: until a market time, or until the
    perpetual of a symbol closes further above spot than `max_basis` (a fraction); that hour's bars are delivered
    immediately.
    """

    until_ms: int
    max_basis: Mapping[str, Decimal] = {}

    def and_of(self, other: Lookahead) -> Lookahead:
        """The tighter tolerance of both."""
        if not other.max_basis:
            return Lookahead(min(self.until_ms, other.until_ms), self.max_basis)
        limits = {**self.max_basis}
        for symbol, limit in other.max_basis.items():
            limits[symbol] = min(limit, limits.get(symbol, limit))
        return Lookahead(min(self.until_ms, other.until_ms), limits)


NO_LOOKAHEAD = Lookahead(0)
ENDLESS_LOOKAHEAD = Lookahead(FOREVER_MS)


def shared_lookahead(all_of_them: Iterable[Lookahead]) -> Lookahead:
    """The tightest tolerance of all participants; endless when there are none."""
    return reduce(Lookahead.and_of, all_of_them, ENDLESS_LOOKAHEAD)


@runtime_checkable
class HasLookahead(Protocol):
    """Implemented by a logic that does not need every hourly bar at the hour it closes (DESIGN 3).

    The lockstep exchange may skip hours in which nothing happens to any account and then deliver their bars
    together. Without this interface the deadline applies.
    """

    def lookahead(self) -> Lookahead:
        """The period in which no hourly bar would make the logic act, send a request or set a deadline."""
        ...


@runtime_checkable
class LoadsHistoryLate(Protocol):
    """Implemented by a logic that may be started before its history is there: by the orchestrator, which starts the
    actor that fills the history."""

    def history_before(self, body: Body) -> int | None:
        """The last start of the bars that `warm` is to load before this message is handled; None when none is
        missing."""
        ...


class ActorLogic(Protocol):
    """Pure and synchronous: the same messages in the same order give the same commands, always.

    Convention: a logic requests new risk only from `tick`, or in response to a fill, a response of the exchange or a
    refusal. On market data it updates its view and publishes `deadline() <= now`; the clock ticks one actor at a time
    and only when the whole system has settled, so decisions are deterministic.
    """

    name: ActorName
    dialect: StateDialect
    """The dialect in which its durable rows are read back."""

    def history_needed(self) -> Sequence[HistoryNeed]:
        """Bars that `warm` requires, in this order; empty when none."""
        ...

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        """Load closed bars, oldest first; none is later than the restored state."""
        ...

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Restore the state of a previous incarnation from rows of the current schema; called once, before `warm` and
        any message, by `state_store.restore`, which compares the result with `rows`."""
        ...

    def rows(self) -> Iterable[StateRow]:
        """Every durable row in its current form; changes nothing."""
        ...

    def begin(self, now_ms: int) -> Commands:
        """Start or resume work: reconcile, request what is missing. Called once per incarnation, after `restore` and
        `warm` and before any message; `now_ms` is market time."""
        ...

    def handle(self, message: Envelope) -> Commands:
        """Decide on one message or response."""
        ...

    def tick(self, now_ms: int) -> Commands:
        """A published deadline has passed (`now_ms` is market time)."""
        ...

    def deadline(self) -> int | None:
        """Market time at which `tick` must be called; None when nothing is pending."""
        ...

    def dirty(self) -> Sequence[StateRow]:
        """Rows changed since the last call; the durable actor commits them with the commands."""
        ...

    def still_needed(self, ask: ExchangeCall) -> bool:
        """Whether a delayed request is still needed (EX-4: any event of the order cancels a retry)."""
        ...
