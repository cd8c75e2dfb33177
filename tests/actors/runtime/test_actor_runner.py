"""The threaded runtime of one actor: live it ticks by the exchange's clock, in lockstep only when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from actors.runtime.actor_runner import ActorRunner, Parts
from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import EnvelopeDict, Report
from statemachines.commands import Commands, JournalEntry
from statemachines.values import ActorName
from tests.actors.runtime.toy import Pump


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


class _Clock:
    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms


class _Peers:
    def __init__(self) -> None:
        self.reported = threading.Event()

    def deliver(self, recipient: str, batch: Sequence[EnvelopeDict]) -> Mapping[str, int]:
        raise ConnectionError(recipient)

    def notify(self, recipient: str, envelope: EnvelopeDict) -> Mapping[str, int]:
        raise ConnectionError(recipient)

    def report(self, name: str, report: Report) -> None:
        self.reported.set()


def _host(logic: _Alarm, peers: _Peers, *, is_lockstep: bool) -> ActorRunner:
    store = MemoryStore()
    parts = Parts(logic, store, None, None, peers, _Clock(2_000), is_lockstep)
    host = ActorRunner(ActorName.ORCHESTRATOR, parts, lambda _why: None)
    host.start(store.grant(ActorName.ORCHESTRATOR, "test"), 0)
    return host


def test_live_a_deadline_that_has_come_ticks_the_actor() -> None:
    logic, peers = _Alarm(), _Peers()
    host = _host(logic, peers, is_lockstep=False)
    try:
        assert logic.ticked.wait(10)
    finally:
        host.stop()


def test_in_lockstep_an_actor_waits_for_the_conductor_and_reports_when_idle() -> None:
    logic, peers = _Alarm(), _Peers()
    host = _host(logic, peers, is_lockstep=True)
    try:
        assert peers.reported.wait(10)
        assert not logic.ticked.is_set()
        host.tick(1_000)
        assert logic.ticked.wait(10)
        assert host.health()["state"] == "RUNNING"
    finally:
        host.stop()
