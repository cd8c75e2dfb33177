"""Acknowledging an alert (RM-5): committed by the notifier, once, in the name of the credential's holder, and seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from actors.notifications.ports import NotifierParts
from actors.notifications.worker import NotifierWorker
from api.access.judge import Judge
from api.control import ControlUnavailableError
from api.http.app import create_app
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.stream.feed import Feed
from api.tokens import Token
from infra.database.notifications.book import PostgresBook
from infra.database.queries import Queries
from infra.database.store import PostgresStore
from statemachines.notifications.acknowledging import Acknowledgement
from statemachines.notifications.parameters import NotificationRules
from statemachines.values import ActorName
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.kit.rows import ALERT, Pen

SECRET = "a-secret-for-this-test"
ALLOWED = {"Authorization": f"Bearer {SECRET}"}
ID = "risk-manager:812:0"


class House:
    """A database with one alert, the notifier's worker as the living actor, the interface before it."""

    def __init__(self, url: str) -> None:
        self.url, self.away, self.calls = url, False, 0
        self.store, self.book, self.queries = PostgresStore(url), PostgresBook(url), Queries(url)
        self.pen = Pen(self.store, "risk-manager")
        self.pen.write(facts=[ALERT.model_copy(update={"alert_id": ID, "severity": "critical"})])
        epoch = self.store.grant("notifier", "test")
        parts = NotifierParts(self.book, NotificationRules(), "abc123")
        self.worker = NotifierWorker(self.store, parts, epoch, lambda why: None)

        def nobody() -> dict[str, Any]:
            raise LookupError("no system")

        service = OperatorService(self.queries, SnapshotCache(nobody), lambda: "synthetic", True)
        self.client = TestClient(create_app(service, Judge(Token(SECRET)).judge, self.send))

    def send(self, actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
        assert (actor, method) == (ActorName.NOTIFIER, "acknowledge")
        self.calls += 1
        if self.away:
            raise ControlUnavailableError("There is no notifier just now.")
        body, natural_id = arguments
        assert natural_id == f"operator:acknowledge:{body['alert_id']}"
        self.worker.acknowledge(Acknowledgement.model_validate(body))

    def post(self, alert_id: str = ID, **body: Any) -> Any:
        return self.client.post(f"/api/v1/alerts/{alert_id}/acknowledge", json=body, headers=ALLOWED)

    def get(self, path: str) -> Any:
        answer = self.client.get(path, headers=ALLOWED)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def close(self) -> None:
        self.worker.stop()
        self.store.close()
        self.book.close()
        self.queries.close()


@pytest.fixture
def house(database_url: str) -> Iterator[House]:  # noqa: F811
    made = House(database_url)
    yield made
    made.close()


def test_it_is_committed_registered_journalled_and_shown(house: House) -> None:
    answer = house.post(text="looking at it")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["alert_id"], told["acknowledged_by"]) == (ID, "operator")
    (row,) = house.get("/api/v1/alerts")["rows"]
    assert (row["acknowledged_by"], row["acknowledged_text"]) == ("operator", "looking at it")
    assert row["acknowledged_ms"] == told["acknowledged_ms"]
    (command,) = house.get("/api/v1/control/history")["rows"]
    assert (command["action"], command["scope"], command["reason"]) == ("acknowledge", ID, "looking at it")
    (remark,) = house.get("/api/v1/actors/notifier/remarks")["rows"]
    assert remark["reason"] == f"alert {ID} (t) was acknowledged by operator: looking at it"


def test_a_repeat_changes_nothing_and_is_answered_with_the_first(house: House) -> None:
    first = house.post(text="me").json()
    again = house.post(text="no, me")
    assert (again.status_code, again.json()) == (200, first)
    assert house.calls == 1
    house.worker.acknowledge(Acknowledgement(alert_id=ID, who="a call that was on its way"))
    (row,) = house.get("/api/v1/alerts")["rows"]
    assert (row["acknowledged_by"], row["acknowledged_text"]) == ("operator", "me")
    assert len(house.get("/api/v1/control/history")["rows"]) == 1


def test_a_body_is_not_needed(house: House) -> None:
    answer = house.client.post(f"/api/v1/alerts/{ID}/acknowledge", headers=ALLOWED)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("alert_id", ["risk-manager:812:1", "x", "%27%3B--"])
def test_an_unknown_alert_is_not_found(house: House, alert_id: str) -> None:
    answer = house.post(alert_id)
    assert answer.status_code == 404
    assert answer.json()["field"] == "alert"
    assert "`eternal alerts`" in answer.json()["error"]
    assert house.calls == 0


@pytest.mark.parametrize("body", [{"text": "x" * 501}, {"who": "someone else"}, {"text": "\u0000"}])
def test_what_is_not_allowed_is_refused(house: House, body: dict[str, Any]) -> None:
    """Who it is follows from the credential, and from nothing else."""
    assert house.post(**body).status_code == 422
    assert house.calls == 0


def test_without_the_notifier_it_is_unavailable_and_nothing_is_claimed(house: House) -> None:
    house.away = True
    answer = house.post()
    assert answer.status_code == 503
    assert "try again then; however often that is, it counts once" in answer.json()["error"]
    assert house.get("/api/v1/alerts")["rows"][0]["acknowledged_by"] is None
    house.away = False
    assert house.post().status_code == 200


def test_an_actor_that_answers_without_a_commit_is_not_believed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.worker, "acknowledge", lambda given: None)
    assert house.post().status_code == 503


def test_alerts_are_filtered(house: House) -> None:
    house.pen.write(
        facts=[
            ALERT.model_copy(update={"alert_id": "b", "state": "ended", "ended_ms": 9, "actor": ActorName.FUNDING}),
            ALERT.model_copy(update={"alert_id": "c", "state": "changed", "changes": 1}),
        ]
    )
    house.post()
    filters = {
        "severity=critical": [ID],
        "severity=info": ["c", "b"],
        "state=standing": [ID, "c"],
        "state=ended": ["b"],
        "state=open": [ID],
        "actor=funding": ["b"],
        "actor=dead-man-switch": [],
        "acknowledged=true": [ID],
        "acknowledged=false": ["c", "b"],
        "acknowledged=false&state=standing": ["c"],
    }
    found = {one: [row["alert_id"] for row in house.get(f"/api/v1/alerts?{one}")["rows"]] for one in filters}
    assert found == filters
    for wrong in ("severity=bad", "state=gone", "actor=nobody", "acknowledged=perhaps"):
        assert house.client.get(f"/api/v1/alerts?{wrong}", headers=ALLOWED).status_code == 422


def test_the_stream_shows_it(house: House) -> None:
    feed = Feed(house.queries)
    start = feed.present()
    feed.take(start)
    assert feed.after(start.place).happenings == []
    house.post(text="seen")
    batch = feed.after(start.place)
    decision, alert = batch.happenings
    assert (decision.kind, decision.data["trigger"]) == ("decision", "acknowledge")
    assert (alert.kind, alert.data["alert_id"], alert.data["acknowledged_by"]) == ("alert", ID, "operator")
    feed.take(batch)
    assert feed.after(batch.place).happenings == []
