"""What all routes share: the prefix of this version, parameters with their bounds, refusals, the token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.security import HTTPBearer

from api.access.scopes import Scope
from api.http import models
from api.http.reach import needs
from api.text import shown
from api.views.arguments import MAX_INSTANT, BadValueError
from api.views.reading import PageRequest
from infra.database.reading.paging import MAX_ROWS
from statemachines.performance.tracker import TOTAL
from statemachines.values import ENGINES

PREFIX = "/api/v1"
"""What stands below it keeps its meaning: fields and parameters are added, none is renamed or removed."""

BEARER = HTTPBearer(auto_error=False, description="The token of a credential.")
"""For the documents; `Gate` judges."""

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": models.Refusal, "description": why}
    for status, why in {
        400: "the body is not JSON",
        401: "the credential is missing or wrong, expired or revoked, or its session has ended",
        403: "the credential's scope does not reach so far, a code is needed, or X-CSRF-Token is missing",
        404: "there is no such thing",
        405: "the path does not take this method",
        408: "the body did not arrive in time",
        413: "the body is too large",
        422: "a value is not allowed",
        429: "too many requests with this credential, or wrong tokens from this address; Retry-After says when to come",
        503: "the database or an actor does not answer now; try again",
    }.items()
}

TEXT: dict[str, Any] = {"content": {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "text/html")}}
"""How an answer that is text is documented."""

_ENGINES = [str(engine) for engine in ENGINES]
_INSTANT = "milliseconds UTC, or an instant in ISO 8601 such as 2025-01-31 or 2025-01-31T12:00:00Z; market time"

Before = Annotated[str | None, Query(max_length=400, description="the `next` of the page before; absent: the newest")]
Limit = Annotated[
    int, Query(description="rows at most, 1 to 1000", json_schema_extra={"minimum": 1, "maximum": MAX_ROWS})
]
Engine = Annotated[str | None, Query(description="an engine; absent: all", json_schema_extra={"enum": _ENGINES})]
Recorded = Annotated[
    str | None, Query(description="an engine, or total; absent: all", json_schema_extra={"enum": [*_ENGINES, TOTAL]})
]
Symbol = Annotated[str | None, Query(max_length=200, description="such as BTCUSDT; absent: all")]
From = Annotated[
    str | None, Query(alias="from", max_length=MAX_INSTANT, description=f"not earlier than this: {_INSTANT}")
]
Until = Annotated[str | None, Query(alias="to", max_length=MAX_INSTANT, description=f"earlier than this: {_INSTANT}")]


def _page_request(before: Before = None, limit: Limit = 100, since: From = None, until: Until = None) -> PageRequest:
    return PageRequest(before, limit, since, until)


Asked = Annotated[PageRequest, Depends(_page_request)]
"""The part of a list: `before`, `limit`, `from`, `to`."""


class Routes:
    """Adds the routes of this version, each behind the credential and its scope."""

    def __init__(self, router: APIRouter) -> None:
        self.router = router

    def get(self, tag: str, path: str, summary: str, model: Any) -> Callable[[Any], Any]:
        """A route that reads; the model is for the documents (tests hold the answers against it)."""
        answer = TEXT if model is str else {"model": model}
        return self.reading(tag, path, summary, answer)

    def reading(self, tag: str, path: str, summary: str, answer: dict[str, Any]) -> Callable[[Any], Any]:
        """A route that reads, with the documentation of its answer."""
        answers: dict[int | str, dict[str, Any]] = {200: {**answer, "description": "the answer"}}
        return self.router.get(
            PREFIX + path,
            tags=[tag],
            summary=summary,
            dependencies=[Depends(BEARER), needs(Scope.READ), Depends(_demand_known_parameters)],
            response_model=None,
            responses=answers | REFUSALS,
        )


def _demand_known_parameters(request: Request) -> None:
    """Raises BadValueError for a parameter that does not exist: ignored, `?next=` returned the first page again."""
    known = set(_parameters(request.scope["route"].dependant))
    for name, value in request.query_params.items():
        if name not in known:
            has = ", ".join(sorted(known)) or "none"
            raise BadValueError(shown(name), value, hint=f"this path has no such parameter; its parameters: {has}")


def _parameters(dependant: Dependant) -> Iterator[str]:
    """The names of the query parameters of a route and of what it depends on."""
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _parameters(inner)
