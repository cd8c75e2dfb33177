"""The threaded runtime of one actor: a worker, outbox dispatchers and an exchange dispatcher.

Everything reaches the worker through one queue, so no lock is needed. An inbox never waits for the network:
requests to the exchange run in one queue per account, deliveries in one dispatcher per recipient.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from actors.runtime.durable_actor import DurableActor, SequenceGapError
from actors.runtime.exchange_dispatcher import ExchangeDispatcher
from actors.runtime.metrics.seen import Seen, timed
from actors.runtime.outbox_dispatcher import REPORTS_LINGER_S, RETRY_DELAYS_S, OutboxDispatcher, Peers, is_quote
from actors.runtime.policies.ports import PolicyPort
from actors.runtime.ports import (
    EnvelopeDict,
    ExchangePort,
    FencedError,
    MarketClock,
    Report,
    Store,
    StoreUnavailableError,
    StreamsPort,
)
from actors.runtime.quote_counts import QuoteCounts
from actors.runtime.step import GROUP_LIMIT, CommandTaken, Delivery, Effects, Load
from statemachines.actor_logic import ActorLogic, StateRow
from statemachines.messages.envelope import Body
from statemachines.messages.orders import ResponseReceived, StreamRestored
from statemachines.values import ActorName

_log = logging.getLogger(__name__)

IDLE_WAKE_S = 0.25
"""The worker wakes this often without work, to stamp its progress for the supervisor."""

FRAMES_LINGER_S = 0.002

COMMAND_TIMEOUT_S = 30.0
"""Longest wait for the commit of an operator's command; its caller gives up earlier."""

LIVE_TICK_S = 0.1
"""How often a live actor looks whether its deadline has come."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a runner needs, made by the assembly inside the actor's own process."""

    logic: ActorLogic
    store: Store
    exchange: ExchangePort | None
    streams: StreamsPort | None
    peers: Peers
    clock: MarketClock
    is_lockstep: bool = True
    policies: PolicyPort | None = None


class ActorRunner:
    """Runs one actor. `start` may take seconds (it loads and reconciles); `health` always answers at once."""

    def __init__(self, name: ActorName, parts: Parts, on_fenced: Callable[[str], None]) -> None:
        self.name = name
        self._parts = parts
        self._on_fenced = on_fenced
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._durable: DurableActor | None = None
        self._exchange_dispatcher: ExchangeDispatcher | None = None
        self._dispatchers: dict[str, OutboxDispatcher] = {}
        self._deliveries: list[Delivery] = []
        self._commands: list[CommandTaken] = []
        self._quotes = QuoteCounts()
        self._ticks = 0
        self._calls = 0
        self._last_report: Report | None = None
        self._state = "CREATED"
        self._frames_come = False
        self._are_reports_waiting = False
        self._turns = 0
        self._load = Load()
        self._is_deciding = False
        self._error = ""
        self._outage: Mapping[str, Any] | None = None
        self.seen = Seen(name)

    @property
    def epoch(self) -> int:
        """The incarnation; 0 before `start`."""
        return self._durable.epoch if self._durable is not None else 0

    @property
    def restored(self) -> Mapping[str, StateRow]:
        """The durable rows this incarnation started from."""
        return self._durable.restored if self._durable is not None else {}

    # --- called from outside, from any thread ---

    def start(self, epoch: int, now_ms: int) -> None:
        """Load, restore and begin work as incarnation `epoch`.

        Raises FencedError, StoreUnavailableError or whatever a broken state row raises: the supervisor decides.
        """
        self._state = "RECOVERING"
        parts = self._parts
        durable = DurableActor(parts.logic, parts.store, epoch, policies=parts.policies)
        durable.start(now_ms)
        self._durable = durable
        self.seen.restored(durable.restored)
        if parts.exchange is not None:
            self._exchange_dispatcher = ExchangeDispatcher(
                parts.exchange,
                durable.fence,
                durable.still_needed,
                self._answered,
                self._fenced,
                is_lockstep=parts.is_lockstep,
            )
        threading.Thread(target=self._work, name=f"{self.name}-worker", daemon=True).start()
        if not parts.is_lockstep:
            threading.Thread(target=self._tick_by_the_clock, name=f"{self.name}-clock", daemon=True).start()
        if parts.streams is not None:
            parts.streams.start(self._tell, self._restored)

    def deliver(self, batch: Sequence[EnvelopeDict]) -> dict[str, int]:
        """Messages of a peer; returns once they are committed. A gap is answered with the cursor to go back to."""
        if self._durable is None:
            raise RuntimeError(f"{self.name} has not been started: it takes no messages yet")
        delivery = Delivery(batch, Future())
        quotes = [envelope for envelope in batch if is_quote(envelope)]
        numbered = self._enqueue_quotes(str(batch[0]["sender"]), len(quotes), lambda: self._take(delivery))
        return {**delivery.done.result(timeout=60), **numbered}

    def notify(self, envelope: EnvelopeDict) -> dict[str, int]:
        """An ephemeral message of a peer; lost when this actor is down, which is harmless by definition."""
        durable = self._durable
        if durable is None:
            raise RuntimeError(f"{self.name} has not been started: it takes no quotes yet")
        return self._enqueue_quotes(str(envelope["sender"]), 1, lambda: durable.notify(envelope))

    def _enqueue_quotes(self, sender: str, count: int, take: Callable[[], None]) -> dict[str, int]:
        number = self._quotes.enter(sender, count, lambda: self._queue.put(take))
        return {"epoch": self.epoch, "quotes": number}

    def command(self, body: Body, natural_id: str, market_ms: int = 0) -> None:
        """`inform` that returns once the message is committed, or dropped as a repeat.

        Raises:
            RuntimeError: this actor has not been started.
            TimeoutError: not committed in time, as while the database is away; it stays in the inbox.
        """
        self.inform(body, natural_id, market_ms).result(timeout=COMMAND_TIMEOUT_S)

    def inform(self, body: Body, natural_id: str, market_ms: int = 0) -> Future[None]:
        """A command of the operator or the supervision; the future ends when it is committed. `natural_id` makes a
        repeat harmless. In lockstep `market_ms` is the market time that the caller has; this actor's own may be older
        (not every hour brings it a message).

        Raises:
            RuntimeError: this actor has not been started.
        """
        durable = self._durable
        if durable is None:
            raise RuntimeError(f"{self.name} has not been started: it takes no commands yet")
        now_ms = market_ms if self._parts.is_lockstep else self._parts.clock.now_ms()
        command = CommandTaken(natural_id, Future())
        self._queue.put(lambda: self._take_command(durable, command, body, now_ms))
        return command.done

    def tick(self, now_ms: int) -> None:
        """Market time has come to a deadline."""
        durable = self._durable
        if durable is not None:
            self._queue.put(lambda: self._ticked(durable, now_ms))

    def report_again(self) -> None:
        """The lockstep driver is new or unsure: report at the next idle moment even if nothing has changed."""
        self._queue.put(self._forget_report)

    def health(self) -> dict[str, Any]:
        """A snapshot that never waits: `progress` counts the worker's turns, so that a stuck one is seen;
        `outage` is the database's, as long as it lasts (`what`, `why`, `since_s` in wall time)."""
        durable, streams = self._durable, self._parts.streams
        waiting = self._queue.qsize() + (durable.inbox_length if durable else 0)
        return {
            "name": str(self.name),
            "state": self._state,
            "pid": os.getpid(),
            "progress": self._turns,
            "is_busy": self._is_deciding or waiting > 0,
            "epoch": durable.epoch if durable else 0,
            "market_ms": durable.market_ms if durable else 0,
            "commits": self.seen.commits,
            "inbox": waiting,
            "pending_requests": len(durable.pending) if durable else 0,
            "undelivered": len(durable.outbox) if durable else 0,
            "deadline_ms": durable.deadline() if durable else None,
            "policy_version": durable.policy.version if durable else 0,
            "stream_faults": list(streams.faults()) if streams else [],
            "silence_s": dict(streams.silence_s()) if streams else {},
            "data_age_s": dict(streams.data_age_s()) if streams else {},
            "machines": dict(self.seen.states),
            "last_error": self._error,
            "outage": self._outage,
        }

    def stop(self) -> None:
        """End the threads and the streams; what is not committed is as after a crash."""
        self._stop.set()
        self._state = "STOPPED"
        if self._parts.streams is not None:
            self._parts.streams.stop()
        if self._exchange_dispatcher is not None:
            self._exchange_dispatcher.stop()
        for dispatcher in self._dispatchers.values():
            dispatcher.stop()

    # --- the worker ---

    def _work(self) -> None:
        durable = self._durable
        assert durable is not None
        try:
            while not self._stop.is_set():
                self._turns += 1
                self._drain()
                self._is_deciding = True
                while durable.has_work and not self._stop.is_set():
                    self._step(durable)
                self._dispatch(durable, {})
                self._is_deciding = False
                self._report_when_idle(durable)
        except FencedError as error:
            self._fenced(str(error))
        except Exception as error:  # noqa: BLE001 - the boundary of the worker
            # Let it crash: the supervisor recreates the actor from what is durable.
            _log.exception("%s has failed", self.name)
            self._error = f"{type(error).__name__}: {error}"
            self._state = "FAILED"

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            self._queue.get(timeout=REPORTS_LINGER_S if self._are_reports_waiting else IDLE_WAKE_S)()
            # In lockstep nothing lingers: market time stands still, and one decision follows from the other.
            linger_s = 0.0 if self._parts.is_lockstep else self._load.linger_s
            if linger_s:
                self._stop.wait(linger_s)
            for _ in range(GROUP_LIMIT):
                # Frames of one instant come one by one: a moment's patience decides them in one transaction.
                self._queue.get(timeout=FRAMES_LINGER_S if self._frames_come and not linger_s else 0.0)()
        self._frames_come = False

    def _step(self, durable: DurableActor) -> None:
        attempt = 0
        state_before = self._state
        while not self._stop.is_set():
            try:
                effects, took_s = timed(durable.step)
                break
            except StoreUnavailableError as error:
                self._state, self._error = "WAITING_FOR_DATABASE", str(error)
                since_s = self._outage["since_s"] if self._outage is not None else time.time()
                self._outage = {"what": error.what, "why": error.why, "since_s": since_s}
                self._turns += 1
                self._stop.wait(RETRY_DELAYS_S[min(attempt, len(RETRY_DELAYS_S) - 1)])
                attempt += 1
        else:
            return
        if attempt:
            self._state, self._error, self._outage = state_before, "", None
        self._load.decided()
        self._turns += 1
        self.seen.committed(durable.last_step, durable.number, took_s)
        self._act(durable, effects)
        waiting, self._deliveries = self._deliveries, []
        for delivery in waiting:
            self._settle_delivery(durable, delivery)
        commands, self._commands = self._commands, []
        for command in commands:
            if durable.awaits(command.natural_id):
                self._commands.append(command)
            else:
                command.done.set_result(None)

    def _act(self, durable: DurableActor, effects: Effects) -> None:
        self.seen.asked(effects.calls, time.monotonic())
        for call in effects.calls:
            if self._exchange_dispatcher is None:
                raise RuntimeError(f"{self.name} asked the exchange for {call.key} but has no access to it")
            self._exchange_dispatcher.submit(call)
        self._calls += len(effects.calls)
        quotes: dict[str, list[EnvelopeDict]] = {}
        for to, envelope in effects.ephemeral:
            for name in to:
                quotes.setdefault(str(name), []).append(envelope)
        self._dispatch(durable, quotes)
        for recipient, envelopes in quotes.items():
            for envelope in envelopes:
                self._quotes.leave(recipient, 1)
                self._dispatcher(recipient).notify(envelope)

    def _dispatch(self, durable: DurableActor, quotes: dict[str, list[EnvelopeDict]]) -> None:
        """Deliver what waits; quotes for the same recipient travel in the same call and are taken out of `quotes`."""
        self._are_reports_waiting = False
        is_loaded = self._load.is_heavy and not self._parts.is_lockstep
        for recipient in durable.waiting_recipients():
            dispatcher = self._dispatcher(recipient)
            if not dispatcher.is_busy:
                batch = durable.unacknowledged(recipient)
                if batch and is_loaded and dispatcher.may_wait(batch):
                    self._are_reports_waiting = True
                elif batch:
                    with_them = quotes.pop(recipient, [])
                    self._quotes.leave(recipient, len(with_them))
                    dispatcher.deliver([*with_them, *batch])

    def _dispatcher(self, recipient: str) -> OutboxDispatcher:
        dispatcher = self._dispatchers.get(recipient)
        if dispatcher is None:
            dispatcher = OutboxDispatcher(self.name, recipient, self._parts.peers, self._delivered, self._quotes_ended)
            self._dispatchers[recipient] = dispatcher
        return dispatcher

    # --- what reaches the worker through the queue ---

    def _take(self, delivery: Delivery) -> None:
        durable = self._durable
        assert durable is not None
        try:
            for envelope in delivery.batch:
                if is_quote(envelope):
                    durable.notify(envelope)
            durable.deliver([envelope for envelope in delivery.batch if not is_quote(envelope)])
        except SequenceGapError as gap:
            _log.info("%s: %s", self.name, gap)
        if durable.has_work:
            self._deliveries.append(delivery)
        else:
            self._settle_delivery(durable, delivery)

    def _take_command(self, durable: DurableActor, command: CommandTaken, body: Body, now_ms: int) -> None:
        durable.take_fact(body, command.natural_id, max(now_ms, durable.market_ms))
        self._commands.append(command)

    def _settle_delivery(self, durable: DurableActor, delivery: Delivery) -> None:
        sender = str(delivery.batch[0]["sender"])
        committed, accepted = durable.cursors.get(sender, 0), durable.accepted.get(sender, 0)
        if committed < accepted:
            self._deliveries.append(delivery)
        else:
            delivery.done.set_result({"cursor": committed})

    def _ticked(self, durable: DurableActor, now_ms: int) -> None:
        self._ticks += 1
        self._last_report = None
        durable.tick(now_ms)

    def _tick_by_the_clock(self) -> None:
        """Live, there is no lockstep driver: the exchange's clock decides when a deadline has come. One tick at a time:
        while the database is away the worker takes none, and a deadline needs no second one."""
        durable = self._durable
        assert durable is not None
        asked = self._ticks
        while not self._stop.wait(LIVE_TICK_S):
            due = durable.deadline()
            if due is not None and due <= self._parts.clock.now_ms() and self._ticks == asked:
                asked += 1
                self.tick(self._parts.clock.now_ms())

    def _forget_report(self) -> None:
        self._last_report = None

    def _tell(self, body: Body, natural_id: str, market_ms: int) -> None:
        durable = self._durable
        assert durable is not None
        self._frames_come = True
        self._queue.put(lambda: durable.take_fact(body, natural_id, market_ms))

    def _restored(self, stream: str) -> None:
        durable = self._durable
        assert durable is not None
        # The newest frames are what was lost: only the exchange has the present market time.
        now_ms = self._parts.clock.now_ms()
        self._queue.put(lambda: durable.take_fact(StreamRestored(stream=stream), "", now_ms))

    def _answered(self, key: str, answer: ResponseReceived) -> None:
        durable = self._durable
        assert durable is not None
        self.seen.answered(key, time.monotonic())
        self._queue.put(lambda: durable.answer(key, answer))

    def _delivered(self, recipient: str, cursor: int) -> None:
        self._queue.put(lambda: self._courier_returns(recipient, cursor))

    def _courier_returns(self, recipient: str, cursor: int) -> None:
        """Both in one turn: a dispatcher that is free before its acknowledgement counts would deliver twice."""
        durable = self._durable
        assert durable is not None
        self._dispatchers[recipient].is_back()
        durable.acknowledged(recipient, cursor)

    def _quotes_ended(self, recipient: str, count: int, taken: Mapping[str, int] | None) -> None:
        self._queue.put(lambda: self._quotes.end(recipient, count, taken))

    def _fenced(self, why: str) -> None:
        _log.warning("%s stops: %s", self.name, why)
        self._state, self._error = "FENCED", why
        self._stop.set()
        self._on_fenced(why)

    def _report_when_idle(self, durable: DurableActor) -> None:
        received = dict(self._parts.streams.received()) if self._parts.streams else {}
        faults = self._parts.streams.faults() if self._parts.streams is not None else ()
        if not self._queue.empty() or durable.has_work or durable.pending or faults:
            return
        if self._state == "RECOVERING":
            # Recovered: what begin() asked for has been answered.
            self._state = "RUNNING"
        if not self._parts.is_lockstep:
            return  # no lockstep driver
        if self._quotes.are_under_way:
            return  # which number they get is known once they have been handed over
        # Messages under way do not make this actor busy: the quiescence tracker compares sent and taken.
        report = Report(
            incarnation=durable.epoch,
            idle=True,
            ticks=self._ticks,
            calls=self._calls,
            sent=dict(durable.last_sent),
            cursors=dict(durable.cursors),
            quotes_out=self._quotes.handed_over(),
            quotes_in=dict(durable.quotes_taken),
            frames=received,
            deadline_ms=durable.deadline(),
            lookahead=durable.lookahead(),
        )
        if report != self._last_report:
            self._last_report = report
            self._parts.peers.report(str(self.name), report)
