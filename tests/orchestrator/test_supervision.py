"""The supervising loop on actors that are played: what it sees becomes the supervisor's orders (OR-8)."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest

from orchestrator import supervision
from orchestrator.supervision import FROZEN_MS, HEALTH_PERIOD_MS, Supervision
from statemachines.supervision.life import ComponentState
from statemachines.supervision.supervisor import Changed, Supervisor
from statemachines.values import ActorName
from tests.kit.leases import Unopposed, fenced_never

VICTIM = ActorName.TREND_1


class Answer:
    """A call that is answered at once, or never."""

    def __init__(self, value: Mapping[str, Any] | None) -> None:
        self._value = value

    def ready(self) -> bool:
        return self._value is not None

    def value(self) -> Any:
        return self._value


class Played:
    """One actor, its store and its listeners."""

    def __init__(self) -> None:
        self.pid = 100
        self.frozen: set[int] = set()
        self.killed = 0
        self.alerts: list[str] = []

    def find(self, name: ActorName) -> bool:
        return False

    def spawn(self, name: ActorName) -> None:
        self.pid += 1

    def kill(self, name: ActorName) -> None:
        self.killed += 1

    def is_frozen(self, pid: int) -> bool:
        return pid in self.frozen

    def call(self, name: ActorName, method: str, *arguments: object) -> Answer:
        if self.pid in self.frozen:
            return Answer(None)
        return Answer({"state": "RUNNING", "pid": self.pid, "progress": 1, "is_busy": False})

    def grant(self, name: ActorName, holder: str, under: int | None = None) -> int:
        return 1

    def component_changed(self, change: Changed) -> None:
        pass

    def heard(self, healths: Sequence[Mapping[str, Any]]) -> None:
        self.healths = list(healths)

    def alert(self, name: ActorName, severity: Literal["info", "warning", "critical"], text: str) -> None:
        self.alerts.append(text)


class Rig:
    """The loop, turn by turn, on a clock of its own."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, played: Played | None = None, lease: Unopposed | None = None
    ) -> None:
        self.now_ms = 1_000
        self.played = played or Played()
        self.supervisor = Supervisor([VICTIM])
        monkeypatch.setattr(supervision, "_now_ms", lambda: self.now_ms)
        any_played: Any = self.played
        self.loop = Supervision(
            {VICTIM: ()},
            self.supervisor,
            any_played,
            any_played,
            any_played,
            lambda: 0,
            lease or Unopposed(),
            fenced_never,
        )

    def pass_ms(self, milliseconds: int) -> None:
        for _ in range(milliseconds // 100):
            self.now_ms += 100
            self.loop.turn()

    def until_running(self) -> None:
        for _ in range(100):
            self.pass_ms(100)
            if self.supervisor.state(VICTIM) is ComponentState.RUNNING:
                return
        raise AssertionError("it does not come up")


class _Slow(Played):
    """Market data is still recovering; the others would be ready at once."""

    def call(self, name: ActorName, method: str, *arguments: object) -> Answer:
        state = "RECOVERING" if name is ActorName.MARKET_DATA else "RUNNING"
        return Answer({"state": state, "pid": self.pid, "progress": 1, "commits": 1, "is_busy": False})


def test_an_actor_recovers_after_those_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for whom is data of the actors' specs; who waits for nobody is not held up."""
    waits: dict[ActorName, Sequence[ActorName]] = {
        ActorName.MARKET_DATA: (),
        VICTIM: (ActorName.MARKET_DATA,),
        ActorName.API: (),
    }
    played: Any = _Slow()
    supervisor = Supervisor(list(waits))
    now_ms = 1_000
    monkeypatch.setattr(supervision, "_now_ms", lambda: now_ms)
    loop = Supervision(waits, supervisor, played, played, played, lambda: 0, Unopposed(), fenced_never)
    for _ in range(50):
        now_ms += 100
        loop.turn()
    assert [supervisor.state(name) for name in waits] == [
        ComponentState.RECOVERING,
        ComponentState.STARTING,
        ComponentState.RUNNING,
    ]


def test_a_frozen_process_is_replaced_without_waiting_for_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three time-outs of its answers took five seconds, in which the market stood still; the operating system says at
    once that a process is stopped."""
    rig = Rig(monkeypatch)
    rig.until_running()
    rig.pass_ms(2 * HEALTH_PERIOD_MS)
    rig.played.frozen.add(rig.played.pid)
    rig.pass_ms(FROZEN_MS)
    assert rig.played.killed == 0, "a glance at a stopped process is not enough"
    rig.pass_ms(300)
    assert rig.played.killed == 1
    assert any("frozen" in text for text in rig.played.alerts)


def test_the_frozen_predecessor_is_not_held_against_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray takes five seconds to end a stopped process: it stands beside the new one meanwhile."""
    rig = Rig(monkeypatch)
    rig.until_running()
    rig.pass_ms(2 * HEALTH_PERIOD_MS)
    rig.played.frozen.add(rig.played.pid)
    rig.pass_ms(FROZEN_MS + 300)
    rig.until_running()
    rig.pass_ms(10_000)
    assert rig.played.killed == 1
    assert rig.supervisor.state(VICTIM) is ComponentState.RUNNING


def test_a_picture_is_there_at_once_while_a_pass_waits_for_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """An incarnation was granted for 33 s behind another session's lock: the orchestrator could not be asked meanwhile
    and was replaced as silent."""
    rig = Rig(monkeypatch)
    rig.until_running()
    before = rig.loop.snapshot()
    waits, goes_on = threading.Event(), threading.Event()

    def held(_actor: str, _holder: str, _under: int | None = None) -> int:
        waits.set()
        assert goes_on.wait(20.0)
        return 2

    monkeypatch.setattr(rig.played, "grant", held)
    rig.loop.turn()
    rig.supervisor.died(VICTIM, "played", rig.now_ms)
    turning = threading.Thread(target=rig.pass_ms, args=(20_000,), daemon=True)
    turning.start()
    assert waits.wait(20.0)
    began = time.monotonic()
    assert [row["name"] for row in rig.loop.snapshot()] == [row["name"] for row in before]
    rig.loop.all_up()
    assert time.monotonic() - began < 3.0
    goes_on.set()
    turning.join(20.0)
    assert not turning.is_alive()


class _LeftBehind(Played):
    """An actor that is found alive by name, of this epoch; the newest is 7."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def find(self, name: ActorName) -> bool:
        return True

    def holds(self, name: ActorName, epoch: int) -> bool:
        return epoch == 7

    def call(self, name: ActorName, method: str, *arguments: object) -> Answer:
        health = {"state": "RUNNING", "pid": self.pid, "progress": 1, "is_busy": False, "epoch": self.epoch}
        return Answer(health)


@pytest.mark.parametrize(("epoch", "killed"), [(7, 0), (6, 1)])
def test_only_an_actor_of_the_newest_epoch_is_adopted(epoch: int, killed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a Ray cluster actors outlive the run that made them. Fenced since, they answered every health report and would
    have been taken for running until their first commit."""
    rig = Rig(monkeypatch, _LeftBehind(epoch))
    rig.pass_ms(1_000)
    assert rig.played.killed == killed
    if not killed:
        assert rig.supervisor.state(VICTIM) is ComponentState.RUNNING


class _Lapsing(Unopposed):
    """A lease that cannot be renewed for a while."""

    def __init__(self) -> None:
        self.is_held = True


def test_without_the_lease_nothing_is_done_and_afterwards_nobody_has_missed_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lease = _Lapsing()
    rig = Rig(monkeypatch, lease=lease)
    rig.until_running()
    lease.is_held = False
    rig.played.frozen.add(rig.played.pid)
    rig.pass_ms(60_000)
    assert rig.played.killed == 0 and rig.played.healths, "what is known already is still shown"
    rig.played.frozen.clear()
    lease.is_held = True
    rig.pass_ms(5_000)
    assert rig.played.killed == 0 and rig.supervisor.state(VICTIM) is ComponentState.RUNNING
