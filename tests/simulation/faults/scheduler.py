"""The seeded schedule: which actor acts next, which message arrives, who dies, over real durable actors.

Within the protocol of the durable actor everything may come in any order: actors' turns, deliveries of different
senders, answers of different accounts. A calm schedule takes the first possible act each time; deviations are the
chooser's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from actors.runtime.durable_actor import DurableActor, SequenceGapError
from actors.runtime.envelopes import as_it_is
from actors.runtime.exchange_dispatcher import ExchangeDispatcher
from actors.runtime.policies.ports import PolicyPort
from actors.runtime.ports import ExchangePort, FencedError, StoreUnavailableError
from actors.runtime.registry import SPEC_OF, START_ORDER
from statemachines.actor_logic import ActorLogic
from statemachines.execution.orders.request_queue import RequestQueue
from statemachines.messages.orders import ResponseReceived
from statemachines.values import ActorName
from tests.simulation.faults.choices import Chooser
from tests.simulation.faults.database import DeathError, FailingStore
from tests.simulation.faults.points import Fault, Point

MAX_ACTS = 20_000
"""Acts at one market instant: a system that does not come to rest within them never does."""


LONGEST_DOWN = 3


class EndlessError(AssertionError):
    """The system does not come to rest."""


@dataclass(slots=True)
class Living:
    """One incarnation: what dies with it."""

    durable: DurableActor
    dispatcher: ExchangeDispatcher
    lanes: dict[str, RequestQueue] = field(default_factory=dict)
    answers: deque[tuple[str, ResponseReceived]] = field(default_factory=deque)
    has_recovered: bool = False


class Flight(NamedTuple):
    """A delivery that waits for the recipient's commit."""

    recipient: Living
    until_sequence: int


class Act(NamedTuple):
    """Something that can happen next."""

    who: str
    run: Callable[[], None]


class Scheduler:
    """Runs actors until nothing is possible at the present market time; `now_ms` gives that time."""

    def __init__(
        self,
        logics: Mapping[ActorName, Callable[[], ActorLogic]],
        store: FailingStore,
        exchange: ExchangePort,
        chooser: Chooser,
        now_ms: Callable[[], int],
        lost_connection: Callable[[ActorName], None],
        policies: PolicyPort | None = None,
    ) -> None:
        self._logics = dict(logics)
        self._store = store
        self._exchange = exchange
        self._chooser = chooser
        self._now_ms = now_ms
        self._lost_connection = lost_connection
        self._policies = policies
        self._flights: dict[tuple[ActorName, str], Flight] = {}
        self.living: dict[ActorName, Living] = {}
        self.calling: Living | None = None
        """Who performs a request at this moment."""
        self.down: dict[ActorName, int] = {}
        """How often time will still move before an actor is replaced."""

        self.max_acts = MAX_ACTS
        self.performed = 0
        self.acted: Callable[[], None] = lambda: None
        """Called after each act."""

    # --- one act after the other ---

    def settle(self, further: Callable[[], list[Act]]) -> None:
        """Act until nothing is possible; `further` gives the acts of the outside (frames).

        Raises:
            EndlessError: there is no end of it.
        """
        for _ in range(self.max_acts):
            acts = [*further(), *self._acts()]
            if not acts:
                return
            choice = self._chooser.at(Point.TURN, "scheduler", most=len(acts))
            act = acts[choice.extent if choice is not None else 0]
            try:
                self._disturb(act.who)
                act.run()
            except DeathError as death:
                self.lose(death)
            self.acted()
        raise EndlessError(f"{self.max_acts} acts at one instant; still possible: {sorted({act.who for act in acts})}")

    def _disturb(self, next_to_act: str) -> None:
        choice = self._chooser.at(Point.BETWEEN_STEPS, next_to_act, most=len(START_ORDER))
        if choice is None:
            return
        actor = START_ORDER[choice.extent - 1]
        if choice.fault is Fault.FENCED:
            # A twin does harm if it is about to act; frames are nobody's act.
            twin = next((one for one in self.living if one == next_to_act), actor)
            self._store.grant(twin, "another")
            return
        if choice.fault is Fault.DOWN:
            self.down[actor] = LONGEST_DOWN
        raise DeathError(actor, choice.fault is Fault.POWER_LOSS)

    def time_moved(self) -> None:
        """Who was away for long enough is replaced."""
        self.down = {actor: left - 1 for actor, left in self.down.items() if left > 1}

    def lose(self, death: DeathError) -> None:
        """What was not committed is gone."""
        for actor in tuple(self.living) if death.is_power_loss else (ActorName(death.actor),):
            if self.living.pop(actor, None) is not None:
                self._lost_connection(actor)
            for key in [one for one in self._flights if one[0] is actor]:
                del self._flights[key]

    # --- what is possible ---

    def _acts(self) -> list[Act]:
        found = [Act(name, partial(self._start, name)) for name in START_ORDER if self._may_start(name)]
        for name, living in self.living.items():
            durable = living.durable
            if durable.has_work:
                found.append(Act(name, partial(self.step, living)))
            elif not living.has_recovered and not durable.pending and not living.answers:
                living.has_recovered = True
                return self._acts()
            if living.answers:
                found.append(Act(name, partial(self._answer, living)))
            for recipient in durable.waiting_recipients():
                act = self._delivery(name, living, recipient)
                if act is not None:
                    found.append(act)
            found += [Act(name, partial(self._perform, living, lane)) for lane in living.lanes.values() if lane]
        return found

    def _may_start(self, name: ActorName) -> bool:
        if name in self.living or name in self.down or name not in self._logics:
            return False
        return all(one in self.living and self.living[one].has_recovered for one in SPEC_OF[name].waits_for)

    def _start(self, name: ActorName) -> None:
        epoch = self._store.grant(name, "simulation")
        durable = DurableActor(
            self._logics[name](), self._store, epoch, partial(self._probe, name), as_it_is, self._policies
        )
        try:
            durable.start(self._now_ms())
        except StoreUnavailableError:
            return  # the supervisor starts it again
        except DeathError:
            raise DeathError(name) from None
        answers: deque[tuple[str, ResponseReceived]] = deque()
        dispatcher = ExchangeDispatcher(
            self._exchange,
            durable.fence,
            durable.logic.still_needed,
            lambda key, body: answers.append((key, body)),
            partial(self._fenced, name, epoch),
            confirm_pause_s=0.0,  # waiting in wall time would change nothing here but the duration of the run
        )
        self.living[name] = Living(durable, dispatcher, answers=answers)
        self.living = {one: self.living[one] for one in START_ORDER if one in self.living}

    def _fenced(self, name: ActorName, epoch: int, _why: str) -> None:
        living = self.living.get(name)
        if living is not None and living.durable.epoch == epoch:
            self.lose(DeathError(name))

    def _probe(self, name: ActorName, point: str) -> None:
        self._may_die(Point.BEFORE_COMMIT if point == "before commit" else Point.AFTER_COMMIT, name)

    def _may_die(self, point: Point, name: ActorName) -> None:
        choice = self._chooser.at(point, name)
        if choice is not None:
            raise DeathError(name, choice.fault is Fault.POWER_LOSS)

    def step(self, living: Living) -> None:
        """One turn of an actor: decide, commit, and put its requests into their lanes."""
        durable = living.durable
        self._may_die(Point.BEFORE_DECIDE, durable.name)
        try:
            effects = durable.step()
        except StoreUnavailableError:
            return  # the same commit again at its next turn
        except FencedError:
            self.lose(DeathError(durable.name))
            return
        for call in effects.calls:
            if call.account not in living.lanes:
                living.lanes[call.account] = living.dispatcher.queue(call.account)
            living.lanes[call.account].put(call)
        for to, envelope in effects.ephemeral:
            for recipient in to:
                if recipient in self.living:
                    self.living[recipient].durable.notify(envelope)

    def _answer(self, living: Living) -> None:
        key, body = living.answers.popleft()
        living.durable.answer(key, body)

    # --- deliveries ---

    def _delivery(self, name: ActorName, living: Living, recipient: str) -> Act | None:
        peer = self.living.get(ActorName(recipient))
        flight = self._flights.get((name, recipient))
        if peer is None:
            return None
        if flight is None or flight.recipient is not peer:
            return Act(name, partial(self._deliver, name, living, peer))
        if peer.durable.cursors.get(name, 0) >= flight.until_sequence:
            return Act(name, partial(self._acknowledge, name, living, peer))
        return None

    def _deliver(self, name: ActorName, living: Living, peer: Living) -> None:
        batch = living.durable.unacknowledged(peer.durable.name)
        try:
            peer.durable.deliver(batch)
        except SequenceGapError as gap:
            raise AssertionError(f"{name} to {peer.durable.name}: {gap}") from gap
        self._flights[name, peer.durable.name] = Flight(peer, int(batch[-1]["seq"]))

    def _acknowledge(self, name: ActorName, living: Living, peer: Living) -> None:
        del self._flights[name, peer.durable.name]
        choice = self._chooser.at(Point.AFTER_DELIVERY, name)
        if choice is not None and choice.fault is Fault.LOST:
            return  # the message is delivered once more
        if choice is not None:
            raise DeathError(name, choice.fault is Fault.POWER_LOSS)
        living.durable.acknowledged(peer.durable.name, peer.durable.cursors.get(name, 0))

    # --- requests ---

    def _perform(self, living: Living, lane: RequestQueue) -> None:
        name = living.durable.name
        self._may_die(Point.BEFORE_CALL, name)
        calls = lane.take()
        self.performed += len(calls)
        self.calling = living
        try:
            lane.ended(living.dispatcher.perform(calls))
        finally:
            self.calling = None
        choice = self._chooser.at(Point.AFTER_CALL, name)
        if choice is not None:
            raise DeathError(name, choice.fault is Fault.POWER_LOSS)
