"""The WebSocket endpoints: auth, subscribe, unsubscribe, ping, with the acks of each kind of stream."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from aiohttp import WSMsgType, web

from infra.simulator.api.faithful_json import UnfaithfulError, read_json
from infra.simulator.api.params import MAX_INTEGER
from infra.simulator.api.protection import TOPICS as DCP_TOPICS
from infra.simulator.api.shapes.frames import PRIVATE, check_private_topics
from infra.simulator.api.shapes.topics import STATUS, InvalidTopic
from infra.simulator.credentials import check_stream_auth
from infra.simulator.entrance import Entrance
from infra.simulator.hub import Connection, Hub
from infra.simulator.sockets.idle import receive_timeout_s
from infra.simulator.venue.errors import VenueError
from infra.simulator.wall_clock import wall_ms

PUBLIC = ("spot", "linear", "inverse", "option")
MAX_SPOT_ARGS = 10
LONGEST_TOPIC = 64
LONGEST_ECHO = 128


def _request(data: str) -> dict[str, Any] | None:
    """A client's message; None unless it is an object with an ``op`` and, if any, a ``req_id`` of short texts (a
    number of 64 bits is taken for its text)."""
    try:
        body = read_json(data, number=float)
    except UnfaithfulError:
        return None
    if not isinstance(body, dict):
        return None
    body = {"op": "", **body}
    if type(number := body.get("req_id")) is int and abs(number) <= MAX_INTEGER:
        body["req_id"] = str(number)
    echoed = [body["op"], body.get("req_id", "")]
    is_plain = all(isinstance(one, str) and len(one) <= LONGEST_ECHO and one.isprintable() for one in echoed)
    return body if is_plain else None


class Streams:
    """Handles the sockets of ``/v5/public/*`` and ``/v5/private``."""

    def __init__(self, hub: Hub, entrance: Entrance, ack_delay_ms: int) -> None:
        self._hub = hub
        self._entrance = entrance
        self._ack_delay_s = ack_delay_ms / 1000
        self._unguarded: set[asyncio.Task[None]] = set()

    async def public(self, request: web.Request) -> web.StreamResponse:
        """A public stream; inverse and option exist but carry no topics."""
        return await self._serve(request, request.match_info["category"])

    async def status(self, request: web.Request) -> web.StreamResponse:
        """The stream ``/v5/public/misc/status`` of the topic ``system.status``."""
        return await self._serve(request, STATUS)

    async def private(self, request: web.Request) -> web.StreamResponse:
        """A private stream: nothing before auth."""
        return await self._serve(request, PRIVATE)

    async def _serve(self, request: web.Request, category: str) -> web.StreamResponse:
        if self._hub.faults.desk.refuses(category):
            return web.Response(status=503, text="503 Service Unavailable")
        socket = web.WebSocketResponse(
            compress=False, heartbeat=None, autoping=False, receive_timeout=receive_timeout_s(request)
        )
        await socket.prepare(request)
        connection = Connection(
            secrets.token_hex(10), category, socket, request.transport, address=request.remote or ""
        )
        self._hub.connections[connection.conn_id] = connection
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._on_text(connection, message.data)
                elif message.type is WSMsgType.PING and not self._hub.faults.desk.is_deaf(connection.at):
                    await connection.pong(message.data)
        except TimeoutError:
            await socket.close(code=1000, message=b"idle")
        finally:
            del self._hub.connections[connection.conn_id]
            self._hub.faults.dealer.forget(connection.conn_id)
            self._leave(connection, sorted(connection.topics))
            self._start_windows(connection)
        return socket

    def _start_windows(self, connection: Connection) -> None:
        """A connection that guarded orders is gone: without another one they are cancelled after their window."""
        for topic in sorted(connection.topics & DCP_TOPICS.keys()):
            windows = self._hub.durable.exchange.venue.registry.dcp_s.get(connection.account or "", {})
            if (window_s := windows.get(DCP_TOPICS[topic])) is not None and connection.account is not None:
                task = asyncio.create_task(self._wait_unguarded(connection.account, topic, window_s))
                self._unguarded.add(task)
                task.add_done_callback(self._unguarded.discard)

    async def _wait_unguarded(self, account: str, topic: str, window_s: int) -> None:
        end_s = asyncio.get_running_loop().time() + window_s
        while not any(one.account == account and topic in one.topics for one in self._hub.connections.values()):
            if (left_s := end_s - asyncio.get_running_loop().time()) <= 0:
                break
            await asyncio.sleep(min(left_s, 0.5))
        else:
            return  # guarded again
        await self._hub.act(lambda: self._hub.durable.cancel_unguarded(account, DCP_TOPICS[topic]))

    async def _on_text(self, connection: Connection, data: str) -> None:
        body = _request(data)
        if body is None:
            await connection.send(self._ack(connection, {}, "", success=False, message="Params Error"))
            return
        op = body["op"]
        if op == "ping":
            if self._hub.faults.desk.is_deaf(connection.at):
                return
            await connection.send(self._pong(connection, body))
        elif op == "auth" and connection.category == PRIVATE:
            await connection.send(self._auth(connection, body))
        elif op in ("subscribe", "unsubscribe"):
            # Clients register a subscription only after sending it; a moment's delay is a courtesy to them.
            await asyncio.sleep(self._ack_delay_s)
            await self._subscription(connection, body, op)
        else:
            await connection.send(self._ack(connection, body, op, success=False, message=f"Invalid op: {op}"))

    def _pong(self, connection: Connection, body: dict[str, Any]) -> dict[str, Any]:
        stamp = str(wall_ms())
        if connection.category == "option":
            return {"args": [stamp], "op": "pong"}
        if connection.category == PRIVATE:
            known = {"req_id": body["req_id"]} if "req_id" in body else {}
            return known | {"op": "pong", "args": [stamp], "conn_id": connection.conn_id}
        pong: dict[str, Any] = {"success": True, "ret_msg": "pong", "conn_id": connection.conn_id}
        if connection.category != "spot" or "req_id" in body:
            pong["req_id"] = body.get("req_id", "")
        return pong | {"op": "ping"}

    def _auth(self, connection: Connection, body: dict[str, Any]) -> dict[str, Any]:
        try:
            key = check_stream_auth(self._entrance.keys, body.get("args"), wall_ms())
            self._entrance.check_usable(key, connection.address)
        except VenueError as error:
            return self._ack(connection, body, "auth", success=False, message=error.message)
        connection.account = key.account
        return self._ack(connection, body, "auth", success=True, message="")

    async def _subscription(self, connection: Connection, body: dict[str, Any], op: str) -> None:
        topics = body.get("args")
        try:
            if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
                raise InvalidTopic("Params Error")
            if any(len(topic) > LONGEST_TOPIC or not topic.isprintable() for topic in topics):
                raise InvalidTopic("Params Error")
            if connection.category == PRIVATE and connection.account is None:
                raise InvalidTopic("Request not authorized")
            if connection.category == "spot" and len(topics) > MAX_SPOT_ARGS:
                raise InvalidTopic("args size >10")
            if connection.category == PRIVATE and op == "subscribe":
                check_private_topics(topics)
            if op == "unsubscribe":
                self._leave(connection, [topic for topic in topics if topic in connection.topics])
                connection.topics.difference_update(topics)
                frames = []
            else:
                new = [topic for topic in dict.fromkeys(topics) if topic not in connection.topics]
                frames = self._hub.durable.exchange.subscribe(
                    self._checked(connection, new), category=connection.category, account=connection.account
                )
                connection.topics.update(new)
        except InvalidTopic as error:
            await connection.send(self._ack(connection, body, op, success=False, message=str(error)))
            return
        message = op if connection.category == "spot" else ""
        await self._hub.deliver(connection, self._ack(connection, body, op, success=True, message=message), frames)

    def _checked(self, connection: Connection, topics: list[str]) -> list[str]:
        if connection.category in ("inverse", "option") and topics:
            raise InvalidTopic(f"error:handler not found,topic:{topics[0]}")
        return topics

    def _leave(self, connection: Connection, topics: list[str]) -> None:
        self._hub.durable.exchange.unsubscribe(topics, category=connection.category, account=connection.account)

    def _ack(
        self, connection: Connection, body: dict[str, Any], op: str, *, success: bool, message: str
    ) -> dict[str, Any]:
        ack = {"success": success, "ret_msg": message, "op": op, "conn_id": connection.conn_id}
        if "req_id" in body or connection.category == "linear":
            ack["req_id"] = body.get("req_id", "")
        return ack
