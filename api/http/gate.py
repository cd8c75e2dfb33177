"""What stands before the HTTP interface: credential, size and time of a request, judged before it is read.

A request without a valid credential is answered before any of its body is taken, so that a stranger makes the process
neither read nor parse anything (case 20). The body of an allowed request is read whole, within a size and a time, and
then handed on. A login brings its credential in its body, which is small for that reason.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

from api.access.answers import Granted, Presented, Refused
from api.http.presented import is_encrypted, is_local, presented_of

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 65_536
MAX_LOGIN_BYTES = 2_048
BODY_TIMEOUT_S = 10.0
GRANTED = "eternal.granted"
"""The key of an allowed request's scope under which what its credential grants stands (`Granted`)."""
PRESENTED = "eternal.presented"
"""The key under which what the request presented stands (`Presented`)."""
STANDING = "eternal.standing"
"""The key under which a function stands that judges the request again (`Standing`): a long answer asks it now and then,
so that it ends with the session or the credential."""

UNENCRYPTED = (
    "This interface is reached from other machines over TLS only: use https://, or have the proxy send "
    "X-Forwarded-Proto."
)

Judged = Callable[[Presented], Granted | Refused]
"""Judges what a request presents. It may take its time: it is called on another thread."""
Standing = Callable[[], Awaitable[bool]]
"""Whether what was granted is still granted."""


class Gate:
    """ASGI middleware. `open_paths` need no credential, `logins` (method and path) bring one in their body; `headers`
    are added to every answer that lacks them. `demands_encryption`: other machines are answered over TLS alone, but for
    `open_paths`."""

    def __init__(
        self,
        app: App,
        judge: Judged,
        open_paths: frozenset[str],
        headers: Sequence[tuple[str, str]],
        body_timeout_s: float = BODY_TIMEOUT_S,
        logins: frozenset[tuple[str, str]] = frozenset(),
        *,
        demands_encryption: bool = False,
    ) -> None:
        self._app = app
        self._judge = judge
        self._open_paths, self._logins = open_paths, logins
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers]
        self._body_timeout_s = body_timeout_s
        self._demands_encryption = demands_encryption

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there are no web sockets; the server ends the handshake
        answer = self._with_headers(send)
        granted: Granted | None = None
        is_open, is_login = scope["path"] in self._open_paths, (scope["method"], scope["path"]) in self._logins
        if not is_open and self._demands_encryption and not (is_encrypted(scope) or is_local(scope)):
            await _refuse(answer, 403, UNENCRYPTED)
            return
        presented = presented_of(scope)
        if not is_open and not is_login:
            found = await asyncio.to_thread(self._judge, presented)
            if isinstance(found, Refused):
                await _refuse(answer, found.status, found.sentence, *headers_for(found))
                return
            granted = found
        most = MAX_LOGIN_BYTES if is_login else MAX_BODY_BYTES
        try:
            body = await asyncio.wait_for(_read(receive, _announced(scope), most), self._body_timeout_s)
        except _TooLargeError:
            await _refuse(answer, 413, f"The body is too large; at most {most:,} bytes are allowed.")
            return
        except TimeoutError:
            await _refuse(answer, 408, f"The body did not arrive within {self._body_timeout_s:.0f} s.")
            return
        if body is None:
            return  # the client is gone
        inner = {**scope, GRANTED: granted, PRESENTED: presented, STANDING: self._standing(presented, granted)}
        await self._app(inner, _replay(body, receive), answer)

    def _standing(self, presented: Presented, granted: Granted | None) -> Standing:
        again = replace(presented, code=None, is_change=False)  # a code counts once

        async def stands() -> bool:
            found = await asyncio.to_thread(self._judge, again)
            if isinstance(found, Refused):
                return found.status not in (401, 403)  # too many requests at once take nothing away
            return granted is not None and (found.person, found.session_id) == (granted.person, granted.session_id)

        return stands

    def _with_headers(self, send: Send) -> Send:
        async def answer(event: Event) -> None:
            if event["type"] == "http.response.start":
                given = list(event.get("headers", ()))
                names = {name.lower() for name, _ in given}
                event["headers"] = given + [(name, value) for name, value in self._headers if name not in names]
            await send(event)

        return answer


def headers_for(refused: Refused) -> list[tuple[bytes, bytes]]:
    """What an answer of this kind carries: when to come again, or what would open."""
    if refused.wait_s:
        return [(b"retry-after", str(refused.wait_s).encode())]
    return [(b"www-authenticate", b"Bearer")] if refused.status == 401 else []


class _TooLargeError(Exception):
    """The body is larger than allowed."""


def _announced(scope: Scope) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() and len(lengths[0]) < 19 else 0


async def _read(receive: Receive, announced: int, most: int) -> bytes | None:
    if announced > most:
        raise _TooLargeError
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        body += event.get("body", b"")
        if len(body) > most:
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
