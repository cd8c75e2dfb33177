"""The durable shell's promises (DESIGN 1; EX-5, DA-5, P5): every effect exactly once, whatever crashes and when."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import shell as shell_module
from actors.inprocess import InProcessRuntime, StreamEvent
from actors.memory_store import MemoryStore
from actors.ports import Commit, FencedError, StoreUnavailableError
from actors.shell import GROUP_LIMIT, SequenceGapError, Shell
from statemachines.commands import Alert, AlertEnded, Commands, Note
from statemachines.facts import AlertFact
from statemachines.messages import Answer, FundingSettled, Message
from statemachines.requests import Accepted
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


def _pump(store: MemoryStore, brain: Pump | None = None, now_ms: int = 0) -> Shell:
    """A new incarnation of the pump that has begun."""
    shell = Shell(brain or Pump(), store, store.grant("orchestrator", "test"))
    shell.start(now_ms)
    shell.step()
    return shell


def _tell(shell: Shell, *numbers: int) -> None:
    for number in numbers:
        shell.tell(_fact(number).body, f"fact-{number}", number)


def test_a_fact_told_twice_is_taken_once_in_one_step_in_two_and_after_a_restart() -> None:
    store = MemoryStore()
    first = _pump(store)
    _tell(first, 1, 1)
    first.step()
    _tell(first, 1)
    first.step()
    again = _pump(store)
    _tell(again, 1, 2)
    again.step()
    assert [line.note.reason for line in store.journal("orchestrator")] == ["fact 1", "fact 2"]
    assert [wire["seq"] for wire in again.unacknowledged("tactical")] == [1, 2], "the sequence goes on"


def test_the_oldest_known_ids_leave_memory_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one life, the newest ids must be those that are kept."""
    monkeypatch.setattr(shell_module, "KNOWN_IDS_KEPT", 2)
    store = MemoryStore()
    shell = _pump(store)
    _tell(shell, 1, 2, 3)
    shell.step()
    _tell(shell, 3, 2)
    shell.step()
    assert len(store.journal("orchestrator")) == 3
    assert list(shell._known) == ["fact-2", "fact-3"]


def test_market_time_never_goes_back() -> None:
    store = MemoryStore()
    shell = _pump(store, now_ms=50)
    _tell(shell, 40, 60, 55)
    shell.step()
    assert shell.market_ms == 60
    assert [line.market_ms for line in store.journal("orchestrator")] == [50, 60, 60]
    assert _pump(store, now_ms=10).market_ms == 60


def test_a_step_takes_at_most_one_group_and_leaves_the_rest_in_order() -> None:
    store = MemoryStore()
    shell = _pump(store)
    _tell(shell, *range(1, GROUP_LIMIT + 3))
    shell.step()
    assert shell.inbox_length == 2 and shell.has_work
    assert shell.awaits(f"fact-{GROUP_LIMIT + 2}") and not shell.awaits("fact-1")
    assert [wire["seq"] for wire in shell.unacknowledged("tactical")] == list(range(1, GROUP_LIMIT + 1))
    shell.step()
    assert not shell.has_work
    shell.acknowledged("tactical", GROUP_LIMIT)
    assert [wire["seq"] for wire in shell.unacknowledged("tactical")] == [GROUP_LIMIT + 1, GROUP_LIMIT + 2]


def test_an_acknowledgement_is_durable_with_the_next_commit_and_an_older_one_changes_nothing() -> None:
    store = MemoryStore()
    shell = _pump(store)
    _tell(shell, 1, 2, 3)
    shell.step()
    assert shell.waiting_recipients() == ["tactical"]
    shell.acknowledged("tactical", 2)
    shell.acknowledged("tactical", 1)
    assert [wire["seq"] for wire in shell.outbox] == [3] and shell.acked == {"tactical": 2}
    _tell(shell, 4)
    shell.step()
    later = _pump(store)
    assert later.acked == {"tactical": 2}
    assert [wire["seq"] for wire in later.unacknowledged("tactical")] == [3, 4]
    later.acknowledged("tactical", 4)
    assert later.waiting_recipients() == [] and not later.outbox


class _Clocked(Pump):
    """Wants a tick 10 ms after each fact; a tick ends that."""

    def __init__(self) -> None:
        super().__init__()
        self.due: int | None = None
        self.ticks: list[int] = []

    def handle(self, message: Message) -> Commands:
        if isinstance(message.body, FundingSettled):
            self.due = message.body.settle_ms + 10
        return super().handle(message)

    def deadline(self) -> int | None:
        return self.due

    def tick(self, now_ms: int) -> Commands:
        self.due = None
        self.ticks.append(now_ms)
        return [Note("pump", "tick", "ON", "ON", f"tick {now_ms}")]


def test_a_tick_comes_at_its_deadline_once_and_bears_the_cause_that_asked_for_it() -> None:
    store = MemoryStore()
    brain = _Clocked()
    shell = _pump(store, brain)
    shell.tick(5)
    shell.step()
    _tell(shell, 1)
    shell.step()
    assert shell.deadline() == 11 and shell.patience().until_ms == 11
    for now_ms in (10, 11, 12):
        shell.tick(now_ms)
    shell.step()
    assert brain.ticks == [11] and shell.deadline() is None
    tick = store.journal("orchestrator")[-1]
    assert (tick.cause, tick.trace) == ("fact-1", "fact-1")


def test_a_deadline_that_nothing_in_this_life_has_set_is_its_own_cause() -> None:
    store = MemoryStore()
    brain = _Clocked()
    brain.due = 7
    shell = _pump(store, brain)
    assert shell.deadline() == 7
    shell.tick(9)
    shell.step()
    assert (store.journal("orchestrator")[-1].cause, brain.ticks) == ("orchestrator@7", [9])


class _AwayStore(MemoryStore):
    """Cannot be used as long as `is_away`."""

    is_away = False

    def commit(self, commit: Commit) -> frozenset[str]:
        if self.is_away:
            raise StoreUnavailableError
        return super().commit(commit)


def test_what_was_decided_while_the_store_is_away_is_committed_once_and_acted_on_only_then() -> None:
    store = _AwayStore()
    shell = _pump(store)
    _tell(shell, 1)
    store.is_away = True
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            shell.step()
        assert shell.has_work and not shell.unacknowledged("tactical")
    store.is_away = False
    shell.step()
    assert not shell.has_work and [wire["seq"] for wire in shell.unacknowledged("tactical")] == [1]
    assert [line.note.reason for line in store.journal("orchestrator")] == ["fact 1"]


def _buyer_with_a_message(store: MemoryStore) -> Shell:
    """A buyer in whose inbox lies what makes it ask the exchange."""
    pump = _pump(store)
    _tell(pump, 1)
    pump.step()
    buyer = Shell(Buyer(), store, store.grant("tactical", "test"))
    buyer.start(0)
    buyer.step()
    buyer.deliver(pump.unacknowledged("tactical"))
    return buyer


def test_an_answer_given_twice_is_taken_once_and_one_to_nothing_is_dropped() -> None:
    store = MemoryStore()
    buyer = _buyer_with_a_message(store)
    (ask,) = buyer.step().asks
    answer = Answer(key=ask.key, account=ask.account, outcome=Accepted())
    buyer.answer("1:9", answer)
    assert not buyer.has_work
    buyer.answer(ask.key, answer)
    buyer.answer(ask.key, answer)
    buyer.step()
    assert [line.note.trigger for line in store.journal("tactical")] == ["done"] and not buyer.pending
    assert buyer.cursors == {"orchestrator": 1}


def test_requests_found_open_are_answered_unknown_and_not_performed_again() -> None:
    store = MemoryStore()
    buyer = _buyer_with_a_message(store)
    assert [ask.request.kind for ask in buyer.step().asks] == ["transfer_funds"]
    later = Shell(Buyer(), store, store.grant("tactical", "test"))
    later.start(0)
    assert [ask.request.kind for ask in later.step().asks] == ["look_up_transfer"]
    assert list(later.pending) == ["1:2"]
