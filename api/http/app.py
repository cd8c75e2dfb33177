"""The HTTP interface (IF-4): thin handlers over the operator service, which read and pass on commands, with a token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from api.access.entrance import Entrance
from api.access.scopes import Scope
from api.control import (
    CommandIdTakenError,
    CommandService,
    ControlAnswer,
    ControlRequest,
    ControlUnavailableError,
    Send,
)
from api.http import models, trade_models
from api.http.dashboard import Dashboard, add_dashboard
from api.http.gate import GRANTED, Gate, Judged
from api.http.json_body import NotJsonError, RepeatedKeyError, StrictRoute
from api.http.login.routes import LOGINS, OWN, add_login
from api.http.pages import HEADERS, add_pages
from api.http.reach import OutOfReachError, needs
from api.query_arguments import BadValueError, UnknownNameError
from api.service import DatabaseAwayError, OperatorService
from api.text import shown
from infra.faults import continued
from statemachines.performance.tracker import TOTAL
from statemachines.values import ENGINES, ActorName

OPEN_PATHS = frozenset({"/", "/docs", "/health"})
"""They hold no data and need no token."""

DESCRIPTION = """What the four engines, the risk manager, the order manager and the orchestrator are doing and why.

Money is text (exact decimals), instants are milliseconds UTC, lists come newest first. Every request but `/health`
needs the header `Authorization: Bearer TOKEN` or the cookie of a session (`POST /api/v1/session`); `eternal access add`
makes a token for a person with a scope (read: see everything, control: also give commands, admin: also open Ray's
dashboard and end sessions), and the file `api-token` of the data folder holds the owner's, which is admin. What reaches
further than reading may need the code of a second factor, in the header `X-TOTP-Code`, each code once. A request by
cookie that changes something needs the session's `csrf` value in the header `X-CSRF-Token`.

A list is answered in pages, `{"rows": [...], "next": cursor}`; `before=cursor` asks for the page after, and no row is
lost or repeated between two pages. A refused request is answered with a sentence that names field, value and what is
allowed (404: there is no such thing, 409: a command_id of another command, 422: a wrong value), a database that does
not answer with 503. No request waits for an actor; a command is answered once it is committed."""

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

CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": models.Refusal, "description": "the command_id belongs to another command"}
}

TEXT: dict[str, Any] = {"content": {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "text/html")}}
"""How an answer that is text is documented."""

Before = Annotated[str | None, Query(max_length=400, description="the `next` of the page before; absent: the newest")]
Limit = Annotated[int, Query(description="rows at most, 1 to 1000")]
Engine = Annotated[str | None, Query(description=f"{', '.join(ENGINES[:-1])} or {ENGINES[-1]}")]
Recorded = Annotated[str | None, Query(description=f"{', '.join(ENGINES)} or {TOTAL}")]
Get = Callable[..., Callable[[Any], Any]]


def create_app(
    service: OperatorService,
    judge: Judged,
    send: Send | None = None,
    dashboard: Dashboard | None = None,
    entrance: Entrance | None = None,
    *,
    demands_encryption: bool = False,
) -> FastAPI:
    """The application; `judge` decides about everything but `/health` and the pages at `/` and `/docs`, which hold no
    data.

    `send` carries the operator's commands to living actors, `entrance` begins and ends sessions; without them both are
    refused as unavailable. `demands_encryption`: other machines are answered over TLS alone.
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
    _add_health(app, service)
    add_login(app, entrance, BEARER, REFUSALS)

    def get(tag: str, path: str, summary: str, model: Any) -> Callable[[Any], Any]:
        """A route behind the token; the model is for the documents (tests hold the answers against it)."""
        answer = TEXT if model is str else {"model": model}
        answers: dict[int | str, dict[str, Any]] = {200: {**answer, "description": "the answer"}}
        answers |= REFUSALS
        return app.get(
            path,
            tags=[tag],
            summary=summary,
            dependencies=[Depends(BEARER), needs(Scope.READ), Depends(_demand_known_parameters)],
            response_model=None,
            responses=answers,
        )

    _add_actors(get, service)
    _add_trading(get, service)
    _add_money(get, service)
    _add_happenings(get, service)
    _add_control(app, CommandService(send or _nobody, service))
    add_dashboard(app, [Depends(BEARER), needs(Scope.ADMIN)], dashboard, REFUSALS)

    @app.get("/openapi.json", include_in_schema=False, dependencies=[Depends(BEARER), needs(Scope.READ)])
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
        field, value = shown(first["loc"][-1]), "hidden" if is_secret else shown(first.get("input"))
        why = first["msg"].removeprefix("Value error, ")
        return _refusal(422, f"{field} '{value}' is not allowed; {continued(why)}.", field, value, [])

    @app.exception_handler(DatabaseAwayError)
    async def away(_request: Request, error: DatabaseAwayError) -> JSONResponse:
        return JSONResponse({"error": f"{str(error).rstrip('.')}. Try again; see /health."}, 503)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> JSONResponse:
        path = shown(request.url.path)
        if error.status_code == 404:
            return _refusal(404, f"There is nothing at '{path}'; /docs lists what there is.", "path", path, [])
        sentence = f"{request.method} {path} is refused: {str(error.detail).lower().rstrip('.')}."
        return JSONResponse({"error": sentence}, error.status_code, error.headers)


def _demand_known_parameters(request: Request) -> None:
    """Raises BadValueError for a parameter that does not exist: ignored, `?next=` returned the first page again."""
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    for name, value in request.query_params.items():
        if name not in known:
            has = ", ".join(sorted(known)) or "none"
            raise BadValueError(shown(name), value, hint=f"this path has no such parameter; its parameters: {has}")


def _nobody(_actor: ActorName, _method: str, _arguments: tuple[Any, ...]) -> None:
    raise ControlUnavailableError("This interface only reads; it has no living actors to send a command to.")


def _add_control(app: FastAPI, commands: CommandService) -> None:
    @app.exception_handler(ControlUnavailableError)
    async def unavailable(_request: Request, error: ControlUnavailableError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 503)

    @app.exception_handler(CommandIdTakenError)
    async def taken(_request: Request, error: CommandIdTakenError) -> JSONResponse:
        return _refusal(409, error.sentence, "command_id", error.command_id, [])

    @app.post(
        "/control",
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


def _add_actors(get: Get, service: OperatorService) -> None:
    @get("actors", "/overview", "What the page shows at its top", models.Overview)
    async def overview() -> Any:
        """Health, market, engines and components from one reading of status and database."""
        return await service.overview()

    @get("actors", "/actors", "Every actor and how it is", list[models.Actor])
    async def actors() -> Any:
        """From the orchestrator's supervision and the database; no actor is asked, so a hung one hangs nothing."""
        return await service.actors()

    @get("actors", "/actors/{name}", "One actor with its machines' states", models.ActorDetail)
    async def actor(name: str) -> Any:
        """State and since when, heartbeat, last error, restarts, and the durable state of each of its machines."""
        return await service.actor(name)

    @get("actors", "/actors/{name}/transitions", "Its changes of state", models.Page[models.Transition])
    async def transitions(
        name: str,
        machine: str | None = None,
        machine_table: str | None = None,
        before: Before = None,
        limit: Limit = 100,
    ) -> Any:
        """Each with the reason and the numbers that led to it; of one machine (its key) or one table (`/machines`)."""
        return await service.transitions(name, machine, machine_table, before, limit)

    @get("actors", "/actors/{name}/remarks", "What it decided without a change of state", models.Page[models.Remark])
    async def remarks(name: str, subject: str | None = None, before: Before = None, limit: Limit = 100) -> Any:
        """The treasury's standing, moves and harvests, the regime's closes, the daily figures of an engine, what was
        measured and why nothing was done; of one subject or all."""
        return await service.remarks(name, subject, before, limit)

    @get("machines", "/machines", "Every state machine with its arrows", list[models.Machine])
    async def all_machines() -> Any:
        """The tables as they are in the code, with the specification's Russian names and the rule behind each arrow."""
        return service.machines()

    @get("machines", "/machines/{name}/diagram", "A machine's diagram", str)
    async def diagram(name: str, format: str = "mermaid") -> Response:
        """Mermaid text, or with `format=html` a plain page."""
        text = service.diagram(name, format)
        return HTMLResponse(text) if format == "html" else PlainTextResponse(text)


def _add_trading(get: Get, service: OperatorService) -> None:
    @get("trading", "/orders", "Orders", models.Page[trade_models.Order])
    async def orders(
        engine: Engine = None,
        state: Annotated[str | None, Query(description="a state of EX-1, or OPEN_ANY: any that is no end")] = None,
        symbol: str | None = None,
        before: Before = None,
        limit: Limit = 100,
    ) -> Any:
        """With state, quantity, fills and the reason."""
        return await service.orders(engine, state, symbol, before, limit)

    @get("trading", "/orders/{client_order_id}/chain", "Why this order exists", list[trade_models.ChainLink])
    async def chain(client_order_id: str) -> Any:
        """From the bar or settlement that caused it, decision by decision, to the order (P3)."""
        return await service.order_chain(client_order_id)

    @get("trading", "/executions", "Fills", models.Page[trade_models.Execution])
    async def executions(
        engine: Engine = None, client_order_id: str | None = None, before: Before = None, limit: Limit = 100
    ) -> Any:
        """As the exchange reported them, with fee and realised profit."""
        return await service.executions(engine, client_order_id, before, limit)

    @get("trading", "/positions", "Derivative positions", list[trade_models.Position])
    async def positions() -> Any:
        """Those that are not flat."""
        return await service.positions()


def _add_money(get: Get, service: OperatorService) -> None:
    @get("money", "/portfolio", "Equity of the whole and of each account", trade_models.Portfolio)
    async def portfolio() -> Any:
        """As the risk manager computed it last."""
        return await service.portfolio()

    @get("money", "/ledger", "The double-entry ledger", trade_models.Ledger)
    async def ledger(
        account: str | None = None, kind: str | None = None, before: Before = None, limit: Limit = 50
    ) -> Any:
        """Trial balance, balances and a page of postings (OR-6)."""
        return await service.ledger(account, kind, before, limit)

    @get("money", "/transfers", "Movements between accounts", models.Page[trade_models.Transfer])
    async def transfers(before: Before = None, limit: Limit = 100) -> Any:
        """Each recorded, idempotent and booked (OR-6)."""
        return await service.transfers(before, limit)


def _add_happenings(get: Get, service: OperatorService) -> None:
    @get("history", "/events", "Messages between the actors", models.Page[trade_models.Event])
    async def events(
        kind: str | None = None,
        trace: Annotated[str | None, Query(description="all that one bar or settlement has led to")] = None,
        before: Before = None,
        limit: Limit = 100,
    ) -> Any:
        """`/orders/{client_order_id}/chain` leads from an order to its bar."""
        return await service.events(kind, trace, before, limit)

    @get("history", "/alerts", "What the operator should know", models.Page[trade_models.Alert])
    async def alerts(before: Before = None, limit: Limit = 100) -> Any:
        """What happened, what the system did, what action is required."""
        return await service.alerts(before, limit)

    @get("history", "/summaries", "Daily summaries", models.Page[trade_models.Summary])
    async def summaries(before: Before = None, limit: Limit = 100) -> Any:
        """One per market day (OR-3)."""
        return await service.summaries(before, limit)

    @get("history", "/equity", "Equity by day", models.Page[trade_models.PerformanceDay])
    async def equity(engine: Recorded = None, before: Before = None, limit: Limit = 100) -> Any:
        """Equity, flows, return and costs of every engine and of the whole, one row per market day (P4)."""
        return await service.equity(engine, before, limit)

    @get("history", "/performance", "Rolling figures", list[trade_models.EnginePerformance])
    async def performance() -> Any:
        """Return, risk, costs and yields of every engine and of the whole over the newest 7, 30, 90 and 365 days and
        over all (P4)."""
        return await service.performance()

    @get("history", "/discrepancies", "Books against exchange", models.Page[trade_models.Discrepancy])
    async def discrepancies(before: Before = None, limit: Limit = 100) -> Any:
        """What reconciliation has found (OR-9)."""
        return await service.discrepancies(before, limit)

    @get("history", "/switch-trips", "Automatic switches", models.Page[trade_models.SwitchTrip])
    async def switch_trips(before: Before = None, limit: Limit = 100) -> Any:
        """Automatic switches that have tripped, newest first, each with the readings that tripped it (RM-4)."""
        return await service.switch_trips(before, limit)

    @get("history", "/control/history", "What was commanded", models.Page[trade_models.OperatorCommandRow])
    async def commands(before: Before = None, limit: Limit = 100) -> Any:
        """Every command of the operator, and of an actor in his place: who, when and why (RM-5). Kept for good."""
        return await service.operator_commands(before, limit)

    @get("history", "/policies", "Versions of the policy", trade_models.Policies)
    async def policies() -> Any:
        """Limits, weights and parameters: the newest 50 versions, and the version in force at every actor (RM-6)."""
        return await service.policies()

    @get("history", "/switches", "Control states in force", list[trade_models.Switch])
    async def switches() -> Any:
        """GLOBAL and per engine; without a row everything is NORMAL (RM-2, RM-5)."""
        return await service.switches()
