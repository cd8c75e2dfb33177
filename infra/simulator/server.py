"""The simulated exchange as a server on loopback: REST, WebSockets and control over one durable ``Exchange``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from infra.simulator.api.context import envelope
from infra.simulator.api.exchange import ApiRequest
from infra.simulator.api.routes import FEAR_AND_GREED, ROUTES, VOLATILITY_INDEX
from infra.simulator.body import BodyError, read_object
from infra.simulator.config import SimConfig
from infra.simulator.control import Control, sentences
from infra.simulator.credentials import Credentials
from infra.simulator.disk.durable import DurableExchange
from infra.simulator.entrance import Entrance
from infra.simulator.fault_control import FaultControl
from infra.simulator.faults.desk import asked_of
from infra.simulator.faults.plans import Answered
from infra.simulator.faults.scenario import Occurrence
from infra.simulator.faulty_response import faulty_response
from infra.simulator.hub import Hub
from infra.simulator.injection import Injection
from infra.simulator.ratelimit import RESET_HEADER, WINDOW_MS, IpLimiter
from infra.simulator.sockets.streams import PUBLIC, Streams
from infra.simulator.sockets.trade import TradeStream
from infra.simulator.venue.errors import VenueError, params_error
from infra.simulator.wall_clock import follow, wall_ms

log = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"
TOO_MANY = 10006


class RestGate:
    """REST: signature and limits before the request, headers after it."""

    def __init__(self, hub: Hub, entrance: Entrance, *, rate_limits: bool) -> None:
        self._hub = hub
        self._entrance = entrance
        self._addresses = IpLimiter(enforced=rate_limits)

    async def __call__(self, request: web.Request) -> web.Response:
        """Answer any path that is neither a socket nor /sim/*."""
        address = request.remote or ""
        if not self._addresses.allows(address, wall_ms()):
            return web.Response(status=403, text="access too frequent")
        path, _, query = request.raw_path.partition("?")
        raw_body = await request.read()
        if path in FEAR_AND_GREED or path == VOLATILITY_INDEX:
            feed = ApiRequest("GET", path, dict(parse_qsl(query, keep_blank_values=True)))
            return web.json_response(self._hub.durable.handle(feed))
        route = ROUTES.get((request.method, path))
        faults, now_ms = self._hub.faults.desk, wall_ms() + self._hub.durable.skew_ms
        if route is None:
            body = envelope(10017, f"Route {request.method} {path} not found.", {}, {}, now_ms)
            return web.json_response(body, status=404)
        headers: dict[str, str] = {}
        try:
            payload = query.encode() if request.method == "GET" else raw_body
            key = self._entrance.key_of(request.headers, payload, address, now_ms) if route.signed else None
            params = _params(request.method, query, raw_body)
            plan = faults.plan(asked_of(request.method, path, params, key.account if key else None))
            if plan.delay_ms:
                await asyncio.sleep(plan.delay_ms / 1000)
            if plan.params is None:
                return await faulty_response(request, plan.outcome(None), now_ms, {})
            params = dict(plan.params)
            quota = self._entrance.quota(route, path, key, params, now_ms)
            if quota is not None:
                headers = quota.headers()
                if not quota.allowed:
                    raise VenueError(10006, "Too many visits. Exceeded the API Rate Limit.")
            granted = quota.granted if quota is not None and route.per_order else None
            uid = key.uid if key else None
            answer = await self._entrance.answer(ApiRequest(request.method, path, params, uid, key, granted))
        except VenueError as error:
            answer = envelope(error.code, error.message, {}, {}, now_ms)
            return await faulty_response(request, Answered(answer), now_ms, headers)
        if answer["retCode"] == TOO_MANY and int(headers.get(RESET_HEADER, 0)) <= now_ms:
            # A limit of the exchange's own (withdrawals): clients sleep until this instant, which must be to come.
            headers[RESET_HEADER] = str(now_ms + WINDOW_MS)
        return await faulty_response(request, plan.outcome(answer), now_ms, headers)


def _params(method: str, query: str, raw_body: bytes) -> dict[str, Any]:
    if method == "GET":
        return dict(parse_qsl(query, keep_blank_values=True))
    try:
        # Numbers keep their text: a float would lose digits.
        return read_object(raw_body or b"{}", number=str)
    except BodyError as error:
        raise params_error(str(error)) from None


def make_app(
    durable: DurableExchange,
    credentials: Credentials,
    config: SimConfig,
    occurrences: Iterable[Occurrence] = (),
    seed: int = 0,
) -> web.Application:
    """The aiohttp application; its sending queue runs as long as it does. ``occurrences``: the faults of a scenario,
    ``seed`` their chances'."""
    hub = Hub(durable, Injection(lambda: durable.exchange.venue, durable.intervene, occurrences, seed))
    entrance = Entrance(hub, credentials, rate_limits=config.rate_limits)
    streams = Streams(hub, entrance, config.ack_delay_ms)
    control = Control(hub, credentials)
    app = web.Application(middlewares=[sentences])
    app.router.add_get("/v5/public/{category:" + "|".join(PUBLIC) + "}", streams.public)
    app.router.add_get("/v5/public/misc/status", streams.status)
    app.router.add_get("/v5/private", streams.private)
    app.router.add_get("/v5/trade", TradeStream(hub, entrance).serve)
    app.add_routes([*control.routes(), *FaultControl(hub, credentials).routes()])
    for path in ("/sim", "/sim/{path:.*}"):
        app.router.add_route("*", path, control.nowhere)
    app.router.add_route("*", "/{path:.*}", RestGate(hub, entrance, rate_limits=config.rate_limits))

    async def lane(_: web.Application) -> Any:
        tasks = [asyncio.create_task(hub.run())]
        if durable.clock is not None:
            tasks.append(asyncio.create_task(follow(hub, durable.clock)))
        for task in tasks:
            task.add_done_callback(_stop_if_failed)
        await hub.act(durable.catch_up)  # faults that hold from the beginning, and the end of those that are over
        yield
        for connection in list(hub.connections.values()):
            await connection.socket.close(code=1012, message=b"service restart")
        for task in reversed(tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        durable.close()

    app.cleanup_ctx.append(lane)
    return app


def _stop_if_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        # Without its sending queue nothing is durable, without its clock nothing happens: no exchange is better than
        # one that loses writes or shows an old market as the present one.
        log.critical("The sending queue or the clock failed; the exchange stops.", exc_info=task.exception())
        asyncio.get_running_loop().call_soon(_raise_exit)


def _raise_exit() -> None:
    raise web.GracefulExit


class _NoTraceOfBadRequests(logging.Filter):
    """A request that is no HTTP, or has an overlong address or header, is the client's mistake: one line of the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.msg, record.args = "A request was refused with %d: %s", (error.code, type(error).__name__)
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
            record.exc_info = None
        return True


_REQUESTS = logging.getLogger(f"{__name__}.requests")
_REQUESTS.addFilter(_NoTraceOfBadRequests())


async def start(app: web.Application, port: int) -> tuple[web.AppRunner, str]:
    """Listen on loopback (port 0: a free one); returns the runner and the base URL."""
    runner = web.AppRunner(app, access_log=None, logger=_REQUESTS, shutdown_timeout=2)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, port)
    await site.start()
    bound = runner.addresses[0][1]
    return runner, f"http://{LOOPBACK}:{bound}"
