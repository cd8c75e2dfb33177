"""Receivers of messages as real local servers: Telegram's Bot API, PagerDuty's Events API, a webhook, a mail server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from ssl import SSLContext
from typing import Any

from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

BOT_TOKEN = "123456789:AAExampleExampleExampleExample_12345"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
USER, PASSWORD = "engine", "a-planted-password"


@dataclass
class Request:
    """What came in."""

    path: str
    headers: dict[str, str]
    body: bytes
    fields: dict[str, Any]


Answer = Callable[[Request], web.StreamResponse | float]
"""What is answered; a number: seconds of silence, and then nothing."""


@dataclass
class Receiver:
    """An HTTP server on loopback; `answers` are given first, one each, then `usual`."""

    usual: Answer
    answers: list[Answer] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        is_form = request.content_type.startswith("application/x-www-form-urlencoded")
        fields = dict(await request.post()) if is_form else await request.json() if body else {}
        self.requests.append(Request(request.path, dict(request.headers), body, fields))
        answer = (self.answers.pop(0) if self.answers else self.usual)(self.requests[-1])
        if isinstance(answer, web.StreamResponse):
            return answer
        await asyncio.sleep(answer)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    """The server, on a thread of its own until the end of the block."""
    loop, started = asyncio.new_event_loop(), threading.Event()

    async def serve() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", receiver.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", receiver.port)
        await site.start()
        receiver.port = runner.addresses[0][1]
        return runner

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(serve())
        started.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


# --- answers ---


def telegram_takes(request: Request) -> web.StreamResponse:
    """As the Bot API answers a sent message."""
    chat = {"id": int(request.fields.get("chat_id", 0)), "type": "private"}
    return web.json_response({"ok": True, "result": {"message_id": 77, "date": 1, "chat": chat, "text": "x"}})


def telegram_refuses(code: int, description: str, **parameters: Any) -> Answer:
    """As the Bot API refuses."""

    def answer(request: Request) -> web.StreamResponse:
        body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
        return web.json_response(body | ({"parameters": parameters} if parameters else {}), status=code)

    return answer


def pagerduty_takes(request: Request) -> web.StreamResponse:
    """As the Events API accepts an event."""
    key = request.fields["dedup_key"]
    return web.json_response({"status": "success", "message": "Event processed", "dedup_key": key}, status=202)


def status(code: int, body: Any = None, **headers: str) -> Answer:
    """An answer of this status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: web.json_response(body if body is not None else {}, status=code, headers=named)


def html(code: int = 200) -> Answer:
    """A page of a proxy."""
    return lambda request: web.Response(
        text="<html>Sign in to the network</html>", content_type="text/html", status=code
    )


def silence(seconds: float) -> Answer:
    """No answer."""
    return lambda request: seconds


# --- mail ---


@dataclass
class Mailbox:
    """What a mail server has taken; `refusals` are answered to the next mails, one each."""

    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    recipient_refusals: dict[str, str] = field(default_factory=dict)
    were_encrypted: list[bool] = field(default_factory=list)
    """Of each mail, whether it came encrypted."""
    logins: list[str] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.recipient_refusals:
            return self.recipient_refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        found = BytesParser(policy=default).parsebytes(envelope.content)
        assert isinstance(found, EmailMessage)
        self.mails.append(found)
        self.were_encrypted.append(session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None)
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        return "250 Message accepted for delivery"


@contextmanager
def mail_server(
    mailbox: Mailbox,
    port: int,
    *,
    needs_login: bool = False,
    ssl: SSLContext | None = None,
    starttls: SSLContext | None = None,
) -> Iterator[None]:
    """A mail server on loopback: without encryption, with implicit TLS (`ssl`) or with STARTTLS."""

    def allowed(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        mailbox.logins.append(data.login.decode())
        is_right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False)

    options: dict[str, Any] = {}
    if needs_login:
        options = {"auth_required": True, "auth_require_tls": starttls is not None, "authenticator": allowed}
    if starttls is not None:
        options |= {"tls_context": starttls, "require_starttls": True}
    host = "127.0.0.1" if ssl is None else "localhost"
    controller = Controller(mailbox, hostname=host, port=port, ssl_context=ssl, **options)
    controller.start()
    try:
        yield
    finally:
        controller.stop()
