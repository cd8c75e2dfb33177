"""The ports: what the actors need from the outside, in the core's own terms. `infra` implements them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from statemachines.actor_logic import NO_LOOKAHEAD, Lookahead, StateRow
from statemachines.commands import ExchangeCall, JournalLine
from statemachines.deadman.beats import Beat
from statemachines.execution.orders.request_queue import BatchKind
from statemachines.facts import BarFact, Fact
from statemachines.limits.entry_gate import scopes_of
from statemachines.messages.control import ReadingChanged
from statemachines.messages.envelope import Body
from statemachines.requests import ExchangeRequest, ExchangeResponse, LookUpOrder, OrderWrite
from statemachines.values import Account

EnvelopeDict = dict[str, Any]
"""A message on the wire: `{id, sender, seq, prev, to, kind, version, market_time, cause, trace, body}`."""


class FencedError(Exception):
    """Another incarnation holds the actor's epoch: this one must stop at once and touch nothing."""


class StoreUnavailableError(Exception):
    """The database cannot be used; the actor waits, visibly, and repeats the same commit. `what` continues a sentence
    that begins with "The database"; `why` is what the database itself said."""

    def __init__(self, what: str = "cannot be reached", why: str = "") -> None:
        super().__init__(f"the database {what}{f': {why}' if why else ''}")
        self.what = what
        self.why = why

    def __reduce__(self) -> tuple[type[StoreUnavailableError], tuple[str, str]]:
        return type(self), (self.what, self.why)


class LeaseHeldError(Exception):
    """Another system holds the lease on the database: this one must do nothing. `holder` names it for people; after
    `lease_s` without a renewal its lease is over. The text is what the operator reads."""

    def __init__(self, holder: str, lease_s: float) -> None:
        super().__init__(
            f"This database is in use by another system ({holder}). Nothing is done here until that one has ended "
            f"(`eternal stop` there) or has not renewed its lease for {lease_s:.0f} s; then this one takes over."
        )
        self.holder = holder
        self.lease_s = lease_s

    def __reduce__(self) -> tuple[type[LeaseHeldError], tuple[str, float]]:
        return type(self), (self.holder, self.lease_s)


class BeatPort(Protocol):
    """Where the orchestrator's beats go, for the dead-man switch (RM-4)."""

    def beat(self, beat: Beat, market_ms: int) -> None:
        """Write one beat to every place; what fails is logged, and nothing is raised."""
        ...


class ActorGoneError(Exception):
    """The actor's process is dead or cannot be reached any more."""


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One decision with the message that caused it."""

    market_ms: int
    cause: str
    trace: str
    note: JournalLine


@dataclass(frozen=True, slots=True)
class ExchangeCallRow:
    """A request as it stands in the database with the message that caused it."""

    call: ExchangeCall
    cause: str
    trace: str
    market_ms: int


@dataclass(slots=True)
class Commit:
    """Everything one step of the durable actor makes durable, in one transaction or not at all.

    `number` is the actor's commit number after this one; `cursors` the newest sequence taken per sender;
    `known` natural ids of outside facts taken (to drop repeats); `acknowledged` per recipient the newest of our
    sequences it has; `answered` the keys of asks whose outcome is part of this step.
    """

    actor: str
    epoch: int
    number: int
    market_ms: int
    next_seq: int
    states: Sequence[StateRow] = ()
    cursors: Mapping[str, int] = field(default_factory=dict)
    known: Sequence[str] = ()
    acknowledged: Mapping[str, int] = field(default_factory=dict)
    outbox: Sequence[EnvelopeDict] = ()
    calls: Sequence[ExchangeCallRow] = ()
    answered: Sequence[str] = ()
    journal: Sequence[JournalRow] = ()
    facts: Sequence[Fact] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """An actor's durable state. `outbox` holds messages some recipient has not acknowledged, oldest first;
    `pending` the asks without an answer; `last_sent` per recipient the newest sequence ever addressed to it."""

    number: int
    market_ms: int
    next_seq: int
    states: Mapping[str, StateRow]
    cursors: Mapping[str, int]
    acknowledged: Mapping[str, int]
    last_sent: Mapping[str, int]
    outbox: Sequence[EnvelopeDict]
    pending: Sequence[ExchangeCallRow]


@dataclass(frozen=True, slots=True)
class Fence:
    """What the database says right before a write to the exchange. `switches`: scope and state of those that forbid
    new risk at this moment (RM-5), of the scopes asked for."""

    is_held: bool
    switches: Mapping[str, str] = field(default_factory=dict)

    def refusal(self, gate: str | None) -> str | None:
        """Why a request with this gate must not leave; None when it may, and always for one without a gate."""
        scope = None if gate is None else next((one for one in scopes_of(gate) if one in self.switches), None)
        if scope is None:
            return None
        return f"{scope} is {self.switches[scope]}: new risk of {gate} is forbidden; the request was not sent"


class ClosedBars(Protocol):
    """Bars on record, as a logic requires them to begin."""

    def closed_bars(
        self, category: str, symbol: str, interval: str, last_start_ms: int, count: int
    ) -> Sequence[BarFact]:
        """The newest `count` closed bars that start at or before `last_start_ms`, oldest first."""
        ...


class Store(ClosedBars, Protocol):
    """The database as the durable actor sees it."""

    def grant(self, actor: str, holder: str, under: int | None = None) -> int:
        """A new epoch for the actor; every older incarnation is fenced from now on. `under`: the epoch of the
        orchestrator that demands it; None where there is no lease, as in process.

        Raises FencedError when the lease is not, or no longer, of this orchestrator; nothing is changed then.
        """
        ...

    def load(self, actor: str, epoch: int) -> Loaded:
        """The durable state of the actor. Raises FencedError when the epoch is not the newest."""
        ...

    def commit(self, commit: Commit) -> frozenset[str]:
        """Make a step durable; returns the keys of the asks that a switch blocks.

        An ask with a `gate` is tested against the switches GLOBAL and the engine's own in the same transaction.
        Repeating a commit whose outcome was lost is safe: the number shows whether it had landed.

        Raises:
            FencedError: the epoch or the commit number is not ours.
            StoreUnavailableError: the database cannot be reached; nothing is known to be committed.
        """
        ...

    def holds(self, actor: str, epoch: int) -> bool:
        """Whether this epoch is still the newest."""
        ...

    def fence(self, actor: str, epoch: int, gates: Collection[str] = ()) -> Fence:
        """Asked before each exchange write, in one query: whether this epoch is still the newest, and the switches that
        forbid new risk of the `gates` (engines). So a request that was durable before a switch and waited for its turn
        does not leave after it."""
        ...

    def is_known(self, actor: str, natural_ids: Sequence[str]) -> frozenset[str]:
        """Those of the natural ids that the actor has already taken."""
        ...


@dataclass(frozen=True, slots=True)
class Claimant:
    """A launch that claims the lease. `run` is of this one start; `place` is what only one launch at a time can hold
    (a data folder on this machine); `shown` names it for people."""

    run: str
    place: str
    shown: str


class LeaseRegister(Protocol):
    """The lease on the database: at most one run has it, and within the run the newest orchestrator. It is measured by
    the database's clock. Every method raises StoreUnavailableError."""

    def claim(self, claimant: Claimant, seconds: float) -> None:
        """Claim the lease for a run, or renew it. Taken from another run, every incarnation of every actor is fenced in
        the same transaction.

        Raises LeaseHeldError: another run has it, is of another place, and has renewed it in time.
        """
        ...

    def succeed(self, run: str, seconds: float) -> int:
        """The epoch of a new orchestrator of the run that has the lease; older ones are fenced.

        Raises LeaseHeldError: another run has the lease, or none has claimed it.
        """
        ...

    def renew(self, epoch: int, seconds: float) -> None:
        """Raises FencedError: the lease is not of this orchestrator any more."""
        ...

    def release(self, run: str) -> None:
        """The run has ended in order: the next one need not wait. Nothing happens when the lease is another run's."""
        ...


class ExchangePort(Protocol):
    """The exchange as the request queues call it: blocking, one call per account at a time."""

    def perform(self, account: Account, request: ExchangeRequest) -> ExchangeResponse:
        """Perform one request. Refusals and unknown outcomes are answers, not exceptions."""
        ...

    def perform_batch(self, account: Account, requests: Sequence[OrderWrite]) -> Sequence[ExchangeResponse]:
        """Perform several requests on orders, of one kind and category, in one call: an outcome for each, in their
        order."""
        ...

    def look_up_orders(self, account: Account, requests: Sequence[LookUpOrder]) -> Sequence[ExchangeResponse]:
        """What became of several orders, an outcome for each in their order; one pause between both rounds for all."""
        ...

    def await_turn(self, account: Account, requests: Sequence[ExchangeRequest]) -> ExchangeResponse | None:
        """Wait until the account's rate limit has room for requests on orders that are performed next in this thread,
        so that nothing waits between the fence and the write; the refusal if that would take too long."""
        ...

    def most_together(self, account: Account, kind: BatchKind) -> int:
        """How many requests of this kind the account's rate limit allows in one call, at least 1."""
        ...


class StreamSink(Protocol):
    """Where streams deliver: `natural_id` makes a repeat recognisable, "" marks an ephemeral frame."""

    def __call__(self, body: Body, natural_id: str, market_ms: int) -> None: ...


class StreamsPort(Protocol):
    """The exchange's streams of one actor, supervised: rebuilt with growing delay when they fall silent."""

    def start(self, sink: StreamSink, on_reconnected: Callable[[str], None]) -> None:
        """Connect, authenticate, subscribe; `on_reconnected` asks for a gap fill after every later reconnect."""
        ...

    def received(self) -> Mapping[str, int]:
        """Per connection id the number of topic frames handed to the sink so far (lockstep)."""
        ...

    def faults(self) -> Sequence[str]:
        """Sentences about connections that are down or silent; empty when all is well."""
        ...

    def silence_s(self) -> Mapping[str, float]:
        """Per connection the seconds (wall time) since it was last known to live, 0 while it does (RM-4)."""
        ...

    def data_age_s(self) -> Mapping[str, float]:
        """Per connection that brings data all the time the seconds since the last of them (RM-4)."""
        ...

    def stop(self) -> None: ...


class MarketClock(Protocol):
    """Market time. In paper it is driven in lockstep; live it is the exchange's clock."""

    def now_ms(self) -> int: ...


class ReadingsWatch(Protocol):
    """RM-4's readings of the exchange, taken from the actors' health and on its own."""

    def look(self, healths: Iterable[Mapping[str, Any]], now_s: float) -> Sequence[ReadingChanged]:
        """What has changed; `now_s` is monotonic wall time."""
        ...

    def recorded(self, version: int, policy: Mapping[str, Any]) -> None:
        """A version of the policy that is to come into force (RM-6)."""
        ...

    def in_force(self, version: int) -> None:
        """Judge by the limits of this version of the policy from now on (RM-6)."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """The answer of the lockstep exchange to one advance. `sent`: topic frames per live connection so far; `queued`:
    groups of frames of this instant that are still to be sent."""

    step: int
    market_ms: int
    settled: bool
    ended: bool
    sent: Mapping[str, int] = field(default_factory=dict)
    queued: int = 0


class ExchangeAwayError(Exception):
    """The lockstep exchange does not answer; the same step may be asked for again without harm."""


class LockstepPort(Protocol):
    """The simulated exchange's control interface: it moves only when everything has settled."""

    def status(self) -> Step: ...

    def advance(self, step: int, until_ms: int | None, lookahead: Lookahead, handled: Mapping[str, int]) -> Step:
        """One micro-step, if all frames sent were handled; otherwise `settled` is False and nothing moves. Hours that
        touch no account may be passed over within `lookahead`; their bars come together.

        Raises ExchangeAwayError.
        """
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """The state of an actor at a moment when it has nothing to do.

    `sent` per recipient and `cursors` per sender are durable sequence numbers. Quotes: `quotes_out` holds per
    recipient the incarnation that took the newest and which number they were there, `quotes_in` per sender how many
    this incarnation has handled; while some are on their way an actor does not report. `ticks` counts the ticks taken
    and `calls` the requests to the exchange, from 0 with each incarnation; `frames` the stream frames taken per
    connection. `lookahead` see `statemachines.actor_logic.HasLookahead`.
    """

    incarnation: int
    idle: bool
    ticks: int = 0
    calls: int = 0
    sent: Mapping[str, int] = field(default_factory=dict)
    cursors: Mapping[str, int] = field(default_factory=dict)
    quotes_out: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    quotes_in: Mapping[str, int] = field(default_factory=dict)
    frames: Mapping[str, int] = field(default_factory=dict)
    deadline_ms: int | None = None
    lookahead: Lookahead = NO_LOOKAHEAD
