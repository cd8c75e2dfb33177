"""Start, stop and what lies between: alarms that are true, what is hit comes back, the end comes (DESIGN 6)."""

from __future__ import annotations

import os
import signal

import pytest

from tests.life.system import Started

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


def test_a_first_start_raises_no_alarm(system: Started) -> None:
    """Actors that are just coming up were called dead, and a healthy start began with warnings."""
    assert [alert for alert in system.alerts() if "failed" in alert or "died" in alert] == []


def test_actors_are_served_like_any_other_program(system: Started) -> None:
    """Ray's workers were nice (15): beside busy programs they got a thirtieth of what these got, and a start under load
    took longer than anybody waited."""
    actors = [process for process in system.processes("ray") if process.command.startswith("ray::")]
    assert len(actors) >= 10
    ours = os.getpriority(os.PRIO_PROCESS, system.process.pid)
    assert {os.getpriority(os.PRIO_PROCESS, actor.pid) for actor in actors} == {ours}


@pytest.mark.parametrize(
    ("part", "number", "said"),
    [
        pytest.param("infra.simulator", signal.SIGKILL, "simulated exchange had died", marks=pytest.mark.drill),
        ("infra.simulator", signal.SIGSTOP, "simulated exchange was frozen"),
        pytest.param("postgres -D", signal.SIGKILL, "database server had died", marks=pytest.mark.drill),
        pytest.param("gcs_server", signal.SIGKILL, "gcs_server had died", marks=pytest.mark.drill),
        ("gcs_server", signal.SIGSTOP, "gcs_server (frozen)"),
        pytest.param("api.launch.ray_driver", signal.SIGKILL, "Ray driver has ended", marks=pytest.mark.drill),
        ("ray::Orchestrator", signal.SIGSTOP, "orchestrator has failed"),
    ],
)
def test_what_the_actors_stand_on_comes_back_and_the_operator_is_told(
    system: Started, part: str, number: signal.Signals, said: str
) -> None:
    """Killed or frozen: replaced by itself, all is well again, and an alert says what happened. A frozen exchange
    stood still for ever."""
    process = system.wait(f"{part}", lambda: _named(system, part))
    told = sum(said in alert for alert in system.alerts())
    os.kill(process, number)
    system.wait(f"the replacement of {part}", lambda: _named(system, part) not in (None, process))
    system.wait("an alert", lambda: sum(said in alert for alert in system.alerts()) > told)
    system.wait_until_well()


def _named(system: Started, part: str) -> int | None:
    found = system.process_named(part)
    return found.pid if found is not None else None
