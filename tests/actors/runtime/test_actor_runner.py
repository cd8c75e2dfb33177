"""The threaded runtime of one actor (DESIGN 1): live it ticks by the exchange's clock, in lockstep when it is told to;
quotes travel with the messages for the same recipient."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

from actors.runtime import outbox_dispatcher, step
from actors.runtime.actor_runner import LIVE_TICK_S, ActorRunner, Parts
from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import EnvelopeDict, Report
from statemachines.actor_logic import StateRow
from statemachines.commands import Commands, JournalEntry, Send
from statemachines.messages.control import OperatorCommand
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import BarsClosed, QuoteFrame, QuotesSeen
from statemachines.requests import Quote
from statemachines.values import LINEAR, ActorName, Side
from tests.actors.runtime.toy import Pump, Toy
from tests.kit.builders import fill
from tests.kit.peers import NoPeers, StandingClock
from tests.waiting import until

SENDER, RECIPIENT = ActorName.MARKET_DATA, ActorName.FUNDING
QUOTE = Quote(
    category=LINEAR, symbol="BTCUSDT", bid=Decimal(1), ask=Decimal(2), last=Decimal(1), mark=Decimal(1), market_ms=1
)


class _Alarm(Pump):
    """Wants one tick at market time 1,000."""

    def __init__(self) -> None:
        super().__init__()
        self._due: int | None = 1_000
        self.ticked = threading.Event()

    def deadline(self) -> int | None:
        return self._due

    def tick(self, now_ms: int) -> Commands:
        self._due = None
        self.ticked.set()
        return [JournalEntry("alarm", "tick", "ON", "ON", f"it is {now_ms}")]


def _host(logic: _Alarm, peers: NoPeers, *, is_lockstep: bool) -> ActorRunner:
    store = MemoryStore()
    parts = Parts(logic, store, None, None, peers, StandingClock(2_000), is_lockstep)
    host = ActorRunner(ActorName.ORCHESTRATOR, parts, lambda _why: None)
    host.start(store.grant(ActorName.ORCHESTRATOR, "test"), 0)
    return host


def test_live_a_deadline_that_has_come_ticks_the_actor() -> None:
    logic, peers = _Alarm(), NoPeers()
    host = _host(logic, peers, is_lockstep=False)
    try:
        assert logic.ticked.wait(10)
    finally:
        host.stop()


class _Overdue(_Alarm):
    """Its deadline has come and stays, and each tick takes until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()
        self.ticks = 0

    def tick(self, now_ms: int) -> Commands:
        self.ticks += 1
        self.ticked.set()
        self.let_go.wait(10)
        return []


def test_live_ticks_do_not_pile_up_behind_a_worker_that_takes_none() -> None:
    """While the database is away the worker stands, and the clock asked for a tick ten times a second: an outage of
    five minutes left 3,000 ticks, each of them a transaction."""
    logic = _Overdue()
    host = _host(logic, NoPeers(), is_lockstep=False)
    try:
        assert logic.ticked.wait(10)
        pause = threading.Event()
        for _ in range(8):
            pause.wait(LIVE_TICK_S)
        assert host.health()["inbox"] <= 1
        assert logic.ticks == 1
    finally:
        logic.let_go.set()
        host.stop()


def test_in_lockstep_an_actor_waits_for_the_lockstep_driver_and_reports_when_idle() -> None:
    logic, peers = _Alarm(), NoPeers()
    host = _host(logic, peers, is_lockstep=True)
    try:
        assert peers.reported.wait(10)
        assert not logic.ticked.is_set()
        host.tick(1_000)
        assert logic.ticked.wait(10)
        assert host.health()["state"] == "RUNNING"
    finally:
        host.stop()


def test_a_command_returns_once_it_is_committed_and_a_repeat_of_it_too() -> None:
    """The operator's "committed" is an answer of the worker after its commit, never of the queue before it."""
    host = _host(_Alarm(), NoPeers(), is_lockstep=True)
    try:
        before = host.health()["commits"]
        body = BarsClosed(close_ms=1, bars=())
        host.command(body, "command-1")
        assert host.health()["commits"] == before + 1
        host.command(body, "command-1")
        assert host.health()["commits"] == before + 1
    finally:
        host.stop()


# --- quotes: one call with the messages for the same recipient, newest data first, never repeated ---


class Forwarding(Toy):
    """Forwards quotes with a bar message; remembers what it is told."""

    def __init__(self, name: ActorName) -> None:
        self.name = name
        self.kinds: list[str] = []

    def restore(self, rows: Mapping[str, StateRow]) -> None: ...

    def handle(self, message: Envelope) -> Commands:
        self.kinds.append(message.body.KIND)
        if not isinstance(message.body, QuoteFrame):
            return []
        bars = BarsClosed(close_ms=1, bars=())
        return [Send(bars, to=(RECIPIENT,)), Send(QuotesSeen(quotes=message.body.quotes))]

    def dirty(self) -> Sequence[StateRow]:
        return []

    rows = dirty


class Hosts:
    """Delivers to other hosts; the first `failures` deliveries to the recipient are lost on their way."""

    def __init__(self, failures: int = 0) -> None:
        self.hosts: dict[str, ActorRunner] = {}
        self.delivered: list[list[str]] = []
        self.notified: list[str] = []
        self.reports: dict[str, Report] = {}
        self._failures = failures

    def deliver(self, recipient: str, batch: Sequence[EnvelopeDict]) -> Mapping[str, int]:
        self.delivered.append([str(envelope["kind"]) for envelope in batch])
        if self._failures:
            self._failures -= 1
            raise ConnectionError(recipient)
        return self.hosts[recipient].deliver(batch)

    def notify(self, recipient: str, envelope: EnvelopeDict) -> Mapping[str, int]:
        self.notified.append(recipient)
        return {"epoch": 1, "quotes": len(self.notified)}

    def report(self, name: str, report: Report) -> None:
        self.reports[name] = report

    def last(self, name: ActorName) -> Report:
        """The newest report of an actor; one that says nothing before the first."""
        return self.reports.get(str(name), Report(incarnation=0, idle=False))


def _run(peers: Hosts) -> tuple[Forwarding, Forwarding]:
    """Two actors; the sender hears of one quote. Returns once the recipient has reported its message."""
    store = MemoryStore()
    logics = {name: Forwarding(name) for name in (SENDER, RECIPIENT)}
    for name, logic in logics.items():
        peers.hosts[str(name)] = ActorRunner(
            name, Parts(logic, store, None, None, peers, StandingClock()), lambda _why: None
        )
        peers.hosts[str(name)].start(store.grant(name, "test"), 0)
    try:
        peers.hosts[str(SENDER)].inform(QuoteFrame(quotes=(QUOTE,)), "news")
        until(lambda: peers.last(RECIPIENT).cursors.get(str(SENDER)) == 1)
        peers.hosts[str(SENDER)].report_again()
        until(lambda: peers.last(SENDER).sent.get(str(RECIPIENT)) == 1)
    finally:
        for host in peers.hosts.values():
            host.stop()
    return logics[SENDER], logics[RECIPIENT]


def test_quotes_and_messages_for_one_recipient_make_one_call_and_quotes_come_first() -> None:
    peers = Hosts()
    _, recipient = _run(peers)
    assert peers.delivered == [["quotes_seen", "bars_closed"]]
    assert recipient.kinds == ["quotes_seen", "bars_closed"]
    assert str(RECIPIENT) not in peers.notified, "the other recipients of quotes get theirs alone"
    assert peers.reports[str(RECIPIENT)].quotes_in == {str(SENDER): 1}
    assert peers.reports[str(SENDER)].quotes_out[str(RECIPIENT)] == (1, 1)


def test_a_delivery_that_is_repeated_leaves_the_quotes_behind_and_no_longer_counts_them() -> None:
    peers = Hosts(failures=1)
    _, recipient = _run(peers)
    assert peers.delivered == [["quotes_seen", "bars_closed"], ["bars_closed"]]
    assert recipient.kinds == ["bars_closed"]
    assert str(RECIPIENT) not in peers.reports[str(SENDER)].quotes_out


def test_quotes_behind_a_batch_for_a_peer_that_is_gone_do_not_keep_the_sender_from_reporting() -> None:
    """P1, OR-8: a FAULTED engine never takes its messages; the market must still be seen to have settled."""
    peers = Hosts(failures=10**9)
    store = MemoryStore()
    host = ActorRunner(SENDER, Parts(Forwarding(SENDER), store, None, None, peers, StandingClock()), lambda _why: None)
    host.start(store.grant(SENDER, "test"), 0)
    try:
        host.inform(QuoteFrame(quotes=(QUOTE,)), "first")
        until(lambda: len(peers.delivered) > 1)
        for number in range(3):  # the batch is being retried: these queue behind it
            host.inform(QuoteFrame(quotes=(QUOTE,)), f"later {number}")
        until(lambda: peers.last(SENDER).sent.get(str(RECIPIENT)) == 4)
    finally:
        host.stop()


# --- company under load ---

BODY = BarsClosed(close_ms=1, bars=())


def _after(monkeypatch: pytest.MonkeyPatch, earlier: int, *, is_lockstep: bool, linger_s: float) -> ActorRunner:
    """An actor that has decided so often just now."""
    monkeypatch.setattr(step, "LOAD_WITHIN_S", 60.0)
    host = _host(_Alarm(), NoPeers(), is_lockstep=is_lockstep)
    for number in range(earlier):
        host.command(BODY, f"earlier-{number}")
    monkeypatch.setattr(step, "LOAD_LINGER_S", linger_s)
    return host


def test_under_load_a_decision_waits_a_moment_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred orders a second, each decided and committed alone in five actors, took both cores of the machine."""
    host = _after(monkeypatch, step.LOAD_STEPS, is_lockstep=False, linger_s=0.5)
    try:
        commits = host.health()["commits"]
        both = [host.inform(BODY, name) for name in ("first", "second")]
        for one in both:
            one.result(10)
        assert host.health()["commits"] == commits + 1
    finally:
        host.stop()


@pytest.mark.parametrize(("earlier", "is_lockstep"), [(1, False), (2 * step.LOAD_STEPS, True)])
def test_without_load_and_in_lockstep_nothing_waits(
    monkeypatch: pytest.MonkeyPatch, earlier: int, is_lockstep: bool
) -> None:
    """In lockstep market time stands still until everything is decided, and one decision follows from the other."""
    host = _after(monkeypatch, earlier, is_lockstep=is_lockstep, linger_s=60.0)
    try:
        host.inform(BODY, "first").result(10)
    finally:
        host.stop()


class _Reporting(Toy):
    """Reports a fill for each bar message, and wants an engine halted for each quote."""

    name = ActorName.ORDER_MANAGER

    def restore(self, rows: Mapping[str, StateRow]) -> None: ...

    def handle(self, message: Envelope) -> Commands:
        if isinstance(message.body, BarsClosed):
            return [Send(fill(ActorName.FUNDING, "BTCUSDT", Side.BUY, "1", "1", 0), to=(ActorName.RISK_MANAGER,))]
        command = OperatorCommand(command_id="halt", who="order-manager", action="halt", scope="funding", reason="x")
        return [Send(command, to=(ActorName.RISK_MANAGER,))]

    def dirty(self) -> Sequence[StateRow]:
        return []

    rows = dirty


class _Taking:
    """A recipient that takes everything at once."""

    def __init__(self) -> None:
        self.delivered: list[list[str]] = []

    def deliver(self, recipient: str, batch: Sequence[EnvelopeDict]) -> Mapping[str, int]:
        self.delivered.append([str(envelope["kind"]) for envelope in batch])
        return {"cursor": int(batch[-1]["seq"])}

    def notify(self, recipient: str, envelope: EnvelopeDict) -> Mapping[str, int]:
        return {}

    def report(self, name: str, report: Report) -> None: ...


def _reporting(peers: _Taking, *, is_lockstep: bool = False) -> ActorRunner:
    store = MemoryStore()
    parts = Parts(_Reporting(), store, None, None, peers, StandingClock(), is_lockstep)
    host = ActorRunner(ActorName.ORDER_MANAGER, parts, lambda _why: None)
    host.start(store.grant(ActorName.ORDER_MANAGER, "test"), 0)
    return host


@pytest.fixture
def under_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every actor counts as loaded from its eighth decision on, and none waits before it decides."""
    monkeypatch.setattr(step, "LOAD_WITHIN_S", 60.0)
    monkeypatch.setattr(step, "LOAD_LINGER_S", 0.0)


def _report(host: ActorRunner, number: int) -> None:
    for place in range(number):
        host.command(BODY, f"bar-{place}")


@pytest.mark.usefixtures("under_load")
def test_under_load_reports_wait_for_each_other_and_travel_at_once_with_what_is_urgent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hundred fills a second, each a delivery of its own to three actors that decide and commit (EX-7)."""
    monkeypatch.setattr(outbox_dispatcher, "REPORTS_LINGER_S", 60.0)
    peers = _Taking()
    host = _reporting(peers)
    try:
        _report(host, 3 * step.LOAD_STEPS)
        before = sum(len(batch) for batch in peers.delivered)
        assert before < 3 * step.LOAD_STEPS
        host.command(QuoteFrame(quotes=()), "urgent")
        until(lambda: sum(len(batch) for batch in peers.delivered) == 3 * step.LOAD_STEPS + 1)
        assert peers.delivered[-1][-1] == "operator_command" and len(peers.delivered[-1]) > step.LOAD_STEPS
    finally:
        host.stop()


@pytest.mark.parametrize(("recipient", "waits"), [(ActorName.ORCHESTRATOR, True), (ActorName.RISK_MANAGER, False)])
def test_reports_for_the_summary_wait_longer_than_those_that_are_traded_on(
    monkeypatch: pytest.MonkeyPatch, recipient: ActorName, waits: bool
) -> None:
    monkeypatch.setattr(outbox_dispatcher, "REPORTS_LINGER_S", 0.0)
    dispatcher = outbox_dispatcher.OutboxDispatcher(
        ActorName.ORDER_MANAGER, recipient, _Taking(), lambda _to, _cursor: None, lambda _to, _count, _taken: None
    )
    try:
        dispatcher.is_back()
        assert dispatcher.may_wait([{"kind": "fill", "seq": 1}]) is waits
        assert not dispatcher.may_wait([{"kind": "fill", "seq": 1}, {"kind": "operator_command", "seq": 2}])
    finally:
        dispatcher.stop()


@pytest.mark.usefixtures("under_load")
def test_reports_that_wait_leave_by_themselves() -> None:
    peers = _Taking()
    host = _reporting(peers)
    try:
        _report(host, 3 * step.LOAD_STEPS)
        until(lambda: sum(len(batch) for batch in peers.delivered) == 3 * step.LOAD_STEPS)
    finally:
        host.stop()


@pytest.mark.usefixtures("under_load")
def test_in_lockstep_reports_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_dispatcher, "REPORTS_LINGER_S", 60.0)
    peers = _Taking()
    host = _reporting(peers, is_lockstep=True)
    try:
        _report(host, 3 * step.LOAD_STEPS)
        until(lambda: sum(len(batch) for batch in peers.delivered) == 3 * step.LOAD_STEPS)
    finally:
        host.stop()
