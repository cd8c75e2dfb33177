"""The WebSocket endpoint ``/v5/trade``: orders by the routes, quotas and code of REST, answered on the socket."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from infra.simulator.api.context import envelope
from infra.simulator.api.exchange import ApiRequest
from infra.simulator.api.faithful_json import NotJsonError, UnfaithfulError, read_json
from infra.simulator.api.keys import ApiKey
from infra.simulator.api.params import MAX_INTEGER
from infra.simulator.api.routes import ROUTES
from infra.simulator.credentials import check_stream_auth, check_time
from infra.simulator.entrance import CATEGORIES, Entrance
from infra.simulator.faults.desk import asked_of
from infra.simulator.faults.plans import Answered, Asked, Silence
from infra.simulator.hub import Connection, Hub
from infra.simulator.ratelimit import RESET_HEADER
from infra.simulator.sockets.idle import receive_timeout_s
from infra.simulator.venue.errors import VenueError, params_error
from infra.simulator.wall_clock import wall_ms

TRADE = "trade"
PATHS = {
    "order.create": "/v5/order/create",
    "order.amend": "/v5/order/amend",
    "order.cancel": "/v5/order/cancel",
    "order.create-batch": "/v5/order/create-batch",
    "order.amend-batch": "/v5/order/amend-batch",
    "order.cancel-batch": "/v5/order/cancel-batch",
}
REQUESTS_PER_SECOND = 3_000
"""Of all trade sockets of one address (bybit-v5 3)."""

LONGEST_REQUEST_ID = 36
KEPT_REQUEST_IDS = 10_000


Work = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Unanswered(Exception):
    """A fault leaves the request without an answer that a socket can carry."""


@dataclass(slots=True)
class _Session:
    """One trade socket: its key once it is authenticated, and the request ids it has used."""

    connection: Connection
    address: str
    key: ApiKey | None = None
    used: set[str] = field(default_factory=set)
    order: deque[str] = field(default_factory=deque)

    def use(self, request_id: str) -> None:
        """20006 for an id that was used on this socket before."""
        if not request_id:
            return
        if request_id in self.used:
            raise VenueError(20006, "Duplicate reqId")
        self.used.add(request_id)
        self.order.append(request_id)
        if len(self.order) > KEPT_REQUEST_IDS:
            self.used.discard(self.order.popleft())


class TradeStream:
    """Handles the sockets of ``/v5/trade``."""

    def __init__(self, hub: Hub, entrance: Entrance) -> None:
        self._hub = hub
        self._entrance = entrance

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket until it closes or is idle for too long."""
        if self._hub.faults.desk.refuses(TRADE):
            return web.Response(status=503, text="503 Service Unavailable")
        socket = web.WebSocketResponse(
            compress=False, heartbeat=None, autoping=False, receive_timeout=receive_timeout_s(request)
        )
        await socket.prepare(request)
        session = _Session(Connection(secrets.token_hex(10), TRADE, socket, request.transport), request.remote or "")
        connections = self._hub.connections
        connections[session.connection.conn_id] = session.connection
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await session.connection.send(await self._answer(session, message.data))
                elif message.type is WSMsgType.PING and not self._hub.faults.desk.is_deaf(session.connection.at):
                    await session.connection.pong(message.data)
        except Unanswered:
            session.connection.cut()
        except TimeoutError:
            await socket.close(code=1000, message=b"idle")
        finally:
            del connections[session.connection.conn_id]
        return socket

    async def _answer(self, session: _Session, data: str) -> dict[str, Any]:
        try:
            body = _read(data)
        except UnfaithfulError as error:
            refused = {"reqId": "", "retCode": 10001, "retMsg": str(error), "op": "", "data": {}, "retExtInfo": {}}
            return {**refused, "header": {}, "connId": session.connection.conn_id}
        if body is None:
            return {"success": False, "ret_msg": "Params Error", "op": "", "conn_id": session.connection.conn_id}
        op, now_ms = body["op"], wall_ms() + self._hub.durable.skew_ms
        known = {"reqId": body["reqId"]} if body.get("reqId") else {}
        if op == "ping":
            pong = {"retCode": 0, "retMsg": "OK", "op": "pong", "data": [str(now_ms)]}
            return known | pong | {"connId": session.connection.conn_id}
        if op == "auth":
            return known | self._auth(session, body, now_ms)
        headers: dict[str, str] = {}
        try:
            answer = await self._order(session, body, op, now_ms, headers)
        except VenueError as error:
            answer = envelope(error.code, error.message, {}, {}, now_ms)
        headers |= {"Traceid": secrets.token_hex(16), "Timenow": str(now_ms)}
        return {
            "reqId": body.get("reqId", ""),
            "retCode": answer["retCode"],
            "retMsg": answer["retMsg"],
            "op": op,
            "data": answer["result"],
            "retExtInfo": answer["retExtInfo"],
            "header": headers,
            "connId": session.connection.conn_id,
        }

    def _auth(self, session: _Session, body: dict[str, Any], now_ms: int) -> dict[str, Any]:
        code, message = 0, "OK"
        try:
            if session.key is not None:
                raise VenueError(20001, "Repeat auth")
            key = check_stream_auth(self._entrance.keys, body.get("args"), now_ms)
            self._entrance.check_usable(key, session.address)
            session.key = key
        except VenueError as error:
            code, message = error.code, error.message
        return {"retCode": code, "retMsg": message, "op": "auth", "connId": session.connection.conn_id}

    async def _order(
        self, session: _Session, body: dict[str, Any], op: str, now_ms: int, headers: dict[str, str]
    ) -> dict[str, Any]:
        if session.key is None:
            raise VenueError(10007, "User authentication failed.")
        if not self._entrance.allows_trade_socket(session.address, REQUESTS_PER_SECOND, now_ms):
            raise VenueError(10403, "Exceeded the IP rate limit of 3000 requests a second.")
        path = PATHS.get(op)
        if path is None:
            raise VenueError(10404, f"op {op} is not found.")
        # The key may have been changed, or have ended, since the socket was authenticated.
        key = self._entrance.keys.get(session.key.key)
        if key is None:
            raise VenueError(10003, "API key is invalid.")
        self._entrance.check_usable(key, session.address)
        header = body.get("header")
        check_time({str(name).upper(): str(value) for name, value in _object(header, "header").items()}, now_ms)
        session.use(str(body.get("reqId", "")))
        arguments = body.get("args")
        if not isinstance(arguments, list) or len(arguments) != 1:
            raise params_error("params error: args must be a list of one object.")
        params = _object(arguments[0], "args[0]")
        if params.get("category") not in CATEGORIES:
            raise VenueError(10404, "category is not correct or not supported.")
        asked = asked_of("POST", path, params, key.account)

        async def work(reaching: dict[str, Any]) -> dict[str, Any]:
            return await self._carry_out(key, path, reaching, now_ms, headers)

        return await self._under_faults(asked, headers, work)

    async def _carry_out(
        self, key: ApiKey, path: str, params: dict[str, Any], now_ms: int, headers: dict[str, str]
    ) -> dict[str, Any]:
        route = ROUTES["POST", path]
        quota = self._entrance.quota(route, path, key, params, now_ms)
        granted: int | None = None
        if quota is not None:
            headers |= quota.headers()
            if not quota.allowed:
                raise VenueError(10006, "Too many visits. Exceeded the API Rate Limit.")
            granted = quota.granted if route.per_order else None
        return await self._entrance.answer(ApiRequest("POST", path, params, key.uid, key, granted))

    async def _under_faults(self, asked: Asked, headers: dict[str, str], work: Work) -> dict[str, Any]:
        """The answer as faults of requests leave it. What has no form on a socket (an HTTP page, a torn text, no answer
        at all) ends the connection."""
        plan = self._hub.faults.desk.plan(asked)
        if plan.delay_ms:
            await asyncio.sleep(plan.delay_ms / 1000)
        outcome = plan.outcome(None if plan.params is None else await work(dict(plan.params)))
        if isinstance(outcome, Silence):
            await asyncio.sleep(outcome.hang_ms / 1000)
        if not isinstance(outcome, Answered):
            raise Unanswered
        if outcome.wait_ms is not None:
            headers[RESET_HEADER] = str(wall_ms() + outcome.wait_ms)
        return outcome.body


def _read(data: str) -> dict[str, Any] | None:
    """A client's message; None unless it is an object with a short text ``op`` and, if any, a short ``reqId``. Raises
    ``UnfaithfulError`` for what cannot be written to the log of inputs."""
    try:
        body = read_json(data)
    except NotJsonError:
        return None
    if not isinstance(body, dict):
        return None
    body = {"op": "", **body}
    request_id = body.get("reqId", "")
    if isinstance(request_id, int) and not isinstance(request_id, bool) and abs(request_id) <= MAX_INTEGER:
        body["reqId"] = request_id = str(request_id)
    echoed = (body["op"], request_id)
    is_plain = all(isinstance(one, str) and len(one) <= LONGEST_REQUEST_ID and one.isprintable() for one in echoed)
    return body if is_plain else None


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise params_error(f"params error: {name} must be an object.")
    return value
