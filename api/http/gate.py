"""What stands before the HTTP interface: the token, the size and the time of a request, judged before it is read.

A request without a valid token is answered before any of its body is taken, so that a stranger can make the process
neither read nor parse anything (case 20). The body of an allowed request is read whole, within a size and a time, and
then handed on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 65_536
BODY_TIMEOUT_S = 10.0
PREFIX = b"bearer "
UNAUTHORISED = (
    "The header 'Authorization: Bearer TOKEN' is missing or wrong; the token is in the data folder's api-token."
)


HOLDER = "eternal.holder"
"""The key of an allowed request's scope that says who presented the token."""


class Credential(Protocol):
    """What opens the interface."""

    def holder(self, presented: str) -> str | None:
        """Whose token this is; None when it opens nothing."""
        ...


class Gate:
    """ASGI middleware. `open_paths` need no token; `headers` are added to every answer that lacks them."""

    def __init__(
        self,
        app: App,
        credential: Credential,
        open_paths: frozenset[str],
        headers: Sequence[tuple[str, str]],
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._app = app
        self._credential = credential
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
        holder = None if scope["path"] in self._open_paths else self._holder(scope)
        if scope["path"] not in self._open_paths and holder is None:
            await _refuse(answer, 401, UNAUTHORISED, (b"www-authenticate", b"Bearer"))
            return
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
        await self._app({**scope, HOLDER: holder}, _replay(body, receive), answer)

    def _holder(self, scope: Scope) -> str | None:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1 or given[0][: len(PREFIX)].lower() != PREFIX:
            return None
        return self._credential.holder(given[0][len(PREFIX) :].decode("latin-1").strip())

    def _with_headers(self, send: Send) -> Send:
        async def answer(event: Event) -> None:
            if event["type"] == "http.response.start":
                given = list(event.get("headers", ()))
                names = {name.lower() for name, _ in given}
                event["headers"] = given + [(name, value) for name, value in self._headers if name not in names]
            await send(event)

        return answer


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
