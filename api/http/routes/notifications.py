"""Messages to people."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from api.http import models, notification_models
from api.http.routes.common import Asked, Routes
from api.service import OperatorService
from api.views.notifications import CHANNEL_NAMES, DELIVERY_STATES

AlertId = Annotated[str | None, Query(max_length=200, description="an alert's number; absent: all")]
Channel = Annotated[
    str | None, Query(description="a channel; absent: all", json_schema_extra={"enum": list(CHANNEL_NAMES)})
]
State = Annotated[
    str | None, Query(description="a state; absent: all", json_schema_extra={"enum": list(DELIVERY_STATES)})
]


def add(routes: Routes, service: OperatorService) -> None:
    """Add them."""
    get = routes.get

    @get("history", "/notifications", "Whether alerts reach people", notification_models.NotificationStatus)
    async def status() -> Any:
        """The notifier's state, and every channel with its health (RM-5)."""
        return await service.notifications.status()

    @get(
        "history",
        "/notifications/deliveries",
        "What was sent to people",
        models.Page[notification_models.DeliveryRow],
    )
    async def deliveries(asked: Asked, alert_id: AlertId = None, channel: Channel = None, state: State = None) -> Any:
        """One row per alert and channel, each time that something was said about it, with what became of it (RM-5)."""
        return await service.notifications.deliveries(alert_id, channel, state, asked)
