"""The whole interface against its own description (IF-4), by schemathesis: with and without a token every answer is a
documented one, as documented, and none is a 5xx but the documented 503."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup

from api.access.entrance import Clocks, open_access
from api.access.register import REGISTER, AccessRegister
from api.access.state import STATE, state_file
from api.backtests.folder import Runs
from api.control import ControlUnavailableError, Send
from api.http.app import create_app
from api.http.login.routes import LOGINS
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.stream.events import Streams
from api.tokens import Token
from infra.database.queries import Queries
from infra.database.server.embedded import EmbeddedPostgres
from statemachines.values import ActorName
from tests.api.backtests.made import desk_on, done
from tests.api.records import register_command, write_history
from tests.api.test_http import STATUS
from tests.database import fresh_database, postgres_server  # noqa: F401 - a fixture

TOKEN = "the-token-of-this-test"
EXAMPLES = 12
load_all_checks()
JUDGED: list[Any] = CHECKS.get_by_names(
    ["status_code_conformance", "content_type_conformance", "response_schema_conformance", "ignored_auth"]
)
"""`not_a_server_error` would refuse the documented 503: the status is looked at below."""


def actors(url: str) -> Send:
    """Actors that take every command but those for everything."""

    def take(_actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
        if "GLOBAL" in str(arguments):
            raise ControlUnavailableError("There is no risk-manager just now; it is being restarted.")
        register_command(url, method, arguments)

    return take


@pytest.fixture(scope="module")
def app(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:  # noqa: F811
    folder = tmp_path_factory.mktemp("access")
    unhurried = Clocks(clock_s=itertools.count(0.0, 1_000.0).__next__)  # nothing is slowed
    access = open_access(
        Token(TOKEN), AccessRegister(folder / REGISTER), state_file(folder / STATE), clocks=unhurried, burst=1_000_000
    )
    with fresh_database(postgres_server) as url:
        write_history(url)
        service = OperatorService(Queries(url), SnapshotCache(lambda: STATUS), lambda: "synthetic", True)
        streams = Streams(service, life_s=0.0)
        done(Runs(folder / "backtests"))
        yield create_app(
            service,
            access.judge.judge,
            actors(url),
            streams=streams,
            entrance=access.entrance,
            desk=desk_on(folder / "backtests"),
        )
        service.close()


@pytest.fixture(scope="module")
def described(app: FastAPI) -> Any:
    """The description as the interface itself gives it, with the token."""
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=HEADERS)


HEADERS: dict[str, str] = {"Authorization": f"Bearer {TOKEN}"}


def for_every_operation(described: Any, check: Callable[[Case[Any]], None]) -> int:
    """Run the check on generated cases of every operation; returns how many operations there are."""
    count = 0
    for result in described.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )
        @given(operation.as_strategy())
        def judged(case: Case[Any]) -> None:
            check(case)

        judged()
        count += 1
    return count


def test_with_the_token_every_answer_is_as_documented(described: Any) -> None:
    statuses: Counter[int] = Counter()

    def check(case: Case[Any]) -> None:
        response = case.call(headers=HEADERS)
        statuses[response.status_code] += 1
        assert response.status_code < 500 or response.status_code == 503, response.text
        case.validate_response(response, checks=JUDGED, headers=HEADERS)

    assert for_every_operation(described, check) >= 19
    assert {200, 404, 422, 503} <= set(statuses), "cases that reach nothing prove nothing"


def test_without_the_token_every_answer_is_a_refusal(described: Any) -> None:
    def check(case: Case[Any]) -> None:
        response = case.call(headers={"Authorization": "Bearer of-a-stranger"})
        expected: tuple[int, ...] = (200, 503) if case.path == "/health" else (401, 429)
        if (case.method.upper(), case.path) in LOGINS:
            expected = (401, 403, 422, 429, 503)  # it is judged by what stands in its body
        assert response.status_code in expected, response.text

    assert for_every_operation(described, check) >= 19


def test_an_undocumented_answer_is_noticed(described: Any) -> None:
    """The planted defect: a status that the description does not have."""
    operation = described["/api/v1/switches"]["GET"]
    response = operation.Case().call(headers=HEADERS)
    response.status_code = 418
    with pytest.raises(FailureGroup):
        operation.Case().validate_response(response, checks=JUDGED, headers=HEADERS)
