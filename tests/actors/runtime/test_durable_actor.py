"""The durable actor's promises (DESIGN 1; EX-5, DA-5, P5): every effect exactly once, whatever crashes and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.runtime import durable_actor as shell_module
from actors.runtime.durable_actor import DurableActor, SequenceGapError
from actors.runtime.in_process import InProcessRuntime, StreamEvent
from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import Commit, FencedError, StoreUnavailableError
from actors.runtime.step import GROUP_LIMIT
from statemachines.actor_logic import StateRow
from statemachines.commands import Alert, AlertEnded, Commands, JournalEntry, Send
from statemachines.facts import AlertFact
from statemachines.messages.accounts import Portfolio
from statemachines.messages.control import RiskState
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import FundingSettled
from statemachines.messages.orders import ResponseReceived
from statemachines.requests import Accepted
from statemachines.values import ActorName
from tests.actors.runtime.toy import Buyer, Pump, Toy, ToyExchange, fact

POINTS = ("before commit", "after commit", "before perform", "after perform")


class CrashError(Exception):
    """Stands for SIGKILL at a point of the protocol."""


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
        told = [fact(n) for n in range(1, facts + 1)]
        while True:
            try:
                self.runtime.start(0)
                # A (re)connecting stream tells again everything that may have been missed.
                self.queue.extend(told)
                self.runtime.settle()
                return
            except CrashError:
                self.queue.clear()
                for name in tuple(self.runtime.durables):
                    self.runtime.stop_actor(name)


@settings(max_examples=150)
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
    assert not old.fence().is_held
    pump = DurableActor(Pump(), store, store.grant("orchestrator", "test"))
    pump.start(0)
    pump.step()
    pump.take_fact(fact(1).body, "fact-1", 1)
    pump.step()
    old.deliver(pump.unacknowledged("tactical"))
    with pytest.raises(FencedError):
        old.step()
    assert exchange.performed == {}


def test_a_gap_is_refused_with_the_cursor_to_go_back_to() -> None:
    store = MemoryStore()
    pump = DurableActor(Pump(), store, store.grant("orchestrator", "test"))
    pump.start(0)
    for number in (1, 2, 3):
        pump.take_fact(fact(number).body, f"fact-{number}", number)
    pump.step()
    buyer = DurableActor(Buyer(), store, store.grant("tactical", "test"))
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

    def handle(self, message: Envelope) -> Commands:
        if not isinstance(message.body, FundingSettled):
            return []
        if message.body.settle_ms == 5:
            return [AlertEnded("exit:BTC", "it is flat")]
        return [Alert("critical", "position cannot be closed", "BTCUSDT is closed", "exit:BTC")]


def test_a_condition_is_one_alert_from_its_beginning_to_its_end_across_restarts() -> None:
    """An exit that could not be done raised one alert per try; each try here is another incarnation's."""
    store = MemoryStore()
    for number in (1, 2, 3, 5):
        durable = DurableActor(_Alarmed(), store, store.grant(ActorName.ORCHESTRATOR, "test"))
        durable.start(0)
        durable.take_fact(fact(number).body, f"fact-{number}", number)
        durable.step()
        (alert,) = (fact for fact in store.facts("alerts") if isinstance(fact, AlertFact))
        assert (alert.market_ms, alert.changes) == (1, 0)
        assert (alert.state, alert.ended_ms) == (("ended", 5) if number == 5 else ("open", None))


def _pump(store: MemoryStore, logic: Pump | None = None, now_ms: int = 0) -> DurableActor:
    """A new incarnation of the pump that has begun."""
    durable = DurableActor(logic or Pump(), store, store.grant("orchestrator", "test"))
    durable.start(now_ms)
    durable.step()
    return durable


def _tell(durable: DurableActor, *numbers: int) -> None:
    for number in numbers:
        durable.take_fact(fact(number).body, f"fact-{number}", number)


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
    assert [envelope["seq"] for envelope in again.unacknowledged("tactical")] == [1, 2], "the sequence goes on"


def test_the_oldest_known_ids_leave_memory_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one life, the newest ids must be those that are kept."""
    monkeypatch.setattr(shell_module, "KNOWN_IDS_KEPT", 2)
    store = MemoryStore()
    durable = _pump(store)
    _tell(durable, 1, 2, 3)
    durable.step()
    _tell(durable, 3, 2)
    durable.step()
    assert len(store.journal("orchestrator")) == 3
    _tell(durable, 2, 3, 1)
    durable.step()
    assert [line.note.reason for line in store.journal("orchestrator")][3:] == ["fact 1"], "it had left memory"


def test_market_time_never_goes_back() -> None:
    store = MemoryStore()
    durable = _pump(store, now_ms=50)
    _tell(durable, 40, 60, 55)
    durable.step()
    assert durable.market_ms == 60
    assert [line.market_ms for line in store.journal("orchestrator")] == [50, 60, 60]
    assert _pump(store, now_ms=10).market_ms == 60


def test_a_step_takes_at_most_one_group_and_leaves_the_rest_in_order() -> None:
    store = MemoryStore()
    durable = _pump(store)
    _tell(durable, *range(1, GROUP_LIMIT + 3))
    durable.step()
    assert durable.inbox_length == 2 and durable.has_work
    assert durable.awaits(f"fact-{GROUP_LIMIT + 2}") and not durable.awaits("fact-1")
    assert [envelope["seq"] for envelope in durable.unacknowledged("tactical")] == list(range(1, GROUP_LIMIT + 1))
    durable.step()
    assert not durable.has_work
    durable.acknowledged("tactical", GROUP_LIMIT)
    assert [envelope["seq"] for envelope in durable.unacknowledged("tactical")] == [GROUP_LIMIT + 1, GROUP_LIMIT + 2]


def test_an_acknowledgement_is_durable_with_the_next_commit_and_an_older_one_changes_nothing() -> None:
    store = MemoryStore()
    durable = _pump(store)
    _tell(durable, 1, 2, 3)
    durable.step()
    assert durable.waiting_recipients() == ["tactical"]
    durable.acknowledged("tactical", 2)
    durable.acknowledged("tactical", 1)
    assert [envelope["seq"] for envelope in durable.outbox] == [3] and durable.acked == {"tactical": 2}
    _tell(durable, 4)
    durable.step()
    later = _pump(store)
    assert later.acked == {"tactical": 2}
    assert [envelope["seq"] for envelope in later.unacknowledged("tactical")] == [3, 4]
    later.acknowledged("tactical", 4)
    assert later.waiting_recipients() == [] and not later.outbox


class _Clocked(Pump):
    """Wants a tick 10 ms after each fact; a tick ends that."""

    def __init__(self) -> None:
        super().__init__()
        self.due: int | None = None
        self.ticks: list[int] = []

    def handle(self, message: Envelope) -> Commands:
        if isinstance(message.body, FundingSettled):
            self.due = message.body.settle_ms + 10
        return super().handle(message)

    def deadline(self) -> int | None:
        return self.due

    def tick(self, now_ms: int) -> Commands:
        self.due = None
        self.ticks.append(now_ms)
        return [JournalEntry("pump", "tick", "ON", "ON", f"tick {now_ms}")]


def test_a_tick_comes_at_its_deadline_once_and_bears_the_cause_that_asked_for_it() -> None:
    store = MemoryStore()
    logic = _Clocked()
    durable = _pump(store, logic)
    durable.tick(5)
    durable.step()
    _tell(durable, 1)
    durable.step()
    assert durable.deadline() == 11 and durable.lookahead().until_ms == 11
    for now_ms in (10, 11, 12):
        durable.tick(now_ms)
    durable.step()
    assert logic.ticks == [11] and durable.deadline() is None
    tick = store.journal("orchestrator")[-1]
    assert (tick.cause, tick.trace) == ("fact-1", "fact-1")


def test_a_deadline_that_nothing_in_this_life_has_set_is_its_own_cause() -> None:
    store = MemoryStore()
    logic = _Clocked()
    logic.due = 7
    durable = _pump(store, logic)
    assert durable.deadline() == 7
    durable.tick(9)
    durable.step()
    assert (store.journal("orchestrator")[-1].cause, logic.ticks) == ("orchestrator@7", [9])


class _AwayStore(MemoryStore):
    """Cannot be used as long as `is_away`."""

    is_away = False

    def commit(self, commit: Commit) -> frozenset[str]:
        if self.is_away:
            raise StoreUnavailableError
        return super().commit(commit)


def test_what_was_decided_while_the_store_is_away_is_committed_once_and_acted_on_only_then() -> None:
    store = _AwayStore()
    durable = _pump(store)
    _tell(durable, 1)
    store.is_away = True
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            durable.step()
        assert durable.has_work and not durable.unacknowledged("tactical")
    store.is_away = False
    durable.step()
    assert not durable.has_work and [envelope["seq"] for envelope in durable.unacknowledged("tactical")] == [1]
    assert [line.note.reason for line in store.journal("orchestrator")] == ["fact 1"]


def _buyer_with_a_message(store: MemoryStore) -> DurableActor:
    """A buyer in whose inbox lies what makes it ask the exchange."""
    pump = _pump(store)
    _tell(pump, 1)
    pump.step()
    buyer = DurableActor(Buyer(), store, store.grant("tactical", "test"))
    buyer.start(0)
    buyer.step()
    buyer.deliver(pump.unacknowledged("tactical"))
    return buyer


def test_an_answer_given_twice_is_taken_once_and_one_to_nothing_is_dropped() -> None:
    store = MemoryStore()
    buyer = _buyer_with_a_message(store)
    (call,) = buyer.step().calls
    answer = ResponseReceived(key=call.key, account=call.account, outcome=Accepted())
    buyer.answer("1:9", answer)
    assert not buyer.has_work
    buyer.answer(call.key, answer)
    buyer.answer(call.key, answer)
    buyer.step()
    assert [line.note.trigger for line in store.journal("tactical")] == ["done"] and not buyer.pending
    assert buyer.cursors == {"orchestrator": 1}


def test_requests_found_open_are_answered_unknown_and_not_performed_again() -> None:
    store = MemoryStore()
    buyer = _buyer_with_a_message(store)
    assert [call.request.kind for call in buyer.step().calls] == ["transfer_funds"]
    later = DurableActor(Buyer(), store, store.grant("tactical", "test"))
    later.start(0)
    assert [call.request.kind for call in later.step().calls] == ["look_up_transfer"]
    assert list(later.pending) == ["1:2"]


class _Valuing(Toy):
    """Publishes the portfolio at every fact, to another engine each time, and its state at the second."""

    name = ActorName.RISK_MANAGER

    def restore(self, rows: Mapping[str, StateRow]) -> None: ...

    def handle(self, message: Envelope) -> Commands:
        assert isinstance(message.body, FundingSettled)
        number = message.body.settle_ms
        engine = (ActorName.TREND_1, ActorName.FUNDING, ActorName.TREND_1)[number - 1]
        portfolio = Portfolio(version_no=number, market_ms=0, equity_usdt=Decimal(number), accounts={}, prices={})
        state = RiskState(scope="GLOBAL", state="NORMAL", size_factor=Decimal(1), reason="")
        return [Send(portfolio, to=(engine, ActorName.ORCHESTRATOR)), *([Send(state)] if number == 2 else [])]

    def dirty(self) -> Sequence[StateRow]:
        return []

    rows = dirty


@pytest.mark.parametrize(("together", "versions"), [(True, [3]), (False, [1, 2, 3])])
def test_of_a_view_of_the_whole_only_the_newest_of_a_step_is_sent_to_everyone_concerned(
    together: bool, versions: list[int]
) -> None:
    """Five fills decided in one step sent five portfolios, four of them out of date before they left (EX-7)."""
    store = MemoryStore()
    actor = DurableActor(_Valuing(), store, store.grant("risk-manager", "test"))
    actor.start(0)
    for number in (1, 2, 3):
        actor.take_fact(fact(number).body, f"fact-{number}", number)
        if not together:
            actor.step()
    actor.step()
    sent = [one for one in actor.outbox if one["kind"] == Portfolio.KIND]
    assert [one["body"]["version_no"] for one in sent] == versions
    assert {name for one in sent for name in one["to"]} == {"trend-1", "funding", "orchestrator"}
    assert [one["seq"] for one in actor.outbox] == list(range(1, len(actor.outbox) + 1))
    assert [one["id"] for one in actor.outbox] == [f"risk-manager:{one['seq']}" for one in actor.outbox]
    followed = {name: 0 for one in actor.outbox for name in one["to"]}
    for one in actor.outbox:  # each recipient's chain has no gap
        assert one["prev"] == {name: followed[name] for name in one["to"]}
        followed |= dict.fromkeys(one["to"], one["seq"])
