"""Start, stop and what lies between: alarms that are true, what is hit comes back, the end comes (DESIGN 6)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.life.system import Started, started

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def system() -> Iterator[Started]:
    with started() as found:
        yield found


def test_a_first_start_raises_no_alarm(system: Started) -> None:
    """Actors that are just coming up were called dead, and a healthy start began with warnings."""
    assert [alert for alert in system.alerts() if "failed" in alert or "died" in alert] == []


@pytest.mark.parametrize(
    ("part", "number", "said"),
    [
        ("infra.simulator", signal.SIGKILL, "simulated exchange had died"),
        ("infra.simulator", signal.SIGSTOP, "simulated exchange was frozen"),
        ("postgres -D", signal.SIGKILL, "database server had died"),
        ("gcs_server", signal.SIGKILL, "gcs_server had died"),
        ("gcs_server", signal.SIGSTOP, "gcs_server (frozen)"),
        ("api.launching.ray_driver", signal.SIGKILL, "Ray driver has ended"),
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


def test_the_dashboard_does_not_decide_anything(system: Started) -> None:
    """Optional: killed, everything goes on without it."""
    dashboard = system.wait("the dashboard", lambda: system.process_named("dashboard/dashboard.py"))
    agent = _named(system, "raylet/raylet")
    os.kill(dashboard.pid, signal.SIGKILL)
    system.wait_until_well()
    assert _named(system, "raylet/raylet") == agent
