"""Whether alerts reach people, over HTTP: the channels as they are, and what became of each message (RM-5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.access.judge import Judge
from api.http.app import create_app
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.tokens import Token
from statemachines.notifications.message import ChannelName, TryAgain
from tests.actors.notifications.test_worker import House
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures

SECRET = "a-secret-for-this-test"


def nobody() -> dict[str, Any]:
    raise LookupError("no system")


class Interface:
    """The interface before a notifier with two channels."""

    def __init__(self, url: str) -> None:
        self.house = House(url)
        service = OperatorService(self.house.queries, SnapshotCache(nobody), lambda: "synthetic", True)
        self.client = TestClient(create_app(service, Judge(Token(SECRET)).judge))

    def get(self, path: str, code: int = 200) -> Any:
        answer = self.client.get(f"/api/v1/notifications{path}", headers={"Authorization": f"Bearer {SECRET}"})
        assert answer.status_code == code, answer.text
        return answer.json()

    def channel(self, name: str) -> dict[str, Any]:
        (found,) = [row for row in self.get("")["channels"] if row["channel"] == name]
        return dict(found)


@pytest.fixture
def interface(database_url: str) -> Iterator[Interface]:  # noqa: F811
    made = Interface(database_url)
    yield made
    made.house.close()


def test_every_channel_is_shown_as_it_is(interface: Interface) -> None:
    assert interface.get("")["state"] == "IDLE"
    assert interface.channel("webhook")["state"] == "OFF"
    assert interface.channel("telegram")["state"] == "WORKING"
    house = interface.house
    house.channels[ChannelName.EMAIL].answer = lambda: TryAgain("it does not answer")
    house.alert("a:1:0")
    for _ in range(3):
        house.settle(lambda: "SENDING" not in house.states().values())
        house.now += timedelta(seconds=20)
    house.settle(lambda: interface.channel("email")["state"] == "DOWN")
    row = interface.channel("email")
    assert (row["failures"], row["last_error"]) == (3, "it does not answer")
    assert row["waiting"] >= 1
    assert row["next_at"] is not None
    telegram = interface.channel("telegram")
    assert (telegram["state"], telegram["failures"], telegram["next_at"]) == ("WORKING", 0, None)
    assert telegram["delivered"] >= 1
    assert interface.get("")["critical_unacknowledged"] == 2, "and the one about the channel"


def test_a_channel_that_is_no_longer_configured_is_off(interface: Interface) -> None:
    house = interface.house
    house.channels = {}
    house.begin()
    house.worker.turn()
    assert interface.get("")["state"] == "OFF"
    assert {row["state"] for row in interface.get("")["channels"]} == {"OFF"}


def test_deliveries_are_listed_by_alert_channel_and_state(interface: Interface) -> None:
    house = interface.house
    for alert_id in ("a:1:0", "a:2:0", "a:3:0"):
        house.alert(alert_id)
    house.settle(house.is_quiet)
    rows = interface.get("/deliveries?alert_id=a:2:0")["rows"]
    assert [(row["channel"], row["state"], row["action"]) for row in rows] == [
        ("email", "DELIVERED", "raise"), ("telegram", "DELIVERED", "raise"),
    ]  # fmt: skip
    assert "html" not in rows[0] and "text" not in rows[0]
    assert len(interface.get("/deliveries?channel=email&state=DELIVERED")["rows"]) == 3
    assert interface.get("/deliveries?state=EXPIRED")["rows"] == []
    first = interface.get("/deliveries?limit=4")
    second = interface.get(f"/deliveries?limit=4&before={first['next']}")
    numbers = [row["number"] for page in (first, second) for row in page["rows"]]
    assert numbers == [6, 5, 4, 3, 2, 1]
    for wrong in ("channel=fax", "state=GONE", "limit=0"):
        interface.get(f"/deliveries?{wrong}", 422)
