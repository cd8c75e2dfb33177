"""A stand-in of Telegram's Bot API: `getMe`, `getUpdates` with offset and time-out, `sendMessage`; and its ways to
fail."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

TOKEN = "123456789:AAStandInStandInStandInStandIn_12345"
BOT_ID = 123456789
HOLD_S = 0.2
"""How long a question is held open at most, whatever it asks for."""


class BotApi:
    """`failures`: answers that come before anything else is done, by method. `sent`: the texts by chat."""

    def __init__(self) -> None:
        self.url = ""
        self.updates: list[dict[str, Any]] = []
        self.offsets: list[int | None] = []
        self.sent: list[tuple[int, str]] = []
        self.failures: dict[str, deque[web.Response]] = {}
        self._news = asyncio.Event()
        self._number = 100

    def write(self, text: str, chat: int = 7, user: int = 42, age_s: float = 0.0, **message: Any) -> int:
        """A person writes to the bot; the number of the update."""
        self._number += 1
        body = {
            "message_id": self._number,
            "date": int(time.time() - age_s),
            "chat": {"id": chat, "type": "private"},
            "from": {"id": user, "is_bot": False, "first_name": "HALT everything", "username": "admin"},
            "text": text,
            **message,
        }
        self.updates.append({"update_id": self._number, "message": body})
        self._news.set()
        return self._number

    def fail(self, method: str, *answers: web.Response) -> None:
        """The next calls of the method get these answers."""
        self.failures.setdefault(method, deque()).extend(answers)

    async def handle(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != TOKEN:
            return refusal(401, "Unauthorized")
        method, form = request.match_info["method"], await request.post()
        if waiting := self.failures.get(method):
            return waiting.popleft()
        match method:
            case "getMe":
                return _ok({"id": BOT_ID, "is_bot": True, "first_name": "Eternal", "username": "eternal_bot"})
            case "getUpdates":
                return _ok(await self._get_updates(form.get("offset")))
            case "sendMessage":
                self.sent.append((int(str(form["chat_id"])), str(form["text"])))
                chat = {"id": int(str(form["chat_id"])), "type": "private"}
                return _ok({"message_id": 1, "date": int(time.time()), "chat": chat, "text": form["text"]})
            case _:
                return refusal(404, "Not Found")

    async def _get_updates(self, offset: Any) -> list[dict[str, Any]]:
        first = None if offset is None else int(offset)
        self.offsets.append(first)
        if first is not None:
            self.updates = [one for one in self.updates if one["update_id"] >= first]
        if not self.updates:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), HOLD_S)
            except TimeoutError:
                return []
        return list(self.updates)


def _ok(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def refusal(code: int, description: str, **parameters: Any) -> web.Response:
    """As Telegram refuses."""
    body = {"ok": False, "error_code": code, "description": description, "parameters": parameters}
    return web.json_response(body, status=code)


def page(status: int = 502) -> web.Response:
    """As a proxy answers in its place."""
    return web.Response(status=status, text="<html><body>Bad gateway</body></html>", content_type="text/html")


@asynccontextmanager
async def running() -> AsyncIterator[BotApi]:
    """The stand-in on a free port."""
    api = BotApi()
    app = web.Application()
    app.router.add_route("*", "/bot{token}/{method}", api.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    api.url = f"http://{host}:{port}"
    try:
        yield api
    finally:
        await runner.cleanup()
