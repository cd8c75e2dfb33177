"""The in-process runtime: all actors in one thread, for the backtest, property tests and fault simulation.

Same brains, same shell, same messages as under Ray; only delivery is a function call and requests are performed
at once. Deterministic: a fixed order of actors, one thing at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from actors.ports import ExchangePort, Store
from actors.shell import Acts, SequenceGapError, Shell, as_it_is
from statemachines.brain import Brain
from statemachines.commands import Ask
from statemachines.messages import Answer, Body
from statemachines.requests import Dropped
from statemachines.values import Account, ActorName

START_ORDER: tuple[ActorName, ...] = (
    ActorName.MARKET_DATA,
    ActorName.ORDER_MANAGER,
    ActorName.RISK_MANAGER,
    ActorName.CORE_HODL,
    ActorName.TREND_1,
    ActorName.TREND_2,
    ActorName.FUNDING,
    ActorName.TACTICAL,
    ActorName.ORCHESTRATOR,
)
"""Market data first: it fills the history the engines warm up on; the orchestrator last."""


MOST_DELAYED = 3_000
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
    """Runs brains until nothing is left to do at the present market time."""

    def __init__(
        self,
        brains: Mapping[ActorName, Callable[[], Brain]],
        store: Store,
        exchange: ExchangePort,
        frames: Callable[[], Sequence[StreamEvent]],
        probe: Callable[[ActorName, str], None] | None = None,
    ) -> None:
        self._factories = dict(brains)
        self._store = store
        self._exchange = exchange
        self._frames = frames
        self._probe = probe
        self._asks: dict[ActorName, deque[Ask]] = {}
        self.shells: dict[ActorName, Shell] = {}
        self._delayed = 0
        self.performed = 0
        """Requests made to the exchange so far: while it stays the same, nobody has touched the exchange."""

    def start(self, now_ms: int) -> None:
        """Start every actor in order, letting each settle before the next so that history is there in time."""
        for name in START_ORDER:
            if name in self._factories:
                self.start_actor(name, now_ms)
                self.settle()

    def start_actor(self, name: ActorName, now_ms: int) -> Shell:
        """(Re)start one actor as a new incarnation from its durable state."""
        epoch = self._store.grant(name, "in-process")
        probe = None if self._probe is None else partial(self._probe, name)
        shell = Shell(self._factories[name](), self._store, epoch, probe, as_it_is)
        self._asks[name] = deque()
        shell.start(now_ms)
        self.shells[name] = shell
        return shell

    def stop_actor(self, name: ActorName) -> None:
        """Lose an actor as a crash would: whatever was not committed is gone."""
        self.shells.pop(name, None)
        self._asks.pop(name, None)

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
                shell = self.shells.get(name)
                if shell is not None and (shell.has_work or shell.outbox or self._asks[name]):
                    has_worked |= self._work(name, shell)
            if not has_worked and not self._take_frames():
                return

    def _take_frames(self) -> bool:
        events = self._frames()
        for event in events:
            shell = self.shells.get(event.actor)
            if shell is not None:
                shell.tell(event.body, event.natural_id, event.market_ms)
        return bool(events)

    def _work(self, name: ActorName, shell: Shell) -> bool:
        worked = False
        while shell.has_work:
            worked = True
            acts = shell.step()
            self._asks[name].extend(acts.asks)
            self._notify(acts)
        worked |= self._deliver(shell)
        while self._asks[name]:
            worked = True
            self._perform(shell, self._asks[name].popleft())
            self._take_frames()
        return worked

    def _notify(self, acts: Acts) -> None:
        for to, wire in acts.ephemeral:
            for recipient in to:
                if recipient in self.shells:
                    self.shells[recipient].notify(wire)

    def _deliver(self, shell: Shell) -> bool:
        delivered = False
        for recipient in shell.waiting_recipients():
            peer = self.shells.get(ActorName(recipient))
            batch = shell.unacknowledged(recipient)
            if peer is None or not batch:
                continue
            try:
                peer.deliver(batch)
            except SequenceGapError as gap:
                raise AssertionError(f"{recipient}: {gap}") from gap
            # Committed = acknowledged: the peer decides now, before the sender hears of it.
            while peer.has_work:
                acts = peer.step()
                self._asks[peer.name].extend(acts.asks)
                self._notify(acts)
            shell.acknowledged(recipient, peer.cursors.get(str(shell.name), 0))
            delivered = True
        return delivered

    def _perform(self, shell: Shell, ask: Ask) -> None:
        if ask.delay_s and not shell.brain.wants(ask):
            shell.answer(ask.key, Answer(key=ask.key, account=ask.account, outcome=Dropped()))
            return
        if ask.delay_s:
            self._delayed += 1
            if self._delayed > MOST_DELAYED:
                raise EndlessRepetitionError(f"{shell.name} repeats {ask.request.kind} ({ask.key}) without end")
        self.performed += 1
        probe = self._probe or (lambda _actor, _point: None)
        probe(shell.name, "before perform")
        outcome = self._exchange.perform(Account(ask.account), ask.request)
        probe(shell.name, "after perform")
        shell.answer(ask.key, Answer(key=ask.key, account=ask.account, outcome=outcome))
