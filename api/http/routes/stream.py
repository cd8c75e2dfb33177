"""The stream of events."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, Request
from fastapi.responses import StreamingResponse

from api.http.gate import GRANTED, STANDING
from api.http.routes.common import Routes
from api.stream.events import KINDS, Streams

LastId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", max_length=60, description="the id of the last event received; absent: from now on"),
]
ANSWER: dict[str, Any] = {"content": {"text/event-stream": {"schema": {"type": "string"}}}}


DESCRIPTION = f"""Server-sent events. Each has an id, by which a client that comes again continues (`Last-Event-ID`),
and in its data a `key`: an event may be sent twice, then with the same key. The connection is ended every minute, and
within seconds when the client's credential or session ends.

Events: {"; ".join(f"`{kind}`: {about}" for kind, about in KINDS.items())}."""


def add(routes: Routes, streams: Streams) -> None:
    """Add it."""

    async def stream(request: Request, last_event_id: LastId = None) -> StreamingResponse:
        lines = streams.begin(last_event_id, request.scope[GRANTED], request.scope[STANDING])
        return StreamingResponse(lines, media_type="text/event-stream")

    stream.__doc__ = DESCRIPTION
    routes.reading("history", "/events/stream", "What happens, as it happens", ANSWER)(stream)
