"""The HTTP interface (IF-4): thin handlers over the operator service; reading only, with a token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.asking import BadValueError, UnknownNameError
from api.service import DatabaseAwayError, OperatorService
from api.tokens import Token

Row = dict[str, Any]
PAGE = Path(__file__).parent / "static" / "index.html"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

DESCRIPTION = """What the four engines, the risk manager, the order manager and the orchestrator are doing and why.

Money is text (exact decimals), instants are milliseconds UTC, lists come newest first. Every request but `/health`
needs the header `Authorization: Bearer TOKEN`; the token is in the file `api-token` of the data folder."""

BEARER = HTTPBearer(auto_error=False, description="The token in the file api-token of the data folder.")

Before = Annotated[int | None, Query(description="go on after this row: its own key, from the page before")]
Limit = Annotated[int, Query(description="rows at most, 1 to 1000")]


class _NotAllowedError(Exception):
    """The token is missing or wrong."""


def create_app(service: OperatorService, token: Token) -> FastAPI:
    """The application; `token` opens everything but `/health` and the empty page at `/`."""

    async def allowed(given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> None:
        if given is None or not token.matches(given.credentials):
            raise _NotAllowedError

    app = FastAPI(title="Eternal Engine", version="1", description=DESCRIPTION, redoc_url=None)
    _add_errors(app)
    _add_open(app, service)
    reading = [Depends(allowed)]
    _add_actors(app, service, reading)
    _add_trading(app, service, reading)
    _add_happenings(app, service, reading)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(UnknownNameError)
    async def unknown(_request: Request, error: UnknownNameError) -> JSONResponse:
        return _refusal(404, error.sentence, error.field, error.value, error.allowed)

    @app.exception_handler(BadValueError)
    async def bad(_request: Request, error: BadValueError) -> JSONResponse:
        return _refusal(422, error.sentence, error.field, error.value, error.allowed)

    @app.exception_handler(DatabaseAwayError)
    async def away(_request: Request, error: DatabaseAwayError) -> JSONResponse:
        return JSONResponse({"error": f"{str(error).rstrip('.')}. Try again; see /health."}, 503)

    @app.exception_handler(_NotAllowedError)
    async def refused(_request: Request, _error: _NotAllowedError) -> JSONResponse:
        text = (
            "The header 'Authorization: Bearer TOKEN' is missing or wrong; the token is in the data folder's api-token."
        )
        return JSONResponse({"error": text}, 401, {"WWW-Authenticate": "Bearer"})

    @app.middleware("http")
    async def headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def _refusal(status: int, sentence: str, field: str, value: str, allowed: list[str]) -> JSONResponse:
    return JSONResponse({"error": sentence, "field": field, "value": value, "allowed": allowed}, status)


def _add_open(app: FastAPI, service: OperatorService) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE, media_type="text/html")

    @app.get("/health", tags=["health"], summary="Is all well?")
    async def health() -> JSONResponse:
        """200 when everything runs and nothing is stale, else 503 with the reasons. Needs no token."""
        verdict = await service.health()
        return JSONResponse(verdict, 200 if verdict["ok"] else 503)


def _add_actors(app: FastAPI, service: OperatorService, reading: list[Any]) -> None:
    @app.get("/overview", tags=["actors"], dependencies=reading, summary="What the page shows at its top")
    async def overview() -> Row:
        return await service.overview()

    @app.get("/actors", tags=["actors"], dependencies=reading, summary="Every actor and how it is")
    async def actors() -> list[Row]:
        return await service.actors()

    @app.get("/actors/{name}", tags=["actors"], dependencies=reading, summary="One actor with its machines' states")
    async def actor(name: str) -> Row:
        return await service.actor(name)

    @app.get("/actors/{name}/transitions", tags=["actors"], dependencies=reading, summary="Its changes of state")
    async def transitions(
        name: str, machine: str | None = None, before: Before = None, limit: Limit = 100
    ) -> list[Row]:
        """Each with the reason and the numbers that led to it."""
        return await service.transitions(name, machine, before, limit)

    @app.get("/machines", tags=["machines"], dependencies=reading, summary="Every state machine with its arrows")
    async def all_machines() -> list[Row]:
        return service.machines()

    @app.get("/machines/{name}/diagram", tags=["machines"], dependencies=reading, summary="A machine's diagram")
    async def diagram(name: str, format: str = "mermaid") -> Response:
        """Mermaid text, or with `format=html` a plain page."""
        text = service.diagram(name, format)
        return HTMLResponse(text) if format == "html" else PlainTextResponse(text)


def _add_trading(app: FastAPI, service: OperatorService, reading: list[Any]) -> None:
    @app.get("/orders", tags=["trading"], dependencies=reading, summary="Orders")
    async def orders(
        engine: str | None = None,
        state: str | None = None,
        symbol: str | None = None,
        before: Before = None,
        limit: Limit = 100,
    ) -> list[Row]:
        """`state=OPEN_ANY` means every state that is not an end."""
        return await service.orders(engine, state, symbol, before, limit)

    @app.get("/orders/{link_id}/chain", tags=["trading"], dependencies=reading, summary="Why this order exists")
    async def chain(link_id: str) -> list[Row]:
        """From the bar or settlement that caused it, decision by decision, to the order."""
        return await service.order_chain(link_id)

    @app.get("/executions", tags=["trading"], dependencies=reading, summary="Fills")
    async def executions(
        engine: str | None = None, link_id: str | None = None, before: Before = None, limit: Limit = 100
    ) -> list[Row]:
        return await service.executions(engine, link_id, before, limit)

    @app.get("/positions", tags=["trading"], dependencies=reading, summary="Derivative positions")
    async def positions() -> list[Row]:
        return await service.positions()

    @app.get("/portfolio", tags=["money"], dependencies=reading, summary="Equity of the whole and of each engine")
    async def portfolio() -> Row:
        return await service.portfolio()

    @app.get("/ledger", tags=["money"], dependencies=reading, summary="The double-entry ledger")
    async def ledger(
        account: str | None = None, kind: str | None = None, before: Before = None, limit: Limit = 50
    ) -> Row:
        """Trial balance, balances and the newest postings."""
        return await service.ledger(account, kind, before, limit)

    @app.get("/transfers", tags=["money"], dependencies=reading, summary="Movements between accounts")
    async def transfers(before: Before = None, limit: Limit = 100) -> list[Row]:
        return await service.transfers(before, limit)


def _add_happenings(app: FastAPI, service: OperatorService, reading: list[Any]) -> None:
    @app.get("/events", tags=["history"], dependencies=reading, summary="Messages between the actors")
    async def events(
        kind: str | None = None, trace: str | None = None, before: Before = None, limit: Limit = 100
    ) -> list[Row]:
        """`trace` gives everything that one bar or settlement has led to."""
        return await service.events(kind, trace, before, limit)

    @app.get("/alerts", tags=["history"], dependencies=reading, summary="What the operator should know")
    async def alerts(before: Before = None, limit: Limit = 100) -> list[Row]:
        return await service.alerts(before, limit)

    @app.get("/summaries", tags=["history"], dependencies=reading, summary="Daily summaries")
    async def summaries(before: Before = None, limit: Limit = 100) -> list[Row]:
        return await service.summaries(before, limit)

    @app.get("/discrepancies", tags=["history"], dependencies=reading, summary="Books against exchange")
    async def discrepancies(before: Before = None, limit: Limit = 100) -> list[Row]:
        return await service.discrepancies(before, limit)

    @app.get("/switches", tags=["history"], dependencies=reading, summary="Control states in force")
    async def switches() -> list[Row]:
        return await service.switches()
