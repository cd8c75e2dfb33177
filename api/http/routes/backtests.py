"""Backtests: start one, its progress and figures, the report, a comparison. They run in processes of their own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse

from api.access.scopes import Scope
from api.backtests.desk import BacktestConflictError, BacktestDesk, BacktestsUnavailableError
from api.backtests.models import (
    Backtest,
    BacktestComparison,
    BacktestDetail,
    BacktestOptions,
    BacktestRemoved,
)
from api.backtests.wanted import BacktestWanted
from api.http import models
from api.http.gate import GRANTED
from api.http.pages import report_policy
from api.http.reach import needs
from api.http.routes.common import BEARER, PREFIX, REFUSALS, Before, Limit, Routes
from statemachines.backtests.run import RunState

RunId = Annotated[str, Path(max_length=64, description="as `GET /api/v1/backtests` lists it")]
State = Annotated[
    str | None, Query(description="absent: all", json_schema_extra={"enum": [one.value for one in RunState]})
]
Compare = Annotated[
    str,
    Query(
        max_length=200,
        description="2 to 4 ids of runs, separated by commas",
        examples=["20250131-120000-000000,20250131-121500-000000"],
    ),
]
PAGE: dict[str, Any] = {"content": {"text/html": {"schema": {"type": "string"}}}}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": models.Refusal, "description": "the state of the run, or the number of runs, does not allow it"}
}


def add(app: FastAPI, routes: Routes, desk: BacktestDesk) -> None:
    """Add them, and the answers to their errors."""
    _add_errors(app)
    _add_reading(routes, desk)
    _add_changing(routes, desk)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(BacktestConflictError)
    async def conflict(_request: Request, error: BacktestConflictError) -> JSONResponse:
        found = {"error": str(error), "field": error.field, "value": error.value, "allowed": error.allowed}
        return JSONResponse(found, 409)

    @app.exception_handler(BacktestsUnavailableError)
    async def unavailable(_request: Request, error: BacktestsUnavailableError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 503)


def _add_reading(routes: Routes, desk: BacktestDesk) -> None:
    @routes.get("backtests", "/backtests", "Backtests, newest first", models.Page[Backtest])
    def backtests(before: Before = None, limit: Limit = 100, state: State = None) -> Any:
        """Those that wait, run and have ended, with their progress and the figures that matter most."""
        return JSONResponse(desk.page(before, limit, state))

    @routes.get("backtests", "/backtests/options", "What a backtest can be asked for", BacktestOptions)
    def backtest_options() -> Any:
        """Price history, defaults, engines, and whether another run can be taken now."""
        return _answer(desk.options())

    @routes.get("backtests", "/backtests/compare", "Backtests side by side", BacktestComparison)
    def compare_backtests(runs: Compare) -> Any:
        """The figures and the equity curves of two to four runs that have a report."""
        return _answer(desk.compare(runs))

    @routes.get("backtests", "/backtests/{run_id}", "One backtest", Backtest)
    def backtest(run_id: RunId) -> Any:
        """Where it is and what was asked for."""
        return _answer(desk.one(run_id))

    @routes.get("backtests", "/backtests/{run_id}/figures", "The figures of a backtest", BacktestDetail)
    def backtest_figures(run_id: RunId) -> Any:
        """Of the whole and by engine, with the equity curve. A run without a report has none (404)."""
        return _answer(desk.detail(run_id))

    @routes.reading("backtests", "/backtests/{run_id}/report", "The report of a backtest", PAGE)
    def backtest_report(run_id: RunId) -> HTMLResponse:
        """A page that works offline. A browser runs only the scripts that it was written with, in a sandbox of its own
        origin: it can send nothing, and reach neither cookie nor interface."""
        html = desk.report(run_id)
        return HTMLResponse(html, headers={"Content-Security-Policy": report_policy(html)})


def _add_changing(routes: Routes, desk: BacktestDesk) -> None:
    router, control = routes.router, [Depends(BEARER), needs(Scope.CONTROL)]

    @router.post(
        f"{PREFIX}/backtests",
        tags=["backtests"],
        summary="Start a backtest",
        dependencies=control,
        responses=REFUSALS | CONFLICT,
    )
    def start_backtest(wanted: BacktestWanted, received: Request) -> Backtest:
        """It runs as `eternal backtest` in a process of its own, of the lowest priority, one at a time; until its turn
        it waits. It uses the policy in force with the settings that were asked for, and trades with nothing real."""
        return desk.start(wanted, received.scope[GRANTED].person)

    @router.post(
        f"{PREFIX}/backtests/{{run_id}}/cancel",
        tags=["backtests"],
        summary="Cancel a backtest",
        dependencies=control,
        responses=REFUSALS | CONFLICT,
    )
    def cancel_backtest(run_id: RunId, received: Request) -> Backtest:
        """One that runs ends after the day under way and leaves the report of what it has run. A repeat changes
        nothing."""
        return desk.cancel(run_id, received.scope[GRANTED].person)

    @router.delete(
        f"{PREFIX}/backtests/{{run_id}}",
        tags=["backtests"],
        summary="Remove a backtest that has ended",
        dependencies=control,
        responses=REFUSALS | CONFLICT,
    )
    def remove_backtest(run_id: RunId) -> BacktestRemoved:
        """With its report; it cannot be brought back, and can be run again."""
        return desk.remove(run_id)


def _answer(found: Any) -> JSONResponse:
    return JSONResponse(found.model_dump(mode="json"))
