"""OR-8: limited restart intensity, growing delay; past the limit FAULTED until the operator acts."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from statemachines.supervision.life import COMPONENT_TABLE, ComponentState
from statemachines.supervision.policy import SupervisionPolicy
from statemachines.supervision.supervisor import (
    Changed,
    KillActor,
    Orders,
    RaiseAlert,
    ResumeActor,
    StartActor,
    Supervisor,
)
from statemachines.values import ENGINES, ActorName

E = ActorName.TREND_1
POLICY = SupervisionPolicy(max_restarts=3, window_ms=60_000, delays_ms=(500, 1_000, 2_000), misses=3, stuck_ms=5_000)
C = ComponentState


def running(supervisor: Supervisor, at_ms: int = 0) -> None:
    supervisor.start(E, at_ms)
    supervisor.started(E, at_ms)
    supervisor.resumed(E, at_ms)
    assert supervisor.state(E) is C.RUNNING


def restart(supervisor: Supervisor) -> int:
    """Let the delay pass and bring it up again; the wall time of the start."""
    at_ms = supervisor.deadline_ms()
    assert at_ms is not None
    assert StartActor(E) in supervisor.tick(at_ms)
    supervisor.started(E, at_ms)
    supervisor.resumed(E, at_ms)
    return at_ms


def fault(supervisor: Supervisor) -> None:
    """It dies again after every restart, until no restart is left."""
    at_ms = 0
    while supervisor.state(E) is not C.FAULTED:
        supervisor.died(E, "again", at_ms)
        if supervisor.state(E) is C.BACKOFF:
            at_ms = restart(supervisor)


def kinds(orders: Orders) -> list[str]:
    return [type(order).__name__ for order in orders]


def test_or9_start_and_recovery_take_the_same_path() -> None:
    s = Supervisor(ENGINES, POLICY)
    assert kinds(s.start(E, 0)) == ["Changed", "StartActor"]
    assert s.started(E, 1)[-1] == ResumeActor(E)
    assert s.state(E) is C.RECOVERING
    s.resumed(E, 2)
    assert s.state(E) is C.RUNNING
    assert s.start(E, 3) == []


def test_or8_every_failure_kills_before_it_restarts() -> None:
    s = Supervisor(ENGINES, POLICY)
    running(s)
    orders = s.died(E, "SIGKILL", 100)
    assert kinds(orders) == ["Changed", "KillActor", "Changed", "RaiseAlert"]
    assert s.state(E) is C.BACKOFF and s.deadline_ms() == 600


def test_or8_the_delay_grows_and_the_limit_faults() -> None:
    s = Supervisor(ENGINES, POLICY)
    running(s)
    at_ms, delays = 0, []
    for _ in range(3):
        s.died(E, "again", at_ms)
        up_ms = restart(s)
        delays.append(up_ms - at_ms)
        at_ms = up_ms
    assert delays == [500, 1_000, 2_000]
    orders = s.died(E, "once more", at_ms)
    assert s.state(E) is C.FAULTED
    assert [o.severity for o in orders if isinstance(o, RaiseAlert)] == ["critical"]
    assert s.deadline_ms() is None and s.tick(10**9) == [] and s.start(E, 10**9) == []


def test_or8_restarts_outside_the_window_do_not_count() -> None:
    s = Supervisor(ENGINES, POLICY)
    running(s)
    at_ms = 0
    for _ in range(10):
        s.died(E, "now and then", at_ms)
        at_ms = restart(s) + 60_000
    assert s.state(E) is C.RUNNING


def test_or8_the_others_go_on() -> None:
    """P1: one component's failures change nothing for another."""
    s = Supervisor(ENGINES, POLICY)
    running(s)
    s.start(ActorName.FUNDING, 0)
    fault(s)
    assert s.state(E) is C.FAULTED
    assert s.state(ActorName.FUNDING) is C.STARTING


def test_or8_three_missing_answers_in_a_row_are_death() -> None:
    s = Supervisor(ENGINES, POLICY)
    running(s)
    s.missed(E, 1)
    assert s.state(E) is C.SUSPECT
    s.healthy(E, 7, False, 2)
    assert s.state(E) is C.RUNNING
    s.missed(E, 3)
    s.missed(E, 4)
    orders = s.missed(E, 5)
    assert any(isinstance(o, KillActor) for o in orders) and s.state(E) is C.BACKOFF


def test_or8_hung_counts_as_failed_though_it_answers() -> None:
    """RAY 3: a ping alone misses a stuck working loop."""
    s = Supervisor(ENGINES, POLICY)
    running(s)
    s.healthy(E, 7, True, 1_000)
    s.healthy(E, 7, True, 6_000)
    assert s.state(E) is C.RUNNING
    s.healthy(E, 7, True, 6_001)
    assert s.state(E) is C.BACKOFF


def test_or8_idle_is_not_hung() -> None:
    s = Supervisor(ENGINES, POLICY)
    running(s)
    for at_ms in range(0, 100_000, 1_000):
        s.healthy(E, 7, False, at_ms)
    assert s.state(E) is C.RUNNING


def test_or8_a_start_or_recovery_that_takes_too_long_fails() -> None:
    s = Supervisor(ENGINES, POLICY)
    s.start(E, 0)
    assert s.deadline_ms() == POLICY.start_ms
    s.tick(POLICY.start_ms)
    assert s.state(E) is C.BACKOFF
    at_ms = s.deadline_ms()
    assert at_ms is not None
    s.tick(at_ms)
    s.started(E, at_ms)
    told = str(s.tick(at_ms + POLICY.recover_ms))
    assert s.state(E) is C.BACKOFF and f"without progress for {POLICY.recover_ms} ms" in told


def test_or8_the_operator_resets_a_faulted_component() -> None:
    s = Supervisor(ENGINES, POLICY)
    running(s)
    fault(s)
    assert s.reset(E, "alice", 2)[-1] == StartActor(E)
    assert s.restarts(E) == 0


def test_or8_faulted_survives_a_restart_of_the_orchestrator() -> None:
    s = Supervisor(ENGINES, POLICY)
    running(s)
    fault(s)
    twin = Supervisor(ENGINES, POLICY)
    twin.restore(s.to_data())
    assert twin.state(E) is C.FAULTED and twin.start(E, 0) == [] and twin.adopt(E, 0) == []


def test_the_api_is_never_faulted_since_a_reset_goes_through_it() -> None:
    """A FAULTED API could only be reset through itself: nobody could reach it. It is tried again for ever, with the
    longest delay once the intensity is exceeded, and works as before when its cause is gone."""
    api = ActorName.API
    s = Supervisor([api], POLICY)
    s.start(api, 0)
    at_ms, delays, alerts = 0, [], []
    for _ in range(30):
        s.started(api, at_ms)
        orders = s.died(api, "its port is taken", at_ms)
        alerts += [order for order in orders if isinstance(order, RaiseAlert)]
        assert s.state(api) is C.BACKOFF
        due_ms = s.deadline_ms()
        assert due_ms is not None
        delays.append(due_ms - at_ms)
        at_ms = due_ms
        assert StartActor(api) in s.tick(at_ms)
    assert delays[:3] == [500, 1_000, 2_000] and max(delays[3:]) == POLICY.tireless_delay_ms
    assert any(alert.severity == "critical" and "automatically" in alert.text for alert in alerts)
    s.started(api, at_ms)
    s.resumed(api, at_ms)
    assert s.state(api) is C.RUNNING


def test_an_api_that_an_earlier_version_left_faulted_is_started() -> None:
    s = Supervisor([ActorName.API, E], POLICY)
    s.restore({"faulted": ["api", str(E)]})
    assert StartActor(ActorName.API) in s.start(ActorName.API, 0)
    assert s.start(E, 0) == []


def test_an_adopted_component_proves_its_life() -> None:
    s = Supervisor(ENGINES, POLICY)
    s.adopt(E, 0)
    assert s.state(E) is C.SUSPECT
    s.healthy(E, 1, False, 1)
    assert s.state(E) is C.RUNNING


def test_component_table_has_russian_names() -> None:
    assert COMPONENT_TABLE.russian[C.FAULTED] == "Неисправен"


Event = Callable[[Supervisor, int], Orders]
EVENTS: dict[str, Event] = {
    "start": lambda s, now: s.start(E, now),
    "started": lambda s, now: s.started(E, now),
    "resumed": lambda s, now: s.resumed(E, now),
    "ok": lambda s, now: s.healthy(E, now, False, now),
    "stuck": lambda s, now: s.healthy(E, 1, True, now),
    "miss": lambda s, now: s.missed(E, now),
    "die": lambda s, now: s.died(E, "x", now),
    "tick": lambda s, now: s.tick(now),
    "reset": lambda s, now: s.reset(E, "op", now),
    "stop": lambda s, now: s.stop(E, now),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), st.integers(0, 20_000)), max_size=60))
def test_or8_no_order_of_events_breaks_the_supervisor(events: list[tuple[str, int]]) -> None:
    """Any order of late, doubled or missing events: legal transitions only, never more starts than the limit allows."""
    s = Supervisor(ENGINES, POLICY)
    now, starts = 0, []
    for name, gap in events:
        now += gap
        orders = EVENTS[name](s, now)
        changes = [o for o in orders if isinstance(o, Changed)]
        assert all(o.note.reason for o in changes)
        if name == "tick":
            starts += [now for o in orders if isinstance(o, StartActor)]
        if name == "reset":
            starts.clear()
        assert sum(now - at < POLICY.window_ms - max(POLICY.delays_ms) for at in starts) <= POLICY.max_restarts + 1


def test_or9_a_recovery_that_gets_on_is_given_its_time() -> None:
    """A slow machine is not a failed one: what counts is progress, not the seconds since the start."""
    s = Supervisor(ENGINES, POLICY)
    s.start(E, 0)
    s.started(E, 0)
    step_ms = POLICY.recover_ms - 1
    for number in range(1, 11):
        s.recovering(E, number, number * step_ms)
        assert s.tick(number * step_ms) == []
    at_ms = 10 * step_ms
    s.recovering(E, 10, at_ms + step_ms)  # an answer without progress changes nothing
    assert s.tick(at_ms + POLICY.recover_ms - 1) == []
    assert "without progress" in str(s.tick(at_ms + POLICY.recover_ms))
    assert s.state(E) is C.BACKOFF
