"""The durable shell's promises (DESIGN 1; EX-5, DA-5, P5): every effect exactly once, whatever crashes and when."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.inprocess import InProcessRuntime, StreamEvent
from actors.memory_store import MemoryStore
from actors.ports import FencedError
from actors.shell import SequenceGapError, Shell
from statemachines.commands import Alert, AlertEnded, Commands
from statemachines.facts import AlertFact
from statemachines.messages import FundingSettled, Message
from statemachines.values import ActorName
from tests.actors.toy import Buyer, Pump, ToyExchange

POINTS = ("before commit", "after commit", "before perform", "after perform")


class CrashError(Exception):
    """Stands for SIGKILL at a point of the protocol."""


def _fact(number: int) -> StreamEvent:
    body = FundingSettled(settle_ms=number, rates={}, predicted={}, interval_min={})
    return StreamEvent(ActorName.ORCHESTRATOR, body, f"fact-{number}", number)


class Rig:
    """Two actors, a store and an exchange that outlive crashes; facts are told again after each crash."""

    def __init__(self, crashes: list[int]) -> None:
        self.store = MemoryStore()
        self.exchange = ToyExchange()
        self.queue: deque[StreamEvent] = deque()
        self._countdown = list(crashes)
        self._steps = 0
        self.runtime = InProcessRuntime(
            {ActorName.ORCHESTRATOR: Pump, ActorName.TACTICAL: Buyer},
            self.store,
            self.exchange,
            self._drain,
            self._probe,
        )

    def _drain(self) -> list[StreamEvent]:
        found = list(self.queue)
        self.queue.clear()
        return found

    def _probe(self, actor: ActorName, point: str) -> None:
        assert point in POINTS
        self._steps += 1
        if self._countdown and self._steps >= self._countdown[0]:
            self._countdown.pop(0)
            self._steps = 0
            raise CrashError(f"{actor} {point}")

    def run(self, facts: int) -> None:
        told = [_fact(n) for n in range(1, facts + 1)]
        while True:
            try:
                self.runtime.start(0)
                # A (re)connecting stream tells again everything that may have been missed.
                self.queue.extend(told)
                self.runtime.settle()
                return
            except CrashError:
                self.queue.clear()
                for name in tuple(self.runtime.shells):
                    self.runtime.stop_actor(name)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 6), st.lists(st.integers(1, 12), max_size=12))
def test_crashes_between_any_two_steps_lose_and_double_nothing(facts: int, crashes: list[int]) -> None:
    rig = Rig(crashes)
    rig.run(facts)
    assert rig.exchange.performed == {str(n): 1 for n in range(1, facts + 1)}
    done = [line for line in rig.store.journal("tactical") if line.note.trigger == "done"]
    assert sorted(line.note.machine for line in done) == sorted(str(n) for n in range(1, facts + 1))
    pumped = [line.note.reason for line in rig.store.journal("orchestrator")]
    assert sorted(pumped) == sorted(f"fact {n}" for n in range(1, facts + 1))


def test_journal_is_the_same_with_and_without_crashes() -> None:
    calm, stormy = Rig([]), Rig([3, 5, 2, 7, 1, 1])
    calm.run(4)
    stormy.run(4)

    def triggers(rig: Rig) -> list[tuple[str, str]]:
        return sorted((n.note.machine, n.note.trigger) for n in rig.store.journal("tactical"))

    assert triggers(calm) == triggers(stormy)


def test_a_stale_twin_commits_nothing_and_is_told_to_stop() -> None:
    """Split brain (RAY.md 3f): the old incarnation may live on beside the new one."""
    store, exchange = MemoryStore(), ToyExchange()
    runtime = InProcessRuntime({ActorName.TACTICAL: Buyer}, store, exchange, list)
    old = runtime.start_actor(ActorName.TACTICAL, 0)
    while old.has_work:
        old.step()
    runtime.start_actor(ActorName.TACTICAL, 0)
    assert not old.holds()
    pump = Shell(Pump(), store, store.grant("orchestrator", "test"))
    pump.start(0)
    pump.step()
    pump.tell(_fact(1).body, "fact-1", 1)
    pump.step()
    old.deliver(pump.unacknowledged("tactical"))
    with pytest.raises(FencedError):
        old.step()
    assert exchange.performed == {}


def test_a_gap_is_refused_with_the_cursor_to_go_back_to() -> None:
    store = MemoryStore()
    pump = Shell(Pump(), store, store.grant("orchestrator", "test"))
    pump.start(0)
    for number in (1, 2, 3):
        pump.tell(_fact(number).body, f"fact-{number}", number)
    pump.step()
    buyer = Shell(Buyer(), store, store.grant("tactical", "test"))
    buyer.start(0)
    buyer.step()
    first, second, third = pump.unacknowledged("tactical")
    buyer.deliver([first])
    with pytest.raises(SequenceGapError) as gap:
        buyer.deliver([third])
    assert gap.value.cursor == 1
    buyer.deliver([first, second, third])
    assert buyer.inbox_length == 3


class _Alarmed(Pump):
    """Raises the same condition at every fact but the fifth, which ends it."""

    def handle(self, message: Message) -> Commands:
        if not isinstance(message.body, FundingSettled):
            return []
        if message.body.settle_ms == 5:
            return [AlertEnded("exit:BTC", "it is flat")]
        return [Alert("critical", "position cannot be closed", "BTCUSDT is closed", "exit:BTC")]


def test_a_condition_is_one_alert_from_its_beginning_to_its_end_across_restarts() -> None:
    """An exit that could not be done raised one alert per try; each try here is another incarnation's."""
    store = MemoryStore()
    for number in (1, 2, 3, 5):
        shell = Shell(_Alarmed(), store, store.grant(ActorName.ORCHESTRATOR, "test"))
        shell.start(0)
        shell.tell(_fact(number).body, f"fact-{number}", number)
        shell.step()
        (alert,) = (fact for fact in store.facts("alerts") if isinstance(fact, AlertFact))
        assert (alert.market_ms, alert.changes) == (1, 0)
        assert (alert.state, alert.ended_ms) == (("ended", 5) if number == 5 else ("open", None))
