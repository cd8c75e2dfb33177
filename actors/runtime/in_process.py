"""The in-process runtime: all actors in one thread, for the backtest, property tests and fault simulation.

Same logics, same durable actor, same messages as under Ray; only delivery is a function call and requests are performed
at once. Deterministic: a fixed order of actors, one thing at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from actors.runtime.durable_actor import DurableActor, SequenceGapError
from actors.runtime.envelopes import as_it_is
from actors.runtime.policies.ports import PolicyPort
from actors.runtime.ports import ExchangePort, Store
from actors.runtime.registry import START_ORDER
from actors.runtime.step import Effects
from statemachines.actor_logic import ActorLogic
from statemachines.commands import ExchangeCall
from statemachines.messages.envelope import Body
from statemachines.messages.orders import ResponseReceived
from statemachines.requests import Blocked, Dropped
from statemachines.values import Account, ActorName

MAX_DELAYED = 3_000
"""Requests with a delay within one market instant; all series of a backfill that fails altogether need fewer."""


class EndlessRepetitionError(RuntimeError):
    """A request is repeated without end at one market instant: the run ends with its name instead of hanging."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """A frame of the exchange, already in the core's terms, for one actor."""

    actor: ActorName
    body: Body
    natural_id: str
    market_ms: int


class InProcessRuntime:
    """Runs logics until nothing is left to do at the present market time."""

    def __init__(
        self,
        logics: Mapping[ActorName, Callable[[], ActorLogic]],
        store: Store,
        exchange: ExchangePort,
        frames: Callable[[], Sequence[StreamEvent]],
        probe: Callable[[ActorName, str], None] | None = None,
        policies: PolicyPort | None = None,
    ) -> None:
        self._policies = policies
        self._factories = dict(logics)
        self._store = store
        self._exchange = exchange
        self._frames = frames
        self._probe = probe
        self._calls: dict[ActorName, deque[ExchangeCall]] = {}
        self.durables: dict[ActorName, DurableActor] = {}
        self._delayed = 0
        self.performed = 0
        """Requests made to the exchange so far: while it stays the same, the exchange has not been called."""

    def start(self, now_ms: int) -> None:
        """Start every actor in order, letting each settle before the next so that history is there in time."""
        for name in START_ORDER:
            if name in self._factories:
                self.start_actor(name, now_ms)
                self.settle()

    def start_actor(self, name: ActorName, now_ms: int) -> DurableActor:
        """(Re)start one actor as a new incarnation from its durable state."""
        epoch = self._store.grant(name, "in-process")
        probe = None if self._probe is None else partial(self._probe, name)
        durable = DurableActor(self._factories[name](), self._store, epoch, probe, as_it_is, self._policies)
        self._calls[name] = deque()
        durable.start(now_ms)
        self.durables[name] = durable
        return durable

    def stop_actor(self, name: ActorName) -> None:
        """Lose an actor as a crash would: whatever was not committed is gone."""
        self.durables.pop(name, None)
        self._calls.pop(name, None)

    def settle(self) -> None:
        """Deliver, decide and perform until nothing is in flight.

        Raises:
            EndlessRepetitionError: a request is repeated without end. Delays are none here: time stands still.
        """
        self._delayed = 0
        while True:
            self._take_frames()
            has_worked = False
            for name in START_ORDER:
                durable = self.durables.get(name)
                if durable is not None and (durable.has_work or durable.outbox or self._calls[name]):
                    has_worked |= self._work(name, durable)
            if not has_worked and not self._take_frames():
                return

    def _take_frames(self) -> bool:
        events = self._frames()
        for event in events:
            durable = self.durables.get(event.actor)
            if durable is not None:
                durable.take_fact(event.body, event.natural_id, event.market_ms)
        return bool(events)

    def _work(self, name: ActorName, durable: DurableActor) -> bool:
        worked = False
        while durable.has_work:
            worked = True
            effects = durable.step()
            self._calls[name].extend(effects.calls)
            self._notify(effects)
        worked |= self._deliver(durable)
        while self._calls[name]:
            worked = True
            self._perform(durable, self._calls[name].popleft())
            self._take_frames()
        return worked

    def _notify(self, effects: Effects) -> None:
        for to, envelope in effects.ephemeral:
            for recipient in to:
                if recipient in self.durables:
                    self.durables[recipient].notify(envelope)

    def _deliver(self, durable: DurableActor) -> bool:
        delivered = False
        for recipient in durable.waiting_recipients():
            peer = self.durables.get(ActorName(recipient))
            batch = durable.unacknowledged(recipient)
            if peer is None or not batch:
                continue
            try:
                peer.deliver(batch)
            except SequenceGapError as gap:
                raise AssertionError(f"{recipient}: {gap}") from gap
            # Committed = acknowledged: the peer decides now, before the sender receives the acknowledgement.
            while peer.has_work:
                effects = peer.step()
                self._calls[peer.name].extend(effects.calls)
                self._notify(effects)
            durable.acknowledged(recipient, peer.cursors.get(str(durable.name), 0))
            delivered = True
        return delivered

    def _perform(self, durable: DurableActor, call: ExchangeCall) -> None:
        if call.delay_s and not durable.logic.still_needed(call):
            durable.answer(call.key, ResponseReceived(key=call.key, account=call.account, outcome=Dropped()))
            return
        if call.delay_s:
            self._delayed += 1
            if self._delayed > MAX_DELAYED:
                raise EndlessRepetitionError(f"{durable.name} repeats {call.request.kind} ({call.key}) without end")
        if call.gate is not None and (why := durable.fence((call.gate,)).refusal(call.gate)) is not None:
            durable.answer(call.key, ResponseReceived(key=call.key, account=call.account, outcome=Blocked(why=why)))
            return
        self.performed += 1
        probe = self._probe or (lambda _actor, _point: None)
        probe(durable.name, "before perform")
        outcome = self._exchange.perform(Account(call.account), call.request)
        probe(durable.name, "after perform")
        durable.answer(call.key, ResponseReceived(key=call.key, account=call.account, outcome=outcome))
