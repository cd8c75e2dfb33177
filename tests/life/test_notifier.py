"""The notifier under Ray: killed, it comes back and loses nothing; its secrets are its own (RM-5, DE-3)."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.infra.notifications.receivers import Receiver
from tests.life.conftest import SIGNING
from tests.life.system import Started

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


def received(hook: Receiver) -> list[dict[str, Any]]:
    return [alert for request in list(hook.requests) for alert in orjson.loads(request.body)["alerts"]]


def test_killed_it_comes_back_and_its_own_death_is_delivered(system: Started, hook: Receiver) -> None:
    """The alert about it is committed by the orchestrator while there is no notifier."""
    process = system.wait("the notifier", lambda: system.process_named("ray::Notifier"))
    os.kill(process.pid, signal.SIGKILL)
    system.wait("the alert", lambda: [one for one in received(hook) if "notifier" in one["text"]])
    system.wait_until_well()
    (row,) = [one for one in system.ask("/api/v1/actors").json() if one["name"] == "notifier"]
    assert row["restarts"] >= 1
    deliveries = system.ask("/api/v1/notifications/deliveries").json()["rows"]
    assert {one["channel"] for one in deliveries} == {"webhook"}
    numbers = {one["alert_id"] for one in received(hook)} - {"earlier"}
    assert numbers <= {one["alert_id"] for one in system.ask("/api/v1/alerts?limit=1000").json()["rows"]}


def test_an_alert_is_acknowledged_through_the_interface(system: Started, hook: Receiver) -> None:
    rows = system.ask("/api/v1/alerts").json()["rows"]
    alert_id = rows[0]["alert_id"]
    answer = system.ask(f"/api/v1/alerts/{alert_id}/acknowledge", "POST")
    assert answer.status_code == 200, answer.text
    assert system.ask(f"/api/v1/alerts/{alert_id}/acknowledge", "POST").json() == answer.json()
    (row,) = [one for one in system.ask("/api/v1/alerts").json()["rows"] if one["alert_id"] == alert_id]
    assert row["acknowledged_by"]


def test_no_other_process_has_its_secrets(system: Started) -> None:
    """They come over the socket of the launch, when the notifier asks."""
    for process in system.processes():
        environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        assert SIGNING.encode() not in environment, process.command[:60]
        assert SIGNING not in process.command
