"""The stream of one client: what happened since its last event, and the state of everything when it changes."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from fastapi.sse import format_sse_event

from api.access.answers import Granted
from api.access.scopes import Scope
from api.service import OperatorService
from api.stream.feed import Batch, Feed, StreamPlace, place_from, shown
from api.views.reading import DatabaseAwayError

TURN_S = 0.5
QUIET_S = 10.0
"""After so long without an event a comment shows that the connection lives."""

LIFE_S = 60.0
"""A connection is ended after this; the client comes again with its last id."""

STANDING_S = 2.0
"""How often it is asked whether the client may still listen."""

RETRY_MS = 1_000
MAX_STREAMS = 32
MAX_OF_ONE = 8
"""Of one person: pages that are open at once, with their next connection while the last one ends."""

RESERVED = 8
"""So many of all are for those who may do something."""

KINDS: Mapping[str, str] = {
    "decision": "a change of state or a remark, as in `/api/v1/decisions`",
    "order": "an order as it is now, as in `/api/v1/orders`",
    "fill": "a fill, as in `/api/v1/executions`",
    "equity": "a new version of the portfolio: `version`, `market_ms`, `equity_usdt`, equity by account",
    "alert": "an alert that was raised, has changed or was acknowledged, as in `/api/v1/alerts`",
    "state": "health, market, engines, components, what is expected of the operator: first, and when it changes",
    "begun": "the place from which on the client is informed: what it read before this event may be older",
    "skipped": "the client was too far behind, or its place is another database's, as before a restore: what it missed "
    "is in the lists, and keys that it has seen may come again",
    "away": "the database does not answer; figures of a `state` that comes until `back` are missing, not zero. It is "
    "of one connection: a new one says it again before its first `state` if it still holds, and if it does not, that "
    "first `state` is what `back` is: what was read before may be older",
    "back": "the database answers again; what was read before this event may be older",
}
"""The kinds of events and what their data is."""


Stands = Callable[[], Awaitable[bool]]
"""Whether what a client was granted is still granted."""


class TooManyStreamsError(Exception):
    """As many clients as are allowed listen already (HTTP 503)."""


class Streams:
    """Gives each client its stream. Of one event loop."""

    def __init__(self, service: OperatorService, life_s: float = LIFE_S, turn_s: float = TURN_S) -> None:
        self._service = service
        self._life_s = life_s
        self._turn_s = turn_s
        self._is_over = False
        self._of_each: Counter[str] = Counter()

    def end(self) -> None:
        """Every stream ends within a turn: the server waits for what is under way when it ends."""
        self._is_over = True

    @property
    def open(self) -> int:
        """How many clients listen."""
        return self._of_each.total()

    def begin(self, last_event_id: str | None, granted: Granted, stands: Stands) -> AsyncIterator[str]:
        """The lines of a new stream of this person, behind this event or from now on. It ends when `stands` is false:
        whether the client may still listen.

        Raises:
            BadValueError: it is no id of an event.
            TooManyStreamsError: too many clients listen, of all or of this person.
        """
        place = None if last_event_id is None else place_from(last_event_id)
        if why := self._why_not(granted):
            raise TooManyStreamsError(why)
        return self._lines(place, granted, stands)

    def _why_not(self, granted: Granted) -> str:
        """Why one more may not listen; "" if it may."""
        if self._of_each[granted.person] >= MAX_OF_ONE:
            return f"{MAX_OF_ONE} clients of {granted.person} listen already; end one of them."
        may_act = (granted.withheld or granted.scope).covers(Scope.CONTROL)
        most = MAX_STREAMS if may_act else MAX_STREAMS - RESERVED
        return f"{most} clients listen already; end one of them." if self.open >= most else ""

    async def _lines(self, place: StreamPlace | None, granted: Granted, stands: Stands) -> AsyncIterator[str]:
        if self._why_not(granted):  # others came at the same time; when it comes again it is refused
            return
        self._of_each[granted.person] += 1
        try:
            async for line in self._events(Feed(self._service.reading.queries), place, stands):
                yield line
        finally:
            self._of_each[granted.person] -= 1
            if not self._of_each[granted.person]:
                del self._of_each[granted.person]

    async def _events(self, feed: Feed, place: StreamPlace | None, stands: Stands) -> AsyncIterator[str]:
        reading = self._service.reading
        until = time.monotonic() + self._life_s
        quiet_since = asked_at = time.monotonic()
        told: dict[str, Any] | None = None
        is_away = False
        yield _text(retry=RETRY_MS, comment="begin")
        while time.monotonic() < until and not self._is_over:
            if time.monotonic() - asked_at >= STANDING_S:
                if not await stands():
                    return
                asked_at = time.monotonic()
            lines = []
            try:
                batch: Batch = await reading.read(feed.present if place is None else partial(feed.after, place))
                feed.take(batch)
                if place is None:
                    lines.append(_text(event="begun", data={"key": "begun"}, id=str(batch.place)))
                elif is_away:
                    lines.append(_text(event="back", data={"key": "back"}, id=str(batch.place)))
                if is_away:
                    told = None
                place, is_away = batch.place, False
                lines += [_text(event=one.kind, data=shown(one), id=str(place)) for one in batch.happenings]
            except DatabaseAwayError as error:
                if not is_away:
                    lines.append(_text(event="away", data={"key": "away", "text": str(error)}))
                is_away = True
            state = state_of(await self._service.overview())
            if state != told:
                told = state
                lines.append(
                    _text(event="state", data={"key": "state", **state}, id=None if place is None else str(place))
                )
            now = time.monotonic()
            if lines:
                quiet_since = now
            elif now - quiet_since >= QUIET_S:
                lines, quiet_since = [_text(comment="quiet")], now
            for line in lines:
                yield line
            await asyncio.sleep(self._turn_s)


def state_of(overview: Mapping[str, Any]) -> dict[str, Any]:
    """What of the overview is a state: without ages and counters, which are different at every look."""
    market = overview["market"]
    return {
        "health": overview["health"],
        "market": {name: market[name] for name in ("label", "is_simulated", "market_ms", "day", "state", "why")},
        "engines": overview["engines"],
        "components": [
            {name: one[name] for name in ("name", "state", "russian", "reason", "restarts", "last_error")}
            for one in overview["components"]
        ],
        "equity_usdt": overview["equity_usdt"],
        "equity_ms": overview["equity_ms"],
        "expected": overview["expected"],
    }


def _text(
    data: Mapping[str, Any] | None = None,
    event: str | None = None,
    id: str | None = None,
    retry: int | None = None,
    comment: str | None = None,
) -> str:
    text = None if data is None else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return format_sse_event(data_str=text, event=event, id=id, retry=retry, comment=comment).decode()
