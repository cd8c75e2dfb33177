"""The HTTP interface (IF-4): thin handlers over the operator service, which read and pass on commands, with a token."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.access.entrance import Entrance
from api.access.scopes import Scope
from api.acknowledging import AcknowledgeAnswer, AcknowledgeRequest, AcknowledgeService
from api.backtests.desk import BacktestDesk
from api.control import (
    CommandIdTakenError,
    CommandService,
    ControlAnswer,
    ControlRequest,
    ControlUnavailableError,
    Send,
)
from api.http import models
from api.http.console import add_console, asset_paths
from api.http.dashboard import Dashboard, add_dashboard
from api.http.gate import GRANTED, Gate, Judged
from api.http.json_body import NotJsonError, RepeatedKeyError, StrictRoute
from api.http.login.routes import LOGINS, OWN, add_login
from api.http.pages import HEADERS, add_pages
from api.http.reach import OutOfReachError, needs
from api.http.routes import actors, backtests, history, money, notifications, stream, trading
from api.http.routes.common import BEARER, PREFIX, REFUSALS, Routes
from api.policy_changes import Place as PolicyPlace
from api.policy_changes import PolicyAnswer, PolicyChanges, PolicyOrdered, PolicySetting, PolicyTrial, PolicyWanted
from api.service import OperatorService
from api.stream.events import Streams, TooManyStreamsError
from api.text import shown
from api.views.arguments import BadValueError, UnknownNameError
from api.views.reading import DatabaseAwayError
from infra.database.registers import PolicyChangedError
from infra.faults import continued
from statemachines.values import ActorName

OPEN_PATHS = frozenset({"/", "/docs", "/health"}) | asset_paths()
"""They hold no data and need no token."""

DESCRIPTION = """What the four engines, the risk manager, the order manager and the orchestrator are doing and why.

Money is text (exact decimals), instants are milliseconds UTC, lists come newest first. Every request but `/health`
needs the header `Authorization: Bearer TOKEN` or the cookie of a session (`POST /api/v1/session`); `eternal access add`
makes a token for a person with a scope (read: see everything, control: also give commands, admin: also open Ray's
dashboard and end sessions), and the file `api-token` of the data folder holds the owner's, which is admin. What reaches
further than reading may need the code of a second factor, in the header `X-TOTP-Code`, each code once. A request by
cookie that changes something needs the session's `csrf` value in the header `X-CSRF-Token`.

A list is answered in pages, `{"rows": [...], "next": cursor}`; `before=cursor` asks for the page after, and no row is
lost or repeated between two pages. `from` and `to` cut a list by market time. What stands below `/api/v1` keeps its
meaning: fields and parameters are added, none is renamed or removed.

A refused request is answered with a sentence that names field, value and what is allowed (404: there is no such thing,
409: a command_id of another command, 422: a wrong value), a database that does not answer with 503. No request waits
for an actor; a command is answered once it is committed."""

CHANGED: dict[int | str, dict[str, Any]] = {
    409: {"model": models.Refusal, "description": "another version was recorded meanwhile; nothing was"}
}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": models.Refusal, "description": "the command_id belongs to another command"}
}


def create_app(
    service: OperatorService,
    judge: Judged,
    send: Send | None = None,
    dashboard: Dashboard | None = None,
    streams: Streams | None = None,
    entrance: Entrance | None = None,
    *,
    policies: PolicyPlace | None = None,
    desk: BacktestDesk | None = None,
    demands_encryption: bool = False,
) -> FastAPI:
    """The application; `judge` decides about everything but `/health` and the pages at `/` and `/docs`, which hold no
    data.

    `send` carries the operator's commands to living actors, `entrance` begins and ends sessions; without them both are
    refused as unavailable, and so are changes of the policy without `policies` and backtests without `desk`.
    `demands_encryption`: other machines are answered over TLS alone.
    """

    app = FastAPI(
        title="Eternal Engine", version="1", description=DESCRIPTION, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.router.route_class = StrictRoute
    app.add_middleware(
        Gate,
        judge=judge,
        open_paths=OPEN_PATHS,
        headers=HEADERS,
        logins=LOGINS,
        demands_encryption=demands_encryption,
    )
    _add_errors(app)
    add_pages(app)
    add_console(app)
    _add_health(app, service)
    add_login(app, entrance)

    routes = Routes(app.router)
    for part in (actors, trading, money, history, notifications):
        part.add(routes, service)
    stream.add(routes, streams or Streams(service))
    backtests.add(app, routes, desk or BacktestDesk(None))
    _add_control(app.router, CommandService(send or _nobody, service))
    _add_acknowledging(app.router, AcknowledgeService(send or _nobody, service))
    _add_policies(app.router, PolicyChanges(policies, send or _nobody))
    add_dashboard(app.router, [Depends(BEARER), needs(Scope.ADMIN)], dashboard, REFUSALS)

    @app.get(f"{PREFIX}/openapi.json", include_in_schema=False, dependencies=[Depends(BEARER), needs(Scope.READ)])
    async def description() -> JSONResponse:
        return JSONResponse(app.openapi())

    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(NotJsonError)
    async def not_json(_request: Request, error: NotJsonError) -> JSONResponse:
        return JSONResponse({"error": error.detail}, 400)

    @app.exception_handler(OutOfReachError)
    async def out_of_reach(_request: Request, error: OutOfReachError) -> JSONResponse:
        return _refusal(403, error.sentence, "scope", error.value, error.allowed)

    @app.exception_handler(RepeatedKeyError)
    async def repeated(_request: Request, error: RepeatedKeyError) -> JSONResponse:
        return _refusal(422, error.detail, error.key, error.key, [])

    @app.exception_handler(UnknownNameError)
    async def unknown(_request: Request, error: UnknownNameError) -> JSONResponse:
        return _refusal(404, error.sentence, error.field, error.value, error.allowed)

    @app.exception_handler(BadValueError)
    async def bad(_request: Request, error: BadValueError) -> JSONResponse:
        return _refusal(422, error.sentence, error.field, error.value, error.allowed)

    @app.exception_handler(RequestValidationError)
    async def wrong_type(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        is_secret = request.url.path.startswith(OWN)
        named = [str(one) for one in first["loc"][1:]] or [str(first["loc"][-1])]
        field, value = shown(".".join(named)), "hidden" if is_secret else shown(first.get("input"))
        why = first["msg"].removeprefix("Value error, ")
        return _refusal(422, f"{field} '{value}' is not allowed; {continued(why)}.", field, value, [])

    @app.exception_handler(DatabaseAwayError)
    async def away(_request: Request, error: DatabaseAwayError) -> JSONResponse:
        return JSONResponse({"error": f"{str(error).rstrip('.')}. Try again; see /health."}, 503)

    @app.exception_handler(ControlUnavailableError)
    async def unavailable(_request: Request, error: ControlUnavailableError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 503)

    @app.exception_handler(TooManyStreamsError)
    async def too_many(_request: Request, error: TooManyStreamsError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 503)

    @app.exception_handler(PolicyChangedError)
    async def changed(_request: Request, error: PolicyChangedError) -> JSONResponse:
        return _refusal(409, str(error), "after", "", [])

    @app.exception_handler(CommandIdTakenError)
    async def taken(_request: Request, error: CommandIdTakenError) -> JSONResponse:
        return _refusal(409, error.sentence, "command_id", error.command_id, [])

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> JSONResponse:
        path = shown(request.url.path)
        if error.status_code == 404:
            return _refusal(404, f"There is nothing at '{path}'; /docs lists what there is.", "path", path, [])
        sentence = f"{request.method} {path} is refused: {str(error.detail).lower().rstrip('.')}."
        return JSONResponse({"error": sentence}, error.status_code, error.headers)


def _nobody(_actor: ActorName, _method: str, _arguments: tuple[Any, ...]) -> None:
    raise ControlUnavailableError("This interface only reads; it has no living actors to send a command to.")


def _add_control(router: APIRouter, commands: CommandService) -> None:
    @router.post(
        f"{PREFIX}/control",
        tags=["control"],
        summary="Pause, resume, reduce only, halt, flatten, back to normal; or try a FAULTED component again",
        dependencies=[Depends(BEARER), needs(Scope.CONTROL)],
        responses=REFUSALS | CONFLICT,
    )
    def control(request: ControlRequest, received: Request) -> ControlAnswer:
        """RM-5, OR-8: the command is checked, committed, carried out once per `command_id` and journalled with who and
        why; the answer comes once it is committed. Nothing that reduces risk is ever blocked by it. Who gave it is the
        holder of the credential; `who` is only noted behind that name."""
        return commands.carry_out(request, received.scope[GRANTED].person)


AlertId = Annotated[str, Path(max_length=200, description="as `GET /api/v1/alerts` lists it")]


def _add_acknowledging(router: APIRouter, alerts: AcknowledgeService) -> None:
    @router.post(
        f"{PREFIX}/alerts/{{alert_id}}/acknowledge",
        tags=["control"],
        summary="A person has seen the alert and acts on it",
        dependencies=[Depends(BEARER), needs(Scope.CONTROL)],
        responses=REFUSALS,
    )
    def acknowledge(
        alert_id: AlertId, received: Request, request: AcknowledgeRequest | None = None
    ) -> AcknowledgeAnswer:
        """It is committed with who and when, is in the register of commands, and the alert is no longer repeated over
        any channel. Who did it is the holder of the credential. The first acknowledgement of an alert stands: a repeat
        changes nothing and is answered with it."""
        return alerts.acknowledge(alert_id, request or AcknowledgeRequest(), received.scope[GRANTED].person)


def _add_policies(router: APIRouter, changes: PolicyChanges) -> None:
    @router.get(
        f"{PREFIX}/policies/settings",
        tags=["installation"],
        summary="Settings that a change of the policy may name",
        dependencies=[Depends(BEARER), needs(Scope.READ)],
        responses=REFUSALS,
    )
    def settings() -> list[PolicySetting]:
        """RM-6: each with its value in the newest version, its unit, what is allowed and what it means."""
        return changes.settings()

    @router.post(
        f"{PREFIX}/policies/trial",
        tags=["control"],
        summary="What a change of the policy would do now",
        dependencies=[Depends(BEARER), needs(Scope.CONTROL)],
        responses=REFUSALS,
    )
    def trial(wanted: PolicyWanted) -> PolicyTrial:
        """RM-6: the settings that differ, the orders that it would refuse, the capital that a daily close would move,
        the actors that could not apply it. Nothing is recorded."""
        return changes.trial(wanted)

    @router.post(
        f"{PREFIX}/policies",
        tags=["control"],
        summary="Record a version of the policy",
        dependencies=[Depends(BEARER), needs(Scope.ADMIN)],
        responses=REFUSALS | CHANGED,
    )
    def record(ordered: PolicyOrdered, received: Request) -> PolicyAnswer:
        """RM-6: validated like the configuration, appended with who and why, taken by every actor between two cycles.
        Nothing that is recorded is ever removed; an earlier version comes back as a new one."""
        return changes.record(ordered, received.scope[GRANTED].person)


def _refusal(status: int, sentence: str, field: str, value: str, allowed: list[str]) -> JSONResponse:
    return JSONResponse({"error": sentence, "field": field, "value": value, "allowed": allowed}, status)


def _add_health(app: FastAPI, service: OperatorService) -> None:
    @app.get(
        "/health",
        tags=["health"],
        summary="Is all well?",
        response_model=None,
        responses={
            200: {"model": models.Health, "description": "all is well"},
            503: {"model": models.Health, "description": "something is stale or down; the reasons say what"},
        },
    )
    async def health() -> JSONResponse:
        """200 when everything runs and nothing is stale, else 503 with the reasons. Needs no token."""
        verdict = await service.health()
        return JSONResponse(verdict, 200 if verdict["ok"] else 503)
