"""A relay between the system and the exchange, on loopback: what a network and an exchange can do to a client.

It carries REST and WebSockets as they are. `away` answers nothing and breaks every connection, `cut` breaks the streams
once, `hold_data` keeps market data back while pongs pass, `skew_ms` shifts the exchange's clock.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from typing import Any

from aiohttp import ClientSession, WSMsgType, web

HOST = "127.0.0.1"
STREAMS = ("/v5/public/", "/v5/private")
TIME_PATH = "/v5/market/time"
HOP = frozenset({"host", "connection", "transfer-encoding", "content-length", "content-encoding", "keep-alive"})


class Relay:
    """Runs on a thread of its own from `start` to `stop`; its switches may be set from any thread."""

    def __init__(self, target: str) -> None:
        self.url = ""
        self.away = False
        self.hold_data = False
        self.skew_ms = 0
        self.requests = 0
        self.held = 0
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._transports: dict[web.WebSocketResponse, asyncio.Transport] = {}
        self._ready = threading.Event()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> str:
        """Listen on a free port; the address."""
        self._thread.start()
        assert self._ready.wait(10), "the relay does not listen"
        return self.url

    def stop(self) -> None:
        """Close everything and end the thread."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def cut(self) -> int:
        """Break every stream once; how many there were."""
        sockets = list(self._transports)
        for socket in sockets:
            self._loop.call_soon_threadsafe(self._break, socket)
        return len(sockets)

    def leave(self) -> None:
        """The exchange is away: nothing is answered until `away` is taken back."""
        self.away = True
        self.cut()

    # --- on the relay's thread ---

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._any)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
        self.url = f"http://{HOST}:{runner.addresses[0][1]}"
        async with ClientSession(auto_decompress=False) as self._client:
            self._ready.set()
            await self._end.wait()
            for socket in list(self._transports):
                self._break(socket)
            await runner.cleanup()

    def _break(self, socket: web.WebSocketResponse) -> None:
        transport = self._transports.get(socket)  # a break, not a farewell
        if transport is not None:
            transport.abort()

    async def _any(self, request: web.Request) -> web.StreamResponse:
        if self.away:
            assert request.transport is not None
            request.transport.abort()
            return web.Response(status=503)
        self.requests += 1
        if request.path.startswith(STREAMS):
            return await self._stream(request)
        async with self._client.request(
            request.method,
            self._target + request.raw_path,
            data=await request.read(),
            headers=_passed(request.headers),
            allow_redirects=False,
        ) as answer:
            body = await answer.read()
            if request.path == TIME_PATH and self.skew_ms:
                body = self._shifted(body)
            return web.Response(status=answer.status, body=body, headers=_passed(answer.headers))

    def _shifted(self, body: bytes) -> bytes:
        found = json.loads(body)
        found["time"] += self.skew_ms
        return json.dumps(found).encode()

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        ours = web.WebSocketResponse(compress=False)
        await ours.prepare(request)
        if request.transport is not None:
            self._transports[ours] = request.transport
        try:
            async with self._client.ws_connect(self._target + request.raw_path, compress=0) as theirs:
                back = asyncio.create_task(self._carry(theirs, ours, may_hold=True))
                try:
                    await self._carry(ours, theirs, may_hold=False)
                finally:
                    back.cancel()
        finally:
            self._transports.pop(ours, None)
        return ours

    async def _carry(self, source: Any, sink: Any, *, may_hold: bool) -> None:
        async for message in source:
            if message.type is not WSMsgType.TEXT:
                break
            if may_hold and self.hold_data and '"topic":' in message.data:
                self.held += 1
                continue
            try:
                await sink.send_str(message.data)
            except (ConnectionError, RuntimeError):
                break
        await sink.close()


def _passed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in HOP}
