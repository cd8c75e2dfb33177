"""The simulated exchange as one object, for use in-process; the server is a process around it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from infra.simulator.api.context import Answer, Context, envelope
from infra.simulator.api.keys import ApiKey, default_key
from infra.simulator.api.params import Params
from infra.simulator.api.routes import FEAR_AND_GREED, ROUTES, VOLATILITY_INDEX
from infra.simulator.api.shapes.external import fear_and_greed, volatility_index
from infra.simulator.api.shapes.frames import PRIVATE, PRIVATE_TOPICS, Frame, private_frames
from infra.simulator.api.shapes.public import InvalidTopic, PublicStreams
from infra.simulator.api.shapes.quotes import Statistics
from infra.simulator.config import SimConfig
from infra.simulator.market.port import Market
from infra.simulator.venue import snapshot, stepper, treasury
from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.fast_forward import NO_LIMITS
from infra.simulator.venue.orders.incidents import Incident, carry_out
from infra.simulator.venue.state import Venue
from infra.simulator.venue.stepper import Public, Stepped

SHOWN_LATE_MS = 3_000
"""A quote older than this is not shown any more: streams show the present."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One REST request. ``uid`` is the account that signed (None: unsigned); ``key`` its key, else the default one.

    ``params`` are the query parameters of a GET or the JSON body of a POST, as sent; ``granted`` is how many orders
    of a batch the rate limit allows (None: all).
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    uid: int | None = None
    key: ApiKey | None = None
    granted: int | None = None


@dataclass(frozen=True, slots=True)
class AdvanceResult:
    """What one call of ``advance`` did. ``frames`` are those of this micro-step (and any not fetched before);
    ``public`` is what public streams show in it, ``passed_ms`` are the hours passed over whose bars it shows too."""

    settled: bool
    advanced: bool
    step: int
    market_time: int
    queued: int
    end: bool
    public: Public = Public.NOTHING
    frames: list[Frame] = field(default_factory=list)
    passed_ms: tuple[int, ...] = ()


class StepAhead(ValueError):
    """The caller's step is ahead of the exchange's: it was given out by another exchange or an older state."""


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Exchange:
    """Bybit V5 semantics over a market: ``handle`` answers a request, ``advance`` makes one micro-step.

    Frames are built only for subscribed topics; those caused by a request are fetched with ``drain``.
    Not thread-safe: one caller at a time.
    """

    def __init__(
        self,
        market: Market,
        config: SimConfig | None = None,
        *,
        state: dict[str, Any] | None = None,
        wall_ms: Callable[[], int] = _wall_ms,
    ) -> None:
        self.config = config or SimConfig()
        self._wall_ms = wall_ms
        if state is None:
            self.venue = Venue(market, self.config)
            treasury.open_books(self.venue)
        else:
            self.venue = snapshot.load(market, self.config, state)
        self._statistics = Statistics(self.venue)
        self._streams = PublicStreams(self.venue, self._statistics)
        self._private: dict[str, Counter[str]] = {name: Counter() for name in self.venue.accounts}
        self._pending: list[Frame] = []
        self._keys = {one.uid: default_key(one.name, one.uid, is_master=one.is_master) for one in self.config.accounts}

    @property
    def market_time(self) -> int:
        """Market time now, ms."""
        return self.venue.now_ms

    @property
    def step(self) -> int:
        """The number of micro-steps made so far."""
        return self.venue.step

    @property
    def end(self) -> bool:
        """Whether the market has ended and its last work is done; nothing moves any more."""
        return self.venue.ended and not self.venue.queue

    def dump(self) -> dict[str, Any]:
        """The whole state, JSON-ready; hand it to a new ``Exchange`` as ``state``."""
        return snapshot.dump(self.venue)

    def handle(self, request: ApiRequest) -> dict[str, Any]:
        """Answer one request with Bybit's envelope (the two outside feeds in their own shape).

        Bad input is answered with its retCode, never raised.
        """
        params = Params(request.params)
        wall_ms = self._wall_ms()
        try:
            if request.path in FEAR_AND_GREED:
                return fear_and_greed(self.venue, params)
            if request.path == VOLATILITY_INDEX:
                return volatility_index(self.venue, params, wall_ms)
        except VenueError as error:
            return envelope(error.code, error.message, {}, {}, wall_ms)
        route = ROUTES.get((request.method, request.path))
        if route is None:
            return envelope(10017, f"Route {request.method} {request.path} not found.", {}, {}, wall_ms)
        try:
            account = self.venue.account(request.uid) if request.uid is not None else None
            key = request.key or (self._keys[account.uid] if account else None)
            context = Context(self.venue, self._statistics, params, wall_ms, account, key, request.granted)
            if route.signed:
                _ = context.account
            answer: Answer = route.handler(context)
        except VenueError as error:
            answer = Answer({}, error.message)
            return envelope(error.code, error.message, {}, {}, wall_ms)
        finally:
            self._collect()
        return envelope(0, answer.message, answer.result, answer.ext, wall_ms)

    def deposit(self, account: str, coin: str, amount: Decimal) -> None:
        """Pay in from outside. Raises ``VenueError`` for an unknown coin or an amount that is not positive."""
        treasury.deposit(self.venue, self.venue.accounts[account], coin, amount)
        self._collect()

    def transact(
        self, account: str, coin: str, kind: str, amount: Decimal, fee: Decimal, shown: Mapping[str, Any]
    ) -> None:
        """A movement that no request caused, with its row in the transaction log (``treasury.transact``)."""
        treasury.transact(self.venue, self.venue.accounts[account], coin, kind, amount, fee, shown)
        self._collect()

    def advance(
        self, step: int, until: int | None, patient: int = 0, max_basis: Mapping[str, Decimal] = NO_LIMITS
    ) -> AdvanceResult:
        """One micro-step, if ``step`` is the present one; an earlier number changes nothing (a repeated call).

        ``until`` is the caller's next deadline (ms) or None; up to ``patient`` (ms) whole hours may be passed over in
        which nothing happens, to be shown together (``venue/passing.py``); an hour in which a perpetual of
        ``max_basis`` closes further above spot than this fraction is shown at once.
        Raises ``StepAhead`` for a number that this exchange has not reached.
        """
        if step > self.venue.step:
            raise StepAhead(f"step {step} is ahead of the exchange, which is at step {self.venue.step}.")
        if step < self.venue.step:
            return self._result(Stepped(Public.NOTHING, False))
        done = stepper.advance(self.venue, until, patient, max_basis)
        self._collect()
        if done.public is not Public.NOTHING:
            shown = (*done.passed_ms, self.venue.now_ms) if done.public is Public.BARS else ()
            self._pending += self._streams.quotes(shown)
        return self._result(done)

    def incident(self, happens: Callable[[Venue], None]) -> None:
        """Something that the exchange does of its own accord (`venue.orders.incidents`), with its frames."""
        happens(self.venue)
        self._collect()

    def intervene(self, incident: Incident) -> None:
        """An incident as plain data, with its frames."""
        self.incident(lambda venue: carry_out(venue, incident))

    def run_to(self, instant_ms: int) -> None:
        """By the wall clock: everything that happens up to this instant, in the same micro-steps as in lockstep. The
        first call opens the market there. An instant that has passed changes nothing. Frames are fetched with
        ``drain``; of a time that was slept through the public streams show bars and the last seconds only.
        """
        venue = self.venue
        if venue.step == 0:
            stepper.begin_at(venue, instant_ms)
            venue.step = 1
        while (venue.queue or venue.now_ms < instant_ms) and not self.end:
            done = stepper.advance(venue, instant_ms)
            self._collect()
            if done.public is Public.BARS:
                self._pending += self._streams.quotes((venue.now_ms,))
            elif done.public is Public.POINT and venue.now_ms > instant_ms - SHOWN_LATE_MS:
                self._pending += self._streams.quotes(())

    def drain(self) -> list[Frame]:
        """The frames made since the last call (by requests), in order."""
        frames, self._pending = self._pending, []
        return frames

    def subscribe(self, topics: Iterable[str], *, category: str = PRIVATE, account: str | None = None) -> list[Frame]:
        """Listen to topics: public ones of ``category`` spot or linear, or private ones of ``account``.

        Returns the snapshots (tickers, order books) for this listener. Raises ``InvalidTopic``.
        """
        topics = list(topics)
        if category != PRIVATE:
            return self._streams.add(category, topics)
        for topic in topics:
            if topic not in PRIVATE_TOPICS:
                raise InvalidTopic(f"Invalid topic: {topic}")
        if account is None or account not in self._private:
            raise InvalidTopic(f"Private topics need an account; {account!r} is none.")
        self._private[account].update(topics)
        return []

    def unsubscribe(self, topics: Iterable[str], *, category: str = PRIVATE, account: str | None = None) -> None:
        """Stop listening once for each topic."""
        if category != PRIVATE:
            self._streams.remove(category, topics)
        elif account is not None:
            self._private[account].subtract(topics)

    def _collect(self) -> None:
        for name, changes in self.venue.take_changes().items():
            topics = [topic for topic, count in self._private[name].items() if count > 0]
            if topics:
                self._pending += private_frames(self.venue, self.venue.accounts[name], changes, topics)

    def _result(self, done: Stepped) -> AdvanceResult:
        venue = self.venue
        return AdvanceResult(
            settled=True,
            advanced=done.moved,
            step=venue.step,
            market_time=venue.now_ms,
            queued=len(venue.queue),
            end=self.end,
            public=done.public,
            frames=self.drain() if done.moved else [],
            passed_ms=done.passed_ms,
        )
