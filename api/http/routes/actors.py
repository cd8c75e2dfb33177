"""Actors, what they decided, and the machines that they are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from api.http import models
from api.http.routes.common import Asked, Routes
from api.machines import MACHINES
from api.service import OperatorService
from api.views.arguments import one_of
from api.views.lists import ACTORS, ENGINE_NAMES
from infra.database.reading.decisions import Sought

Table = Annotated[
    str | None,
    Query(description="a machine of `/api/v1/machines`; absent: all", json_schema_extra={"enum": list(MACHINES)}),
]
Machine = Annotated[str | None, Query(max_length=200, description="a machine's key or a remark's subject, such as BTC")]
Actor = Annotated[str | None, Query(description="an actor; absent: all", json_schema_extra={"enum": list(ACTORS)})]
Name = Annotated[str, Path(description="an actor", json_schema_extra={"enum": list(ACTORS)})]
OneMachine = Annotated[
    str, Path(description="a machine of `/api/v1/machines`", json_schema_extra={"enum": list(MACHINES)})
]
Form = Annotated[
    str, Query(description="mermaid: text; html: a plain page", json_schema_extra={"enum": ["mermaid", "html"]})
]
Kind = Annotated[str | None, Query(description="absent: both", json_schema_extra={"enum": ["transition", "remark"]})]

GROUPS = {"engines": tuple(sorted(ENGINE_NAMES))}
Group = Annotated[
    str | None, Query(description="several actors; absent: all", json_schema_extra={"enum": list(GROUPS)})
]


def add(routes: Routes, service: OperatorService) -> None:
    """Add them."""
    get, lists = routes.get, service.lists

    @get("actors", "/overview", "What the page shows at its top", models.Overview)
    async def overview() -> Any:
        """Health, market, engines and components from one reading of status and database."""
        return await service.overview()

    @get("actors", "/actors", "Every actor and how it is", list[models.Actor])
    async def actors() -> Any:
        """From the orchestrator's supervision and the database; no actor is asked, so a hung one hangs nothing."""
        return await service.actors()

    @get("actors", "/actors/{name}", "One actor with its machines' states", models.ActorDetail)
    async def actor(name: Name) -> Any:
        """State and since when, heartbeat, last error, restarts, and the durable state of each of its machines."""
        return await service.actor(name)

    @get("actors", "/actors/{name}/transitions", "Its changes of state", models.Page[models.Transition])
    async def transitions(name: Name, asked: Asked, machine: Machine = None, machine_table: Table = None) -> Any:
        """Each with the reason and the numbers that led to it; of one machine (its key) or one table
        (`/api/v1/machines`)."""
        return await lists.transitions(name, machine, machine_table, asked)

    @get("actors", "/actors/{name}/remarks", "What it decided without a change of state", models.Page[models.Remark])
    async def remarks(name: Name, asked: Asked, subject: Machine = None) -> Any:
        """The treasury's standing, moves and harvests, the regime's closes, the daily figures of an engine, what was
        measured and why nothing was done; of one subject or all."""
        return await lists.remarks(name, subject, asked)

    @get("actors", "/decisions", "What all actors decided", models.Page[models.Decision])
    async def decisions(
        asked: Asked,
        actor: Actor = None,
        group: Group = None,
        kind: Kind = None,
        machine: Machine = None,
        state: Annotated[str | None, Query(max_length=200, description="the state that a change led to")] = None,
        text: Annotated[
            str | None, Query(max_length=200, description="a part of the reason; case does not count")
        ] = None,
        trace: Annotated[str | None, Query(max_length=200, description="all that one bar or settlement led to")] = None,
    ) -> Any:
        """Changes of state and remarks as one stream, each with its reason and numbers (P3). Bookkeeping is left
        out."""
        one_of("group", group, GROUPS)
        return await lists.decisions(Sought(actor, kind, machine, state, text, trace, GROUPS.get(group or "")), asked)

    @get("machines", "/machines", "Every state machine with its arrows", list[models.Machine])
    async def all_machines() -> Any:
        """The tables as they are in the code, with the specification's Russian names and the rule behind each arrow."""
        return service.machines()

    @get("machines", "/machines/{name}/diagram", "A machine's diagram", str)
    async def diagram(name: OneMachine, format: Form = "mermaid") -> Response:
        """Mermaid text, or with `format=html` a plain page."""
        text = service.diagram(name, format)
        return HTMLResponse(text) if format == "html" else PlainTextResponse(text)
