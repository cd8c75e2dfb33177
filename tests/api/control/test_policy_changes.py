"""RM-6 by the interface: a change is tried, recorded by the orchestrator for whom the credential names, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from api.control import ControlUnavailableError
from api.http.app import create_app
from api.policies import PolicyWatch, by_settings, newest_of, record, take_in_force
from api.policy_changes import Place
from api.service import OperatorService
from api.snapshot import SnapshotCache
from infra.config import EternalConfig
from infra.database.queries import Queries
from infra.database.roles import as_role
from infra.database.urls import READER
from statemachines.values import ActorName
from tests.api.access.doors import OWNERS, Doors
from tests.api.launch.test_policies_in_force import config
from tests.database import database_url, postgres_server

__all__ = ["database_url", "postgres_server"]

SETTING = "risk.price_collar=0.02"
WHY = {"reason": "wide books"}


class Orchestrator:
    """What the orchestrator does with a version: appends it by its own port, whose role may write."""

    def __init__(self, url: str, config: EternalConfig) -> None:
        self.port = PolicyWatch(url, config, 1)
        self.is_away = self.loses_the_answer = False

    def send(self, actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
        assert (actor, method) == (ActorName.ORCHESTRATOR, "record_policy")
        if self.is_away:
            raise ControlUnavailableError("There is no orchestrator just now; it is being restarted.")
        self.port.record(**arguments[0])
        if self.loses_the_answer:
            raise ControlUnavailableError("The orchestrator has not committed the command within 5 s.")


class Room:
    """An interface that only reads its database, and the orchestrator behind it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        take_in_force(url, config())
        self.orchestrator = Orchestrator(url, config())
        self.doors = Doors(folder)
        reader = as_role(url, READER)
        self.service = OperatorService(Queries(reader), SnapshotCache(dict), lambda: "synthetic", True)
        app = create_app(self.service, self.doors.judge.judge, self.orchestrator.send, policies=Place(reader, config()))
        self.client = TestClient(app)

    def post(self, path: str, body: dict[str, Any], token: str = OWNERS) -> Any:
        return self.client.post(f"/api/v1/{path}", json=body, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Room]:
    found = Room(database_url, tmp_path)
    yield found
    found.service.close()


def test_a_trial_shows_what_differs_and_records_nothing(room: Room) -> None:
    answer = room.post("policies/trial", {"settings": [SETTING]})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["after"] == 1 and found["obstacles"] == [] and found["text"]
    assert [(one["setting"], one["after"]) for one in found["differences"]] == [("risk.price_collar", "0.02")]
    assert newest_of(room.url).version == 1


def test_a_change_is_recorded_in_the_name_of_the_credential(room: Room) -> None:
    answer = room.post("policies", {"settings": [SETTING], "after": 1, **WHY})
    assert answer.status_code == 200 and answer.json()["version"] == 2, answer.text
    newest = newest_of(room.url)
    assert (newest.who, newest.reason, newest.origin) == ("operator", "wide books", "operator")
    assert newest.policy["risk"]["price_collar"] == "0.02"
    back = room.post("policies", {"back_to": 1, "after": 2, **WHY})
    assert back.status_code == 200 and newest_of(room.url).origin == "rollback"


def test_a_change_that_was_tried_on_an_older_version_is_not_recorded(room: Room) -> None:
    record(room.url, by_settings(room.url, config(), ["risk.price_collar=0.03"]), "ada", "first")
    answer = room.post("policies", {"settings": [SETTING], "after": 1, **WHY})
    assert answer.status_code == 409 and "newest version of the policy is 2" in answer.json()["error"]
    assert newest_of(room.url).version == 2


@pytest.mark.parametrize(
    ("who", "reason"), [("ada", "first"), ("operator", WHY["reason"])], ids=["of another person", "of another tab"]
)
def test_another_change_in_between_is_not_taken_for_this_one(room: Room, who: str, reason: str) -> None:
    """Planted: the orchestrator's append is refused because another one came first, and it says nothing."""

    def overtaken(actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
        record(room.url, by_settings(room.url, config(), ["risk.price_collar=0.03"]), who, reason)
        Orchestrator.send(room.orchestrator, actor, method, arguments)

    app = create_app(
        room.service, room.doors.judge.judge, overtaken, policies=Place(as_role(room.url, READER), config())
    )
    room.client = TestClient(app)
    answer = room.post("policies", {"settings": [SETTING], "after": 1, **WHY})
    assert answer.status_code == 409 and who in answer.json()["error"] and newest_of(room.url).version == 2


def test_an_orchestrator_that_is_away_or_silent_is_said_and_the_list_shows_what_became_of_it(room: Room) -> None:
    room.orchestrator.is_away = True
    body = {"settings": [SETTING], "after": 1, **WHY}
    assert room.post("policies", body).status_code == 503 and newest_of(room.url).version == 1
    room.orchestrator.is_away, room.orchestrator.loses_the_answer = False, True
    assert room.post("policies", body).status_code == 503 and newest_of(room.url).version == 2
    room.orchestrator.loses_the_answer = False
    again = room.post("policies", body)
    assert again.status_code == 200 and again.json()["version"] == 2, again.text
    assert newest_of(room.url).version == 2, "not recorded a second time"
    record(room.url, by_settings(room.url, config(), ["risk.price_collar=0.03"]), "ada", "calmer again")
    again = room.post("policies", body)
    assert again.status_code == 200 and "Version 3 was recorded since" in again.json()["text"], again.text
    other = room.post("policies", {**body, "settings": ["risk.price_collar=0.04"]})
    assert other.status_code == 409 and "Nothing was recorded" in other.json()["error"], other.text


def test_a_rollback_whose_answer_was_lost_is_answered_with_its_version(room: Room) -> None:
    record(room.url, by_settings(room.url, config(), [SETTING]), "ada", "first")
    room.orchestrator.loses_the_answer = True
    body = {"back_to": 1, "after": 2, **WHY}
    assert room.post("policies", body).status_code == 503
    again = room.post("policies", body)
    assert again.status_code == 200 and again.json()["version"] == 3 == newest_of(room.url).version, again.text


def test_what_cannot_be_read_after_it_was_sent_may_be_recorded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def recorded_then_away(actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
        room.orchestrator.send(actor, method, arguments)
        monkeypatch.setattr("api.policy_changes.newest_of", away)

    def away(_: str) -> None:
        raise psycopg.OperationalError("synthetic: the server is gone")

    app = create_app(
        room.service, room.doors.judge.judge, recorded_then_away, policies=Place(as_role(room.url, READER), config())
    )
    room.client = TestClient(app)
    answer = room.post("policies", {"settings": [SETTING], "after": 1, **WHY})
    assert answer.status_code == 503 and "may be recorded" in answer.json()["error"], answer.text
    assert "Nothing was recorded" not in answer.json()["error"] and newest_of(room.url).version == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"settings": ["risk.moods=1"]}, "moods"),
        ({"settings": ["exchange.seed=3"]}, "sections"),
        ({"settings": ["nonsense"]}, "nonsense"),
        ({"settings": ["risk.price_collar=7"]}, "price_collar"),
        ({"settings": []}, "back_to"),
        ({"settings": [SETTING], "back_to": 1}, "back_to"),
        ({"back_to": 9}, "does not exist"),
        ({"settings": ["risk.price_collar=0.0\u0000"]}, "settings"),
    ],
)
def test_what_is_no_change_is_refused_with_what_is_allowed(room: Room, body: dict[str, Any], said: str) -> None:
    for path, more in (("policies/trial", {}), ("policies", {"after": 1, **WHY})):
        answer = room.post(path, {**body, **more})
        assert answer.status_code == 422 and said in answer.text, answer.text
    assert newest_of(room.url).version == 1


@pytest.mark.parametrize("reason", ["  .  ", "   a   ", "ab ", "    "])
def test_spaces_around_a_reason_do_not_count(room: Room, reason: str) -> None:
    answer = room.post("policies", {"settings": [SETTING], "after": 1, "reason": reason})
    assert answer.status_code == 422 and answer.json()["field"] == "reason", answer.text
    assert newest_of(room.url).version == 1


def test_a_change_that_changes_nothing_is_refused(room: Room) -> None:
    answer = room.post("policies", {"back_to": 1, "after": 1, **WHY})
    assert answer.status_code == 422 and newest_of(room.url).version == 1


def test_every_setting_is_listed_with_what_it_needs(room: Room) -> None:
    answer = room.client.get("/api/v1/policies/settings", headers={"Authorization": f"Bearer {OWNERS}"})
    assert answer.status_code == 200, answer.text
    found = {one["setting"]: one for one in answer.json()}
    assert len(found) == len(answer.json())
    collar = found["risk.price_collar"]
    assert collar["value"] == newest_of(room.url).policy["risk"]["price_collar"] and collar["unit"] == "fraction of 1"
    assert collar["allowed"].startswith("a number greater than 0") and collar["meaning"].endswith("(RM-1).")
    assert found["engines.core_hodl.weights.BTC"]["value"] == 2, "of a table each entry"


def test_a_setting_that_is_numerically_the_same_is_no_change(room: Room) -> None:
    now = newest_of(room.url).policy["risk"]["price_collar"]
    answer = room.post("policies/trial", {"settings": [f"risk.price_collar={now}000"]})
    assert answer.status_code == 422 and "has these settings already" in answer.json()["error"]


def test_a_refusal_is_one_sentence(room: Room) -> None:
    """The sentence was said twice, once about `settings` and once about the setting, and ended in two stops."""
    sentence = room.post("policies/trial", {"settings": ["risk.price_collar=7"]}).json()["error"]
    assert sentence.startswith("risk.price_collar") and sentence.count("is refused") == 1
    assert sentence.endswith(".") and not sentence.endswith("..") and "command line" not in sentence
