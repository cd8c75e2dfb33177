"""The operator's commands (RM-5, OR-8) over HTTP: checked, handed to whom they are for, never half done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from fastapi.testclient import TestClient

from actors.runtime.actor_runner import ActorRunner, Parts
from api.access.judge import Judge
from api.control import ControlUnavailableError
from api.health import _trading
from api.http.app import create_app
from api.logics import logics
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.texts.translation import Language, in_language
from api.tokens import Token
from infra.config import EternalConfig
from infra.database.queries import Queries
from infra.database.reading.reader import QueryUnavailableError
from infra.database.store import PostgresStore
from statemachines.messages.control import ComponentChanged, ComponentReset, OperatorCommand
from statemachines.messages.kinds import parse_body
from statemachines.values import ActorName
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.kit.peers import NoPeers, StandingClock

SECRET = "a-secret-for-this-test"
ALLOWED = {"Authorization": f"Bearer {SECRET}"}


class Actors(Queries):
    """Stands for the living system and what it has registered; `away` answers nobody, `silent` commits without an
    answer, `unreadable` is a database that cannot be read."""

    def __init__(self, away: bool = False) -> None:
        super().__init__("postgresql://nobody@127.0.0.1:1/none")
        self.calls: list[tuple[ActorName, str, tuple[Any, ...]]] = []
        self.registered: dict[str, Mapping[str, Any]] = {}
        self.away = away
        self.silent = False
        self.unreadable = False
        self.states: dict[str, str] = {}
        self.absent: set[ActorName] = set()

    def send(self, actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
        if self.away or actor in self.absent:
            raise ControlUnavailableError(f"There is no {actor} just now.")
        self.calls.append((actor, method, arguments))
        body = arguments[1] if method == "command" else {**arguments[0], "action": "reset"}
        self.registered.setdefault(body["command_id"], {"scope": body.get("component"), **body})
        if self.silent:
            raise ControlUnavailableError(f"The {actor} has not committed the command within 5 s.")

    def operator_command(self, command_id: str) -> dict[str, Any] | None:
        if self.unreadable:
            raise QueryUnavailableError("the database cannot be used now: the server is starting")
        found = self.registered.get(command_id)
        return None if found is None else dict(found)


    def switches(self) -> list[dict[str, Any]]:
        if self.unreadable:
            raise QueryUnavailableError("the database cannot be used now: the server is starting")
        return [{"scope": scope, "state": state} for scope, state in self.states.items()]


def serve(queries: Queries, send: Callable[..., None] | None) -> TestClient:
    def nobody() -> dict[str, Any]:
        raise LookupError("no system")

    service = OperatorService(queries, SnapshotCache(nobody), lambda: "synthetic", True)
    return TestClient(create_app(service, Judge(Token(SECRET)).judge, send))


def client(actors: Actors | None) -> TestClient:
    return serve(actors or Actors(), None if actors is None else actors.send)


def post(actors: Actors | None, headers: dict[str, str] = ALLOWED, **body: Any) -> Any:
    return client(actors).post("/api/v1/control", json=body, headers=headers)


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


@pytest.mark.parametrize(
    ("action", "scope", "states", "left"),
    [
        ("normal", "GLOBAL", {"GLOBAL": "NORMAL"}, ""),
        ("normal", "GLOBAL", {"trend-1": "HALTED", "funding": "CAUTION", "tactical": "PAUSED"},
         " Not ended by it: trend-1 HALTED, tactical PAUSED (each ends by a command for its own scope)."),
        ("resume", "trend-1", {"GLOBAL": "PAUSED", "trend-2": "HALTED"},
         " Not ended by it: GLOBAL PAUSED (each ends by a command for its own scope)."),
        ("pause", "GLOBAL", {"trend-1": "HALTED"}, ""),
    ],
)  # fmt: skip
def test_the_answer_names_what_another_scope_still_forbids(
    action: str, scope: str, states: dict[str, str], left: str
) -> None:
    """After a flatten, 'normal' of everything was answered as if it had ended the engines' own halts."""
    actors = Actors()
    actors.states = states
    text = post(actors, action=action, scope=scope, reason="the drill is over").json()["text"]
    assert text.partition("what is in force.")[2].removesuffix(" It ends a pause and nothing else.") == left
    said = in_language(text, Language.RUSSIAN)
    assert "ended by" not in said, said


def test_a_command_without_an_id_gets_one_of_its_own() -> None:
    actors = Actors()
    first = post(actors, action="halt", reason="I say so").json()["command_id"]
    second = post(actors, action="halt", reason="I say so").json()["command_id"]
    assert first and second and first != second


def test_reset_reaches_the_orchestrator() -> None:
    actors = Actors()
    assert post(actors, action="reset", scope="funding", reason="mended", who="K").status_code == 200
    ((actor, method, (body, natural_id)),) = actors.calls
    assert (actor, method, natural_id) == (ActorName.ORCHESTRATOR, "reset", f"operator:{body['command_id']}")
    assert (body["component"], body["who"], body["reason"]) == ("funding", "operator (K)", "mended")


@pytest.mark.parametrize(
    ("body", "field", "allowed"),
    [
        ({"action": "explode", "reason": "because"}, "action", "pause"),
        ({"action": "pause", "scope": "everything", "reason": "because"}, "scope", "GLOBAL"),
        ({"action": "reset", "scope": "GLOBAL", "reason": "because"}, "scope", "trend-1"),
        ({"action": "pause", "reason": ""}, "reason", None),
        ({"action": "pause"}, "reason", None),
        ({"action": "pause", "reason": "because", "force": True}, "force", None),
        ({"action": "pause", "reason": "   "}, "reason", None),
        ({"action": "pause", "reason": "  .  "}, "reason", None),
        ({"action": "pause", "reason": "   a   "}, "reason", None),
        ({"action": "pause", "reason": "ab "}, "reason", None),
        ({"action": "pause", "reason": "because", "who": " "}, "who", None),
        ({"action": "pause", "reason": "because", "who": ""}, "who", None),
        ({"action": "pause", "reason": "because", "command_id": "\u3000 "}, "command_id", None),
        ({"action": "pause", "reason": "because", "command_id": ""}, "command_id", None),
        ({"action": "pause", "reason": "\u00a0\u2003\u3164\u2800"}, "reason", None),
        ({"action": "pause", "reason": "\u0301\ufe0f\u115f"}, "reason", None),
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


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":',
        b"",
        b"{",
        b"action=pause",
        b'{"action": NaN}',
        b"\xff\xfe{",
        b"[" * 30_000,
        b'{"action":' + b"9" * 60_000 + b"}",
    ],
)
def test_a_body_that_is_not_json_is_told_as_such(body: bytes) -> None:
    """It was a 422 whose field was the place in the text, `5`."""
    actors = Actors()
    answer = client(actors).post(
        "/api/v1/control", content=body, headers=ALLOWED | {"content-type": "application/json"}
    )
    if body:
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"].startswith("The body is not JSON: ")
    else:
        assert answer.status_code == 422 and "required" in answer.json()["error"]
    assert actors.calls == []


@pytest.mark.parametrize("again", ["action", "scope", "reason", "command_id"])
def test_a_key_that_stands_twice_is_refused(again: str) -> None:
    """`"action": "pause", ..., "action": "normal"` carried out the second one."""
    actors = Actors()
    body = f'{{"action": "pause", "scope": "trend-1", "reason": "because", "command_id": "c", "{again}": "normal"}}'
    answer = client(actors).post(
        "/api/v1/control", content=body.encode(), headers=ALLOWED | {"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["field"] == again and "more than once" in answer.json()["error"]
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


# --- one id, one command ---


class Living:
    """Risk manager and orchestrator as they run, each on its own thread over the database; `restart` is a crash."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._hosts: dict[ActorName, ActorRunner] = {}
        self._stores: list[PostgresStore] = []
        self.restart()

    def restart(self) -> None:
        self.stop()
        for name in (ActorName.RISK_MANAGER, ActorName.ORCHESTRATOR):
            store = PostgresStore(self._url)
            self._stores.append(store)
            parts = Parts(
                logics(EternalConfig(), "abcdef")[name](),
                store,
                None,
                None,
                NoPeers(),
                StandingClock(43_200_000),
                False,
            )
            host = ActorRunner(name, parts, lambda _why: None)
            host.start(store.grant(name, "test"), 0)
            self._hosts[name] = host

    def stop(self) -> None:
        for host in self._hosts.values():
            host.stop()
        for store in self._stores:
            store.close()
        self._stores.clear()

    def kill(self, name: ActorName) -> None:
        self._hosts.pop(name).stop()

    def deliver(self, name: ActorName, body: OperatorCommand) -> None:
        self._hosts[name].command(body, f"delivered:{body.command_id}")

    def tell_orchestrator(self, body: ComponentChanged) -> None:
        self._hosts[ActorName.ORCHESTRATOR].command(body, f"test:{body.state}")

    def send(self, actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
        if actor not in self._hosts:
            raise ControlUnavailableError(f"There is no {actor} just now.")
        if method == "reset":
            body, natural_id = arguments
            self._hosts[actor].command(ComponentReset.model_validate(body), natural_id)
        else:
            kind, body, natural_id = arguments
            self._hosts[actor].command(parse_body(kind, body), natural_id)


@pytest.fixture
def living(database_url: str) -> Iterator[Living]:  # noqa: F811
    actors = Living(database_url)
    yield actors
    actors.stop()


def give(url: str, living: Living, **body: Any) -> Any:
    return serve(Queries(url), living.send).post("/api/v1/control", json=body, headers=ALLOWED)


HALT = {"action": "halt", "scope": "GLOBAL", "reason": "the exchange is down", "who": "alice", "command_id": "c-1"}


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"action": "pause"}, ["action was 'halt' and is 'pause'"]),
        ({"scope": "trend-1"}, ["scope was 'GLOBAL' and is 'trend-1'"]),
        ({"reason": "another"}, ["reason was 'the exchange is down' and is 'another'"]),
        ({"who": "bob"}, ["who was 'operator (alice)' and is 'operator (bob)'"]),
        ({"action": "reset", "scope": "funding"}, ["action was 'halt'", "scope was 'GLOBAL' and is 'funding'"]),
    ],
)
def test_an_id_that_belongs_to_another_command_is_refused_and_told_what_differs(
    database_url: str,  # noqa: F811
    living: Living,
    change: dict[str, str],
    told: list[str],
    is_restarted: bool,
) -> None:
    """The second command was dropped as a repeat and answered "committed": a GLOBAL halt was lost that way."""
    assert give(database_url, living, **HALT).status_code == 200
    if is_restarted:
        living.restart()
    answer = give(database_url, living, **HALT | change)
    assert answer.status_code == 409
    assert answer.json()["field"] == "command_id"
    for part in told:
        assert part in answer.json()["error"]
    rows = Queries(database_url).switches()
    assert [(row["scope"], row["state"]) for row in rows] == [("GLOBAL", "HALTED")]


def test_a_global_halt_under_the_id_of_a_pause_is_refused_and_takes_effect_under_its_own(
    database_url: str,  # noqa: F811
    living: Living,
) -> None:
    pause = HALT | {"action": "pause", "scope": "trend-1"}
    assert give(database_url, living, **pause).status_code == 200
    assert give(database_url, living, **HALT).status_code == 409
    assert give(database_url, living, **HALT | {"command_id": "c-2"}).status_code == 200
    rows = {row["scope"]: row["state"] for row in Queries(database_url).switches()}
    assert rows == {"GLOBAL": "HALTED", "trend-1": "PAUSED"}


@pytest.mark.parametrize("is_restarted", [False, True])
def test_the_same_command_again_is_answered_as_before_and_done_once(
    database_url: str,  # noqa: F811
    living: Living,
    is_restarted: bool,
) -> None:
    """A repeat must not undo what happened since: the halt is given again after somebody has ended it."""
    first = give(database_url, living, **HALT)
    normal = give(database_url, living, action="normal", reason="it is over", command_id="c-2")
    if is_restarted:
        living.restart()
    again = give(database_url, living, **HALT)
    assert (first.status_code, normal.status_code, again.status_code) == (200, 200, 200)
    assert again.json() == first.json()
    assert [row["state"] for row in Queries(database_url).switches()] == ["NORMAL"]


def test_a_reset_is_registered_and_a_restart_does_not_take_the_component_for_faulted(
    database_url: str,  # noqa: F811
    living: Living,
) -> None:
    living.tell_orchestrator(ComponentChanged(component=ActorName.FUNDING, state="FAULTED", reason="a test"))
    reset = HALT | {"action": "reset", "scope": "funding"}
    assert give(database_url, living, **reset).status_code == 200
    assert give(database_url, living, **HALT).status_code == 409
    (row,) = [row for row in Queries(database_url).states("orchestrator") if row["key"] == "control"]
    assert row["data"]["components"] == {"funding": "STARTING"}


def test_a_command_whose_answer_was_lost_is_given_again_with_the_id_that_the_answer_names() -> None:
    actors = Actors()
    actors.silent = True
    lost = post(actors, ALLOWED, **HALT)
    assert lost.status_code == 503
    assert "command_id 'c-1'" in lost.json()["error"]
    actors.silent = False
    assert post(actors, ALLOWED, **HALT).status_code == 200
    assert len(actors.calls) == 1, "it was committed: it is not sent a second time"


def test_without_the_register_no_repeat_is_taken_for_new() -> None:
    """Whether the id is free cannot be read: nothing is sent, and the answer does not say that anything was."""
    actors = Actors()
    actors.unreadable = True
    answer = post(actors, ALLOWED, **HALT)
    assert answer.status_code == 503 and "the server is starting" in answer.json()["error"]
    assert actors.calls == []


def test_an_answer_for_people_names_no_class() -> None:
    for actors in (Actors(away=True), None):
        assert "Error" not in post(actors, action="pause", reason="because").json()["error"]


def test_who_paused_is_named_once(database_url: str, living: Living) -> None:  # noqa: F811
    """/health said: PAUSED since ... by alice (alice: pause trend-1: bank holiday)."""
    pause = HALT | {"action": "pause", "scope": "trend-1", "reason": "bank holiday"}
    assert give(database_url, living, **pause).status_code == 200
    (sentence,) = _trading(Queries(database_url).switches())
    assert "PAUSED since 1970-01-01 12:00 UTC by operator (alice) (bank holiday)." in sentence
    assert sentence.count("alice") == 1
    (alert,) = Queries(database_url).alerts()
    assert alert["text"].startswith("operator (alice): bank holiday. ")
    (line,) = Queries(database_url).journal(machine="trend-1")
    assert line["reason"] == "operator (alice): pause trend-1: bank holiday", "the journal's line stands alone"
