"""Messages to people: the channels with their health, and what became of every delivery (RM-5)."""

from __future__ import annotations

from typing import Any

from actors.runtime.registry import table_of
from api.json_values import plain
from api.views.arguments import identifier, one_of
from api.views.lists import NEWEST
from api.views.reading import PageRequest, Reading, Row
from infra.database.reading import paging
from statemachines.notifications.delivery import DeliveryState
from statemachines.notifications.message import ChannelName
from statemachines.values import ActorName

CHANNEL_NAMES = tuple(str(name) for name in ChannelName)
DELIVERY_STATES = tuple(state.value for state in DeliveryState)
OFF = "OFF"
"""A channel that is not configured."""


class Notifications:
    """Raises BadValueError and DatabaseAwayError (all methods)."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def status(self) -> Row:
        """The notifier's state and every channel."""
        found: Row = await self._reading.read(self._status)
        return found

    async def deliveries(
        self,
        alert_id: str | None = None,
        channel: str | None = None,
        state: str | None = None,
        asked: PageRequest = NEWEST,
    ) -> Row:
        """A page of deliveries, the newest first."""
        which = identifier("alert_id", alert_id)
        one_of("channel", channel, CHANNEL_NAMES)
        one_of("state", state, DELIVERY_STATES)
        queries = self._reading.queries
        return await self._reading.page(
            paging.DELIVERIES,
            asked,
            lambda start, size, span: queries.deliveries(start, size, span, which, channel, state),
        )

    def _status(self) -> Row:
        queries = self._reading.queries
        own = {row["key"]: row for row in queries.states(str(ActorName.NOTIFIER))}
        state = str(own["notifier"]["state"]) if "notifier" in own else OFF
        known = {row["channel"]: row for row in queries.channels()}
        configured = own["notifier"]["data"].get("channels", []) if "notifier" in own else []
        table = table_of("notifier")
        return {
            "state": state,
            "russian": table.russian[table.states(state)],
            "critical_unacknowledged": queries.unacknowledged(),
            "channels": [_channel(name, known.get(name, {}), is_on=name in configured) for name in CHANNEL_NAMES],
        }


def _channel(name: str, row: Row, *, is_on: bool) -> Row:
    data: dict[str, Any] = row.get("data") or {}
    state = str(row.get("state", "WORKING")) if is_on else OFF
    table = table_of("channel")
    return plain(  # type: ignore[no-any-return]
        {
            "channel": name,
            "state": state,
            "russian": "Не настроен" if state == OFF else table.russian[table.states(state)],
            "waiting": row.get("waiting", 0),
            "delivered": data.get("delivered", 0),
            "delivered_at": data.get("delivered_at"),
            "failures": data.get("failures", 0) if is_on else 0,
            "next_at": data.get("next_at") if is_on and data.get("failures") else None,
            "last_error": data.get("last_error", "") if is_on else "",
        }
    )
