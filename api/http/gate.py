"""What stands before the HTTP interface: credential, size and time of a request, judged before it is read.

A request without a valid credential is answered before any of its body is taken, so that a stranger makes the process
neither read nor parse anything (case 20). The body of an allowed request is read whole, within a size and a time, and
then handed on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from api.access.judge import Granted, Refused

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 65_536
BODY_TIMEOUT_S = 10.0
PREFIX = b"bearer "
GRANTED = "eternal.granted"
"""The key of an allowed request's scope under which what its credential grants stands (`Granted`)."""

Judged = Callable[[str | None, str, bool], Granted | Refused]
"""Judges what stands behind "Bearer " (None: nothing does), the client's address, and whether something is commanded.
It may take its time: it is called on another thread."""


class Gate:
    """ASGI middleware. `open_paths` need no credential; `headers` are added to every answer that lacks them."""

    def __init__(
        self,
        app: App,
        judge: Judged,
        open_paths: frozenset[str],
        headers: Sequence[tuple[str, str]],
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._app = app
        self._judge = judge
        self._open_paths = open_paths
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers]
        self._body_timeout_s = body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there are no web sockets; the server ends the handshake
        answer = self._with_headers(send)
        granted: Granted | None = None
        if scope["path"] not in self._open_paths:
            address = (scope.get("client") or ("unknown", 0))[0]
            found = await asyncio.to_thread(self._judge, _presented(scope), address, scope["method"] == "POST")
            if isinstance(found, Refused):
                header = (b"www-authenticate", b"Bearer")
                if found.wait_s:
                    header = (b"retry-after", str(found.wait_s).encode())
                await _refuse(answer, found.status, found.sentence, header)
                return
            granted = found
        try:
            body = await asyncio.wait_for(_read(receive, _announced(scope)), self._body_timeout_s)
        except _TooLargeError:
            await _refuse(answer, 413, f"The body is too large; at most {MAX_BODY_BYTES:,} bytes are allowed.")
            return
        except TimeoutError:
            await _refuse(answer, 408, f"The body did not arrive within {self._body_timeout_s:.0f} s.")
            return
        if body is None:
            return  # the client is gone
        await self._app({**scope, GRANTED: granted}, _replay(body, receive), answer)

    def _with_headers(self, send: Send) -> Send:
        async def answer(event: Event) -> None:
            if event["type"] == "http.response.start":
                given = list(event.get("headers", ()))
                names = {name.lower() for name, _ in given}
                event["headers"] = given + [(name, value) for name, value in self._headers if name not in names]
            await send(event)

        return answer


def _presented(scope: Scope) -> str | None:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1 or given[0][: len(PREFIX)].lower() != PREFIX:
        return None
    return str(given[0][len(PREFIX) :].decode("latin-1")).strip()


class _TooLargeError(Exception):
    """The body is larger than allowed."""


def _announced(scope: Scope) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() and len(lengths[0]) < 19 else 0


async def _read(receive: Receive, announced: int) -> bytes | None:
    if announced > MAX_BODY_BYTES:
        raise _TooLargeError
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        body += event.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _TooLargeError
        if not event.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    is_read = False

    async def again() -> Event:
        nonlocal is_read
        if is_read:
            return await receive()  # a later event can only be the client's departure
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _refuse(send: Send, status: int, sentence: str, *headers: tuple[bytes, bytes]) -> None:
    """Answer and end the connection: what may still come on it is not read."""
    body = json.dumps({"error": sentence}).encode()
    fixed = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})
