"""What happened and what is in force: messages, alerts, commands, switches, policies, versions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from api.http import market_models, models, trade_models
from api.http.routes.common import Asked, Routes
from api.service import OperatorService
from api.views.lists import ALERT_STATES, ALERTING
from infra.database.reading.alerts import Asked as AlertsSought
from statemachines.limits.entry_gate import GLOBAL_SCOPE
from statemachines.limits.operator_actions import ACTIONS
from statemachines.limits.operator_scopes import SCOPES
from statemachines.messages.kinds import BODIES
from statemachines.notifications.message import SEVERITIES

Kind = Annotated[
    str | None, Query(description="a kind of message; absent: all", json_schema_extra={"enum": sorted(BODIES)})
]

Severity = Annotated[str | None, Query(description="absent: all", json_schema_extra={"enum": list(SEVERITIES)})]
AlertState = Annotated[
    str | None,
    Query(
        description="standing: open or changed, not ended; absent: all",
        json_schema_extra={"enum": sorted(ALERT_STATES)},
    ),
]
Alerting = Annotated[
    str | None, Query(description="who raises them; absent: all", json_schema_extra={"enum": sorted(ALERTING)})
]
Action = Annotated[str, Query(json_schema_extra={"enum": list(ACTIONS)})]
Scope = Annotated[str, Query(description="GLOBAL or an engine", json_schema_extra={"enum": list(SCOPES)})]


def add(routes: Routes, service: OperatorService) -> None:
    """Add them."""
    get, lists = routes.get, service.lists

    @get("history", "/events", "Messages between the actors", models.Page[trade_models.Event])
    async def events(
        asked: Asked,
        kind: Kind = None,
        trace: Annotated[str | None, Query(max_length=200, description="all that one bar or settlement led to")] = None,
    ) -> Any:
        """`/api/v1/orders/{client_order_id}/chain` leads from an order to its bar."""
        return await lists.events(kind, trace, asked)

    @get("history", "/alerts", "What the operator should know", models.Page[trade_models.Alert])
    async def alerts(
        asked: Asked,
        severity: Severity = None,
        state: AlertState = None,
        actor: Alerting = None,
        acknowledged: Annotated[bool | None, Query(description="absent: both")] = None,
    ) -> Any:
        """What happened, what the system did, what action is required; with who has acknowledged it."""
        return await lists.alerts(asked, AlertsSought(severity, state, actor, acknowledged))

    @get("history", "/summaries", "Daily summaries", models.Page[trade_models.Summary])
    async def summaries(asked: Asked) -> Any:
        """One per market day (OR-3)."""
        return await lists.summaries(asked)

    @get("history", "/discrepancies", "Books against exchange", models.Page[trade_models.Discrepancy])
    async def discrepancies(asked: Asked) -> Any:
        """What reconciliation has found (OR-9)."""
        return await lists.discrepancies(asked)

    @get("history", "/switch-trips", "Automatic switches", models.Page[trade_models.SwitchTrip])
    async def switch_trips(asked: Asked) -> Any:
        """Automatic switches that have tripped, newest first, each with the readings that tripped it (RM-4)."""
        return await lists.switch_trips(asked)

    @get("history", "/control/history", "What was commanded", models.Page[trade_models.OperatorCommandRow])
    async def commands(asked: Asked) -> Any:
        """Every command of the operator, and of an actor in his place: who, when and why (RM-5). Kept for good."""
        return await lists.operator_commands(asked)

    @get("control", "/control/preview", "What a command would do now", market_models.ControlPreview)
    async def preview(action: Action, scope: Scope = GLOBAL_SCOPE) -> Any:
        """Its effect on open orders, positions and states as they are (RM-5); nothing is changed."""
        return await service.preview.control(action, scope)

    @get("installation", "/switches", "Control states in force", list[trade_models.Switch])
    async def switches() -> Any:
        """GLOBAL and per engine; without a row everything is NORMAL (RM-2, RM-5)."""
        return await lists.switches()

    @get("installation", "/policies", "Versions of the policy", trade_models.Policies)
    async def policies() -> Any:
        """Limits, weights and parameters: the newest 50 versions, and the version in force at every actor (RM-6)."""
        return await service.installation.policies()

    @get("installation", "/config", "The configuration of the newest start", market_models.Configuration)
    async def config() -> Any:
        """As it was recorded at the start: secrets are never part of it, settings changed by a policy since are in
        `/api/v1/policies`."""
        return await service.installation.config()

    @get("installation", "/version", "Versions of what runs here", market_models.Versions)
    async def version() -> Any:
        """Of the program, of this interface, of Python and the packages that it is built on, of the database's
        schema."""
        return await service.installation.version()
