"""The operator's commands (RM-5, OR-8) over HTTP: checked, handed to whom they are for, never half done."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.control import ControlUnavailableError
from api.http import create_app
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.tokens import Token
from infra.database.queries import Queries
from statemachines.messages import OperatorCommand, parse_body
from statemachines.values import ActorName

SECRET = "a-secret-for-this-test"
ALLOWED = {"Authorization": f"Bearer {SECRET}"}


class Actors:
    """Stands for the living system; `away` answers nobody."""

    def __init__(self, away: bool = False) -> None:
        self.calls: list[tuple[ActorName, str, tuple[Any, ...]]] = []
        self.away = away

    def send(self, actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
        if self.away:
            raise ControlUnavailableError(f"There is no {actor} just now.")
        self.calls.append((actor, method, arguments))


def client(actors: Actors | None) -> TestClient:
    def nobody() -> dict[str, Any]:
        raise LookupError("no system")

    service = OperatorService(
        Queries("postgresql://nobody@127.0.0.1:1/none"), SnapshotCache(nobody), lambda: "synthetic", True
    )
    return TestClient(create_app(service, Token(SECRET), None if actors is None else actors.send))


def post(actors: Actors | None, headers: dict[str, str] = ALLOWED, **body: Any) -> Any:
    return client(actors).post("/control", json=body, headers=headers)


def test_a_pause_reaches_the_risk_manager_with_who_and_why() -> None:
    actors = Actors()
    answer = post(actors, action="pause", scope="trend-1", reason="maintenance tonight", command_id="c-1")
    assert answer.status_code == 200
    assert answer.json()["command_id"] == "c-1"
    ((actor, method, (kind, body, natural_id)),) = actors.calls
    assert (actor, method, natural_id) == (ActorName.RISK_MANAGER, "command", "operator:c-1")
    assert parse_body(kind, body) == OperatorCommand(
        command_id="c-1", who="operator", action="pause", scope="trend-1", reason="maintenance tonight"
    )


def test_a_command_without_an_id_gets_one_of_its_own() -> None:
    actors = Actors()
    first = post(actors, action="halt", reason="I say so").json()["command_id"]
    second = post(actors, action="halt", reason="I say so").json()["command_id"]
    assert first and second and first != second


def test_reset_reaches_the_orchestrator() -> None:
    actors = Actors()
    assert post(actors, action="reset", scope="funding", reason="mended", who="K").status_code == 200
    assert actors.calls == [(ActorName.ORCHESTRATOR, "reset", ("funding", "K: mended"))]


@pytest.mark.parametrize(
    ("body", "field", "allowed"),
    [
        ({"action": "explode", "reason": "because"}, "action", "pause"),
        ({"action": "pause", "scope": "everything", "reason": "because"}, "scope", "GLOBAL"),
        ({"action": "reset", "scope": "GLOBAL", "reason": "because"}, "scope", "trend-1"),
        ({"action": "pause", "reason": ""}, "reason", None),
        ({"action": "pause"}, "reason", None),
        ({"action": "pause", "reason": "because", "force": True}, "force", None),
    ],
)
def test_nonsense_is_refused_and_nothing_is_sent(body: dict[str, Any], field: str, allowed: str | None) -> None:
    actors = Actors()
    answer = post(actors, **body)
    assert answer.status_code == 422
    told = answer.json()
    assert told["field"] == field
    if allowed is not None:
        assert allowed in told["allowed"]
    assert actors.calls == []


def test_without_the_token_nothing_is_sent() -> None:
    actors = Actors()
    assert post(actors, headers={}, action="halt", reason="because").status_code == 401
    assert post(actors, headers={"Authorization": "Bearer x"}, action="halt", reason="because").status_code == 401
    assert actors.calls == []


@pytest.mark.parametrize("actors", [Actors(away=True), None])
def test_a_system_that_cannot_take_it_says_so(actors: Actors | None) -> None:
    answer = post(actors, action="pause", reason="because")
    assert answer.status_code == 503
    assert answer.json()["error"]
