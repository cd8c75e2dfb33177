"""The console's way in over HTTP (IF-4, DE-3): what is set, answered, refused and never shown."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from api.access.scopes import Scope
from api.http.app import create_app
from api.http.console import BUILT
from api.http.gate import GRANTED, STANDING
from api.http.pages import STATIC
from api.http.presented import is_local
from api.service import OperatorService
from api.snapshot import SnapshotCache
from infra.database.queries import Queries
from tests.api.access.doors import OWNERS, Doors

SOURCES = BUILT.parent / "src"

NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"
OWN = "/api/v1/session"
HERE = ("127.0.0.1", 50_000)


class House:
    """An interface with doors; a client for each address."""

    def __init__(self, folder: Path, demands_encryption: bool = False) -> None:
        self.doors = Doors(folder)
        service = OperatorService(Queries(NO_DATABASE), SnapshotCache(dict), lambda: "synthetic", True)
        self.app = create_app(
            service,
            self.doors.judge.judge,
            entrance=self.doors.entrance,
            demands_encryption=demands_encryption,
        )

    def client(self, address: str = "127.0.0.1", scheme: str = "http") -> TestClient:
        return TestClient(self.app, base_url=f"{scheme}://testserver", client=(address, 50_000))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def client(house: House) -> Iterator[TestClient]:
    with house.client() as found:
        yield found


@pytest.mark.parametrize(
    ("scheme", "name", "attributes"),
    [
        ("http", "eternal-80", {"httponly", "samesite=strict", "path=/"}),
        ("https", "__Host-eternal-443", {"httponly", "samesite=strict", "path=/", "secure"}),
    ],
)
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    house: House, scheme: str, name: str, attributes: set[str]
) -> None:
    answer = house.client(scheme=scheme).post(OWN, json={"token": OWNERS})
    (cookie,) = answer.headers.get_list("set-cookie")
    first, *rest = [one.strip() for one in cookie.split(";")]
    assert first.startswith(f"{name}=")
    assert {one.lower() for one in rest if not one.lower().startswith("max-age=")} == attributes
    secret = first.partition("=")[2]
    assert secret not in answer.text and OWNERS not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_from_login_to_logout(client: TestClient) -> None:
    login = client.post(OWN, json={"token": OWNERS}).json()
    assert (login["person"], login["scope"], login["withheld"]) == ("operator", "admin", None)
    assert client.get(OWN).json() == login
    assert client.get("/api/v1/machines").status_code == 200
    assert client.delete(OWN).status_code == 403, "a page of ours sends the csrf value"
    out = client.delete(OWN, headers={"X-CSRF-Token": login["csrf"]})
    assert out.json() == {"session_id": login["session_id"]}
    assert "Max-Age=0" in out.headers["set-cookie"]
    assert client.get(OWN).status_code == client.get("/api/v1/machines").status_code == 401


def test_who_logs_in_again_leaves_no_session_behind(house: House, client: TestClient) -> None:
    for _ in range(3):
        assert client.post(OWN, json={"token": OWNERS}).status_code == 200
    assert len(house.doors.entrance.all()) == 1


def test_a_bearer_has_no_session(client: TestClient) -> None:
    bearer = {"Authorization": f"Bearer {OWNERS}"}
    standing = client.get(OWN, headers=bearer).json()
    assert (standing["person"], standing["session_id"], standing["csrf"]) == ("operator", None, None)
    answer = client.delete(OWN, headers=bearer)
    assert answer.status_code == 404 and "came with a token" in answer.json()["error"]
    assert client.post(f"{OWN}/code", json={"code": "123456"}, headers=bearer).status_code == 409


def test_a_code_lets_the_session_reach_further(house: House, client: TestClient) -> None:
    token = house.doors.register.add("alice", Scope.CONTROL, "test").token
    house.doors.register.set_totp("alice", is_on=True)
    login = client.post(OWN, json={"token": token}).json()
    assert (login["scope"], login["withheld"]) == ("read", "control")
    refused = client.post("/api/v1/control", json={}, headers={"X-CSRF-Token": login["csrf"]})
    assert refused.status_code == 403 and "on the page System, under Session" in refused.json()["error"]
    body = {"code": house.doors.code("alice")}
    further = client.post(f"{OWN}/code", json=body, headers={"X-CSRF-Token": login["csrf"]}).json()
    assert (further["scope"], further["withheld"]) == ("control", None)
    assert further["csrf"] != login["csrf"] and further["session_id"] != login["session_id"]
    assert client.post("/api/v1/control", json={}, headers={"X-CSRF-Token": further["csrf"]}).status_code == 422
    house.doors.wait(seconds=30)
    at_once = client.post(OWN, json={"token": token, "code": house.doors.code("alice")}).json()
    assert at_once["scope"] == "control"


def test_an_admin_sees_and_ends_sessions(house: House, client: TestClient) -> None:
    other = house.client("192.0.2.7")
    other.post(OWN, json={"token": house.doors.register.add("bob", Scope.CONTROL, "test").token})
    login = client.post(OWN, json={"token": OWNERS}).json()
    rows = client.get("/api/v1/sessions").json()
    assert [(one["person"], one["address"], one["is_own"]) for one in rows] == [
        ("bob", "192.0.2.7", False),
        ("operator", "127.0.0.1", True),
    ]
    assert not any(word in str(rows) for word in ("hash", "mark"))
    path = f"/api/v1/sessions/{rows[0]['session_id']}"
    assert client.delete(path, headers={"X-CSRF-Token": login["csrf"]}).status_code == 200
    assert other.get("/api/v1/machines").status_code == 401
    gone = client.delete(path, headers={"X-CSRF-Token": login["csrf"]})
    assert gone.status_code == 404 and login["session_id"] in gone.json()["allowed"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": ""},
        {"token": OWNERS, "link": "x"},
        {"link": "x", "code": "123456"},
        {"token": "secret-1", "code": "12345"},
        {"token": "secret-1", "code": "abcdef"},
        {"token": ["secret-1"]},
        {"tokn": "secret-1"},
        {"token": "secret-1" * 60},
        ["secret-1"],
        "secret-1",
    ],
)
def test_a_refused_body_is_not_shown_again(client: TestClient, body: Any) -> None:
    answer = client.post(OWN, json=body)
    assert answer.status_code == 422, answer.text
    assert "secret-1" not in answer.text and OWNERS not in answer.text
    assert answer.json()["value"] == "hidden"


def test_a_login_that_is_too_large_is_not_read(client: TestClient) -> None:
    answer = client.post(OWN, json={"token": "x" * 3_000})
    assert answer.status_code == 413 and "2,048 bytes" in answer.json()["error"]


def test_wrong_tokens_are_slowed_and_say_when_to_come_again(client: TestClient) -> None:
    answers = [client.post(OWN, json={"token": f"wrong-{number}"}) for number in range(6)]
    assert [one.status_code for one in answers] == [401] * 5 + [429]
    assert answers[0].headers["WWW-Authenticate"] and answers[5].headers["Retry-After"] == "1"
    assert "eternal access rotate" in answers[0].json()["error"]


def test_a_page_of_another_site_cannot_log_in(client: TestClient) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://a.example"}):
        assert client.post(OWN, json={"token": OWNERS}, headers=headers).status_code == 403
    own = {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}
    assert client.post(OWN, json={"token": OWNERS}, headers=own).status_code == 200


# --- one-time links ---


def test_a_link_opens_once_and_its_end_is_named(house: House, client: TestClient) -> None:
    link = house.doors.links.make()
    assert client.post(OWN, json={"link": link}).json()["scope"] == "control"
    again = client.post(OWN, json={"link": link})
    assert again.status_code == 401 and "eternal access link" in again.json()["error"]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "X-Forwarded-Proto"])
def test_a_link_does_not_open_through_a_proxy(house: House, client: TestClient, header: str) -> None:
    link = house.doors.links.make()
    answer = client.post(OWN, json={"link": link}, headers={header: "127.0.0.1"})
    assert answer.status_code == 403 and "without a proxy" in answer.json()["error"]
    assert house.client("192.0.2.1").post(OWN, json={"link": link}).status_code == 403
    assert client.post(OWN, json={"link": link}).status_code == 200


# --- what is never shown ---


def test_no_secret_reaches_a_log(house: House, client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    token = house.doors.register.add("alice", Scope.CONTROL, "test").token
    totp = house.doors.register.set_totp("alice", is_on=True).totp
    link, code = house.doors.links.make(), house.doors.code("alice")
    with caplog.at_level(logging.DEBUG):
        client.post(OWN, json={"link": link})
        client.post(OWN, json={"token": token, "code": code})
        cookie = client.cookies["eternal-80"]
        client.post(OWN, json={"token": "wrong-secret", "code": code})
        client.get("/api/v1/machines", headers={"Authorization": "Bearer wrong-secret"})
        house.doors.file.path.write_text("{")
        assert client.get("/api/v1/machines").status_code == 503
        assert client.post(OWN, json={"token": token}).status_code == 503
    text = caplog.text + "".join(record.getMessage() for record in caplog.records)
    assert "alice has logged in" in text
    for secret in (token, token.split(".")[2], totp, link, cookie, cookie.split(".")[1], "wrong-secret", OWNERS):
        assert secret and secret not in text


# --- encryption ---


@pytest.mark.parametrize(
    ("address", "scheme", "is_answered"),
    [
        ("127.0.0.1", "http", True),
        ("::1", "http", True),
        ("192.0.2.1", "http", False),
        ("192.0.2.1", "https", True),
        ("unknown", "http", False),
    ],
)
def test_other_machines_are_answered_over_tls_alone(
    tmp_path: Path, address: str, scheme: str, is_answered: bool
) -> None:
    client = House(tmp_path, demands_encryption=True).client(address, scheme)
    bearer = {"Authorization": f"Bearer {OWNERS}"}
    statuses = {
        client.post(OWN, json={"token": OWNERS}).status_code,
        client.get("/api/v1/machines", headers=bearer).status_code,
    }
    assert statuses == ({200} if is_answered else {403})
    assert client.get("/").status_code == 200, "what holds no data is open"


@pytest.mark.parametrize(
    ("client", "server", "is_here"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("10.0.0.5", "10.0.0.5", True),
        ("10.0.0.6", "10.0.0.5", False),
        ("", "", False),
        ("unknown", "10.0.0.5", False),
    ],
)
def test_our_own_command_line_is_on_this_machine_whatever_address_is_listened_on(
    client: str, server: str, is_here: bool
) -> None:
    """Behind a proxy `api.host` may be an address of the network; `eternal control halt` reaches it in clear there."""
    assert is_local({"client": (client, 1), "server": (server, 8080)}) is is_here


def test_the_pages_send_no_token_and_keep_none() -> None:
    """What the console keeps in the browser is theme, language and zone; beside it only the catalogue of texts is
    loaded."""
    scripts = [path.read_text(encoding="utf-8") for path in sorted((BUILT / "assets").glob("index-*.js"))]
    assert scripts, "the console is built"
    for page in (*scripts, (STATIC / "docs.html").read_text(encoding="utf-8")):
        assert not re.search(r"sessionStorage|Bearer|document\.cookie", page)
    kept = set(re.findall(r"keep\('(\w+)'", (SOURCES / "lib" / "settings.svelte.ts").read_text(encoding="utf-8")))
    assert kept == {"theme", "language", "zone"}
    for path in SOURCES.rglob("*.*"):
        assert path.name == "settings.svelte.ts" or "localStorage" not in path.read_text(encoding="utf-8"), path.name


# --- answers that last ---


@pytest.mark.parametrize("end", ["session", "credential", "nothing"])
def test_a_long_answer_learns_that_its_session_has_ended(house: House, client: TestClient, end: str) -> None:
    """The gate judges a request once; a stream lasts."""
    found: list[bool] = []
    token = house.doors.register.add("alice", Scope.CONTROL, "test").token

    @house.app.get("/lasting")
    async def lasting(request: Request) -> None:
        stands = request.scope[STANDING]
        found.append(await stands())
        if end == "session":
            house.doors.sessions.end(request.scope[GRANTED].session_id)
        elif end == "credential":
            house.doors.register.revoke("alice", "test")
        found.append(await stands())

    client.post(OWN, json={"token": token})
    assert client.get("/lasting").status_code == 200
    assert found == [True, end == "nothing"]
