"""RM-5, R3: flatten over HTTP, who gave a command, and what happens while the risk manager is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.access.judge import Judge
from api.access.register import REGISTER, AccessRegister
from api.access.scopes import Scope
from api.http.app import create_app
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.tokens import TokenFile
from infra.database.queries import Queries
from infra.database.store import PostgresStore
from statemachines.limits.operator_actions import ACTIONS
from statemachines.limits.operator_scopes import RESTRICTS
from statemachines.messages.control import OperatorCommand
from statemachines.values import ActorName
from tests.api.access.hashing import QUICK
from tests.api.control.test_control import HALT, Actors, Living, give, post
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.kit.rows import Pen, place


@pytest.fixture
def living(database_url: str) -> Iterator[Living]:  # noqa: F811
    actors = Living(database_url)
    yield actors
    actors.stop()


@pytest.mark.parametrize("scope", ["core-hodl", "tactical"])
def test_r3_what_holds_no_derivatives_cannot_be_flattened(scope: str) -> None:
    actors = Actors()
    answer = post(actors, action="flatten", scope=scope, reason="because")
    assert answer.status_code == 422 and actors.calls == []
    told = answer.json()
    assert f"{scope} holds no derivatives" in told["error"]
    assert told["field"] == "scope" and told["allowed"] == ["GLOBAL", "trend-1", "trend-2", "funding"]


@pytest.mark.parametrize("scope", ["GLOBAL", "trend-1", "trend-2", "funding"])
def test_r3_a_flatten_reaches_the_risk_manager(scope: str) -> None:
    actors = Actors()
    answer = post(actors, action="flatten", scope=scope, reason="because", command_id="c-1")
    assert answer.status_code == 200 and "once the exchange proves it" in answer.json()["text"]
    ((actor, _method, (_kind, body, _id)),) = actors.calls
    assert (actor, body["action"], body["scope"]) == (ActorName.RISK_MANAGER, "flatten", scope)


def test_the_actions_are_those_of_the_message() -> None:
    allowed = OperatorCommand.model_fields["action"].annotation.__args__  # type: ignore[union-attr]
    assert set(ACTIONS) == set(allowed) and set(RESTRICTS) < set(ACTIONS)


def test_rm5_who_comes_from_the_credential(tmp_path: Path) -> None:
    """A field of the request is only noted behind the name of the credential's holder; a revoked one ends it."""
    path, register = tmp_path / "api-token", AccessRegister(tmp_path / REGISTER, QUICK)
    token = register.add("alice", Scope.CONTROL, "test").token
    actors = Actors()
    service = OperatorService(actors, SnapshotCache(dict), lambda: "synthetic", True)
    http = TestClient(create_app(service, Judge(TokenFile(path), register).judge, actors.send))

    def given(token: str, **body: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        answer = http.post("/api/v1/control", json={"action": "halt", "reason": "why"} | body, headers=headers)
        return int(answer.status_code)

    assert given(token) == 200
    assert given(token, who="bob") == 200
    assert given(path.read_text().strip(), who="bob") == 200
    assert [call[2][1]["who"] for call in actors.calls] == ["alice", "alice (bob)", "operator (bob)"]
    register.revoke("alice", "test")
    assert given(token) == 401


# --- while the risk manager is away ---


@pytest.mark.parametrize("action", sorted(RESTRICTS))
def test_rm5_what_forbids_new_risk_goes_to_the_orchestrator_when_the_risk_manager_is_away(action: str) -> None:
    actors = Actors()
    actors.absent = {ActorName.RISK_MANAGER}
    answer = post(actors, action=action, scope="trend-1", reason="because", command_id="c-1")
    assert answer.status_code == 200
    ((actor, method, (kind, _body, natural_id)),) = actors.calls
    assert (actor, method, kind) == (ActorName.ORCHESTRATOR, "command", OperatorCommand.KIND)
    assert natural_id == "operator:c-1"


@pytest.mark.parametrize("action", ["resume", "normal"])
def test_rm5_what_permits_risk_waits_for_the_risk_manager(action: str) -> None:
    actors = Actors()
    actors.absent = {ActorName.RISK_MANAGER}
    assert post(actors, action=action, scope="trend-1", reason="because").status_code == 503
    assert actors.calls == []


def test_rm5_a_halt_is_in_force_while_the_risk_manager_is_dead_and_carried_out_when_it_is_back(
    database_url: str,  # noqa: F811
    living: Living,
) -> None:
    """The order manager still works what was approved: without this a halt had to wait for one actor's restart."""
    orders = PostgresStore(database_url)
    pen = Pen(orders, "order-manager")
    living.kill(ActorName.RISK_MANAGER)
    answer = give(database_url, living, **HALT)
    assert answer.status_code == 200, answer.text
    assert orders.fence("order-manager", pen.epoch, ("trend-1",)).switches == {"GLOBAL": "HALTED"}
    assert pen.write(calls=[place("one", ActorName.TREND_1)]) == {"one"}
    shown = Queries(database_url).switches()
    assert [(row["scope"], row["state"], row["who"]) for row in shown] == [("GLOBAL", "HALTED", "operator (alice)")]
    assert give(database_url, living, **HALT).json() == answer.json(), "a repeat is answered as before"
    assert give(database_url, living, **HALT | {"action": "pause"}).status_code == 409
    assert [row["command_id"] for row in Queries(database_url).operator_commands()] == ["c-1"]
    normal = {"action": "normal", "reason": "over", "command_id": "c-2"}
    assert give(database_url, living, **normal).status_code == 503
    living.restart()
    # The orchestrator's message reaches it; here by hand, since nobody delivers in this test.
    (sent,) = [row for row in Queries(database_url).events() if row["kind"] == OperatorCommand.KIND]
    living.deliver(ActorName.RISK_MANAGER, OperatorCommand.model_validate(sent["body"]))
    assert [(row["scope"], row["state"]) for row in Queries(database_url).switches()] == [("GLOBAL", "HALTED")]
    assert [row["command_id"] for row in Queries(database_url).operator_commands()] == ["c-1"]
    assert give(database_url, living, **normal).status_code == 200
    assert orders.fence("order-manager", pen.epoch, ("trend-1",)).switches == {}
    orders.close()
