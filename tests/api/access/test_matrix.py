"""Each route and each kind of credential: who reaches what (DE-3, IF-4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from api.access.judge import Judge
from api.access.register import REGISTER, AccessRegister
from api.access.scopes import Scope
from api.http.app import OPEN_PATHS, create_app
from api.http.reach import Needs
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.stream.events import Streams
from api.tokens import Token
from tests.api.access.hashing import QUICK

KINDS = ("none", "read", "control", "admin", "expired", "revoked")
REACH = {
    "none": None,
    "read": Scope.READ,
    "control": Scope.CONTROL,
    "admin": Scope.ADMIN,
    "expired": None,
    "revoked": None,
}


class NoDatabase:
    """Every reading fails: what is judged here is judged before."""

    def __getattr__(self, name: str) -> Any:
        from api.views.reading import DatabaseAwayError

        def away(*_args: Any, **_kwargs: Any) -> Any:
            raise DatabaseAwayError("the database is away")

        return away


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> tuple[AccessRegister, dict[str, str]]:
    now = [datetime.now(UTC) - timedelta(days=2)]
    register = AccessRegister(tmp_path_factory.mktemp("access") / REGISTER, QUICK, lambda: now[0])
    found = {"expired": register.add("eve", Scope.ADMIN, "test", 1).token}
    now[0] = datetime.now(UTC)
    found |= {str(scope): register.add(f"a-{scope}", scope, "test").token for scope in Scope}
    found["revoked"] = register.add("rob", Scope.ADMIN, "test").token
    register.revoke("rob", "test")
    return register, found


@pytest.fixture(scope="module")
def app(tokens: tuple[AccessRegister, dict[str, str]]) -> FastAPI:
    service = OperatorService(NoDatabase(), SnapshotCache(dict), lambda: "synthetic", True)  # type: ignore[arg-type]
    judge = Judge(Token("owner"), tokens[0], burst=1_000_000).judge
    return create_app(service, judge, streams=Streams(service, life_s=0.0))


def _routes(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path not in OPEN_PATHS:
            for method in sorted(route.methods or ()):
                yield method, route.path, route


def needed_of(route: APIRoute) -> Scope:
    """The scope that a route names. Fails where it names none: such a route would be open to every credential."""
    found = [one.dependency.scope for one in route.dependencies if isinstance(one.dependency, Needs)]
    assert len(found) == 1, f"{route.path} must name exactly one scope"
    return found[0]


def test_every_route_names_its_scope(app: FastAPI) -> None:
    found = {(method, path): needed_of(route) for method, path, route in _routes(app)}
    assert {path for (method, path), scope in found.items() if scope is not Scope.READ} == {
        "/api/v1/control",
        "/api/v1/ray-dashboard",
    }
    assert found["POST", "/api/v1/control"] is Scope.CONTROL
    assert found["POST", "/api/v1/ray-dashboard"] is Scope.ADMIN, "its token executes code"
    assert len(found) > 25


def test_a_route_without_a_scope_is_found() -> None:
    app = FastAPI()
    app.get("/open")(lambda: None)
    ((_method, _path, route),) = _routes(app)
    with pytest.raises(AssertionError, match="must name exactly one scope"):
        needed_of(route)


@pytest.mark.parametrize("kind", KINDS)
def test_each_route_with_each_credential(
    app: FastAPI, tokens: tuple[AccessRegister, dict[str, str]], kind: str
) -> None:
    token = tokens[1].get(kind)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    reach = REACH[kind]
    for number, (method, path, route) in enumerate(_routes(app)):
        client = TestClient(app, raise_server_exceptions=False, client=(f"192.0.2.{number}", 1))  # none is slowed
        answer = client.request(
            method, re.sub(r"{.*?}", "x", path), headers=headers, json={} if method == "POST" else None
        )
        needed = needed_of(route)
        if reach is None:
            assert answer.status_code == 401, (kind, path)
        elif not reach.covers(needed):
            assert answer.status_code == 403, (kind, path)
            body = answer.json()
            assert body["value"] == kind and needed in body["allowed"] and kind in body["error"]
        else:
            assert answer.status_code not in (401, 403, 500), (kind, path, answer.text)
