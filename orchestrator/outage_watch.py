"""Detects an outage of the database in the actors' health and reports its beginning and its end once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from statemachines.messages.control import DatabaseOutage

TOLD_AFTER_S = 5.0
"""A restart of the database is over sooner, and the launch reports it."""


class OutageWatch:
    """Pure: `look` takes healths and wall time and returns what is to be reported."""

    def __init__(self) -> None:
        self._began: DatabaseOutage | None = None

    def begin_with(self, what: str, why: str, since_s: float, now_s: float) -> DatabaseOutage | None:
        """The orchestrator itself could not start for an outage: reported, if it was long enough."""
        return self._tell({"what": what, "why": why, "since_s": since_s}, now_s)

    def look(self, healths: Iterable[Mapping[str, Any]], now_s: float) -> DatabaseOutage | None:
        """News of an outage, if there are any: that one has begun (or is of another kind now), or is over."""
        outages = [health["outage"] for health in healths if health.get("outage")]
        if outages:
            return self._tell(min(outages, key=lambda outage: float(outage["since_s"])), now_s)
        began, self._began = self._began, None
        return None if began is None else began.model_copy(update={"until": wall_time(now_s)})

    def _tell(self, outage: Mapping[str, Any], now_s: float) -> DatabaseOutage | None:
        since_s = float(outage["since_s"])
        since = self._began.since if self._began is not None else wall_time(since_s)
        news = DatabaseOutage(what=str(outage["what"]), why=str(outage["why"]), since=since)
        is_told = self._began is not None and self._began.what == news.what
        if is_told or now_s - since_s < TOLD_AFTER_S:
            return None
        self._began = news
        return news


def wall_time(instant_s: float) -> str:
    """Wall time for people, to the second."""
    return f"{datetime.fromtimestamp(instant_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
