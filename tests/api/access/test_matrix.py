"""Each route and each way to ask: who reaches what (DE-3, IF-4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from api.access.prover import Holder, mark_of
from api.access.scopes import Scope
from api.access.sessions import csrf_of
from api.http.app import OPEN_PATHS, create_app
from api.http.console import asset_paths
from api.http.gate import Gate
from api.http.login.routes import LOGINS
from api.http.presented import READING
from api.http.reach import Needs
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.stream.events import Streams
from tests.api.access.doors import Doors

COOKIE = "eternal-80"
"""Of the test client, whose server has port 80."""


@dataclass(frozen=True)
class Kind:
    """A way to ask. `reach` is how far it goes, None: nowhere; `changes`: whether it may change anything."""

    person: str
    reach: Scope | None
    way: str = "bearer"
    changes: bool = True
    csrf: str = "right"
    headers: tuple[tuple[str, str], ...] = ()
    has_code: bool = False


KINDS = {
    "none": Kind("", None),
    "read": Kind("a-read", Scope.READ),
    "control": Kind("a-control", Scope.CONTROL),
    "admin": Kind("a-admin", Scope.ADMIN),
    "expired": Kind("eve", None),
    "revoked": Kind("rob", None),
    "totp missing": Kind("tom", Scope.READ),
    "totp given": Kind("tom", Scope.CONTROL, has_code=True),
    "session read": Kind("a-read", Scope.READ, "session"),
    "session control": Kind("a-control", Scope.CONTROL, "session"),
    "session admin": Kind("a-admin", Scope.ADMIN, "session"),
    "session expired": Kind("a-admin", None, "old session"),
    "session of an expired credential": Kind("eve", None, "session"),
    "session of a revoked credential": Kind("rob", None, "session"),
    "session ended": Kind("a-admin", None, "ended session"),
    "session with a wrong csrf": Kind("a-admin", Scope.ADMIN, "session", changes=False, csrf="wrong"),
    "session without a csrf": Kind("a-admin", Scope.ADMIN, "session", changes=False, csrf=""),
    "session from another site": Kind(
        "a-admin", Scope.ADMIN, "session", changes=False, headers=(("Sec-Fetch-Site", "cross-site"),)
    ),
    "session from another origin": Kind(
        "a-admin", Scope.ADMIN, "session", changes=False, headers=(("Origin", "http://evil.example"),)
    ),
    "session from our own page": Kind(
        "a-admin",
        Scope.ADMIN,
        "session",
        headers=(("Sec-Fetch-Site", "same-origin"), ("Origin", "http://testserver")),
    ),
    "session without its code": Kind("tom", Scope.READ, "session"),
    "session with its code": Kind("tom", Scope.CONTROL, "session", has_code=True),
}


class NoDatabase:
    """Every reading fails: what is judged here is judged before."""

    def __getattr__(self, name: str) -> Any:
        from api.views.reading import DatabaseAwayError

        def away(*_args: Any, **_kwargs: Any) -> Any:
            raise DatabaseAwayError("the database is away")

        return away


class Askers:
    """Doors with a credential of each kind."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        add = doors.register.add
        self.tokens = {"eve": add("eve", Scope.ADMIN, "test", 1).token}
        doors.now += timedelta(days=2)
        self.tokens |= {f"a-{scope}": add(f"a-{scope}", scope, "test").token for scope in Scope}
        self.tokens |= {"rob": add("rob", Scope.ADMIN, "test").token, "tom": add("tom", Scope.CONTROL, "test").token}
        doors.register.revoke("rob", "test")
        doors.register.set_totp("tom", is_on=True)

    def headers(self, kind: Kind) -> dict[str, str]:
        """What a request of this kind carries: a new session and a new code each time."""
        headers = dict(kind.headers)
        if kind.way == "bearer":
            headers |= {"Authorization": f"Bearer {self.tokens[kind.person]}"} if kind.person else {}
            if kind.has_code:
                self.doors.wait(seconds=30)
                headers["X-TOTP-Code"] = self.doors.code(kind.person)
            return headers
        return headers | self._session(kind)

    def _session(self, kind: Kind) -> dict[str, str]:
        doors = self.doors
        one = next(one for one in doors.register.all() if one.person == kind.person)
        mark = mark_of(one.totp) if kind.has_code and one.totp else ""
        begun = doors.sessions.begin(Holder(one.person, one.scope, one.credential_id), "token", "192.0.2.1", mark)
        if kind.way == "old session":
            doors.wait(hours=13)
        elif kind.way == "ended session":
            doors.sessions.end(begun.session.session_id)
        csrf = csrf_of(begun.cookie) if kind.csrf == "right" else kind.csrf
        return {"Cookie": f"{COOKIE}={begun.cookie}"} | ({"X-CSRF-Token": csrf} if csrf else {})


@pytest.fixture(scope="module")
def askers(tmp_path_factory: pytest.TempPathFactory) -> Askers:
    return Askers(Doors(tmp_path_factory.mktemp("access")))


@pytest.fixture(scope="module")
def app(askers: Askers) -> FastAPI:
    service = OperatorService(NoDatabase(), SnapshotCache(dict), lambda: "synthetic", True)  # type: ignore[arg-type]
    doors, streams = askers.doors, Streams(service, life_s=0.0)
    return create_app(service, doors.judge.judge, streams=streams, entrance=doors.entrance)


def _routes(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path not in OPEN_PATHS:
            for method in sorted(route.methods or ()):
                if (method, route.path) not in LOGINS:
                    yield method, route.path, route


def needed_of(route: APIRoute) -> Scope:
    """The scope that a route names. Fails where it names none: such a route would be open to every credential."""
    found = [one.dependency.scope for one in route.dependencies if isinstance(one.dependency, Needs)]
    assert len(found) == 1, f"{route.path} must name exactly one scope"
    return found[0]


def test_every_route_names_its_scope(app: FastAPI) -> None:
    found = {(method, path): needed_of(route) for method, path, route in _routes(app)}
    assert {one for one, scope in found.items() if scope is Scope.CONTROL} == {
        ("POST", "/api/v1/alerts/{alert_id}/acknowledge"),
        ("POST", "/api/v1/backtests"),  # it takes a processor and disk, and nothing of what trades
        ("POST", "/api/v1/backtests/{run_id}/cancel"),
        ("DELETE", "/api/v1/backtests/{run_id}"),
        ("POST", "/api/v1/control"),
        ("POST", "/api/v1/policies/trial"),
    }
    assert {one for one, scope in found.items() if scope is Scope.ADMIN} == {
        ("POST", "/api/v1/ray-dashboard"),  # its token executes code
        ("POST", "/api/v1/policies"),  # limits and parameters are the owner's
        ("GET", "/api/v1/sessions"),
        ("DELETE", "/api/v1/sessions/{session_id}"),
    }
    assert len(found) > 30


def test_what_needs_no_credential_is_named(app: FastAPI) -> None:
    """A path that was opened by mistake would be open to everyone who reaches the interface."""
    assert OPEN_PATHS - asset_paths() == {"/", "/docs", "/health"}
    assert all(path.startswith("/console/assets/") for path in asset_paths())
    assert frozenset({("POST", "/api/v1/session")}) == LOGINS


def test_a_route_without_a_scope_is_found() -> None:
    app = FastAPI()
    app.get("/open")(lambda: None)
    ((_method, _path, route),) = _routes(app)
    with pytest.raises(AssertionError, match="must name exactly one scope"):
        needed_of(route)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as found:
        yield found


def ask_each_route(client: TestClient, askers: Askers, name: str) -> None:
    """Ask every route in this way. Fails where the answer is another one than the kind's reach allows."""
    kind = KINDS[name]
    for method, path, route in _routes(client.app):  # type: ignore[arg-type]
        askers.doors.clock_s += 1_000.0  # nothing is slowed
        client.cookies.clear()
        body: dict[str, str] | None = {} if method == "POST" else None
        answer = client.request(method, re.sub(r"{.*?}", "x", path), headers=askers.headers(kind), json=body)
        needed = needed_of(route)
        where = (name, method, path, answer.text)
        if kind.reach is None:
            assert answer.status_code == 401, where
        elif method not in READING and not kind.changes:
            assert answer.status_code == 403, where
        elif not kind.reach.covers(needed):
            assert answer.status_code == 403, where
            refusal = answer.json()
            assert refusal["value"] == kind.reach and needed in refusal["allowed"]
            withheld = kind.person == "tom" and needed is Scope.CONTROL
            assert ("a code" in refusal["error"]) is withheld, where
        else:
            assert answer.status_code not in (401, 403, 500), where


@pytest.mark.parametrize("name", KINDS)
def test_each_route_in_each_way(client: TestClient, askers: Askers, name: str) -> None:
    ask_each_route(client, askers, name)


@pytest.mark.parametrize(
    ("defect", "noticed_by"),
    [
        ("api.access.judge.is_csrf", "session with a wrong csrf"),
        ("api.http.presented._is_foreign", "session from another site"),
        ("api.access.prover.Prover.of_session", "session of a revoked credential"),
        ("api.access.sessions.Sessions._is_live", "session expired"),
        ("api.access.prover.Holder.reach", "session without its code"),
        ("api.http.reach.Needs.__call__", "read"),
    ],
)
def test_a_planted_defect_is_noticed(
    client: TestClient, askers: Askers, monkeypatch: pytest.MonkeyPatch, defect: str, noticed_by: str
) -> None:
    wrong: dict[str, Any] = {
        "api.access.judge.is_csrf": lambda *_: True,
        "api.http.presented._is_foreign": lambda *_: False,
        "api.access.prover.Prover.of_session": lambda _self, one: Holder(one.person, one.scope),
        "api.access.sessions.Sessions._is_live": lambda *_: True,
        "api.access.prover.Holder.reach": lambda self, _mark="": self.scope,
        "api.http.reach.Needs.__call__": lambda _self, request: None,
    }
    monkeypatch.setattr(defect, wrong[defect])
    with pytest.raises((AssertionError, KeyError)):
        ask_each_route(client, askers, noticed_by)


def test_a_bearer_counts_before_a_cookie(client: TestClient, askers: Askers) -> None:
    """Who presents a wrong token is refused, whatever the browser adds."""
    session = askers.headers(KINDS["session admin"])
    assert client.get("/api/v1/machines", headers=session).status_code == 200
    assert client.get("/api/v1/machines", headers=session | {"Authorization": "Bearer wrong"}).status_code == 401
    changed = session | {"Authorization": f"Bearer {askers.tokens['a-read']}"}
    assert client.get("/api/v1/session", headers=changed).json()["person"] == "a-read"


def test_gate_is_what_stands_before_every_route(app: FastAPI) -> None:
    assert [one.cls for one in app.user_middleware] == [Gate]
