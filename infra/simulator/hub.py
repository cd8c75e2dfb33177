"""Live WebSocket connections, their subscriptions, and the one queue in which everything is made durable and sent.

An input changes the state at once; its frames and its answer leave only after the disk has it, in the order of the
inputs. Waiting inputs share one fsync.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
from aiohttp import web

from infra.simulator.api.shapes.frames import PRIVATE, Frame
from infra.simulator.disk.durable import DurableExchange
from infra.simulator.faults.desk import Connection as At
from infra.simulator.injection import Injection

SEND_TIMEOUT_S = 10.0
T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Connection:
    """One WebSocket. ``sent`` counts the topic frames sent on it."""

    conn_id: str
    category: str
    socket: web.WebSocketResponse
    transport: asyncio.Transport | None = None
    topics: set[str] = field(default_factory=set)
    account: str | None = None
    sent: int = 0
    address: str = ""

    @property
    def at(self) -> At:
        """As faults see it."""
        return At(self.category, self.account)

    def cut(self) -> None:
        """Break it without a farewell."""
        if self.transport is not None:
            self.transport.abort()

    @property
    def counts(self) -> bool:
        """Whether the lockstep compares this connection: it is subscribed to something."""
        return bool(self.topics)

    async def pong(self, data: bytes) -> None:
        """Answer a ping of the protocol."""
        with suppress(ConnectionError):
            await self.socket.pong(data)

    async def send(self, body: dict[str, Any] | bytes) -> None:
        """Send one message; a client that does not read is cut off."""
        if self.socket.closed:
            return
        text = body if isinstance(body, bytes) else orjson.dumps(body)
        try:
            await asyncio.wait_for(self.socket.send_str(text.decode()), SEND_TIMEOUT_S)
        except (ConnectionError, TimeoutError):
            await self.socket.close()


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What leaves after the disk has the input: an ack and frames to one connection, or frames to all listeners."""

    frames: Sequence[Frame]
    done: asyncio.Future[None]
    only: Connection | None = None
    ack: dict[str, Any] | None = None


class Hub:
    """Registry of connections and the sending queue."""

    def __init__(self, durable: DurableExchange, faults: Injection) -> None:
        self.durable = durable
        self.faults = faults
        self._released_ms = 0
        self.connections: dict[str, Connection] = {}
        self._parcels: list[_Parcel] = []
        self._wake = asyncio.Event()

    def sent(self) -> dict[str, int]:
        """Topic frames sent, by connection, of every connection that counts."""
        return {one.conn_id: one.sent for one in self.connections.values() if one.counts}

    async def act(self, change: Callable[[], T], frames_of: Callable[[T], Sequence[Frame]] | None = None) -> T:
        """Apply a change now, and what faults make of it; return its result when it is on the disk and its frames are
        sent."""
        result = change()
        frames = list(frames_of(result)) if frames_of is not None else []
        self.faults.pump()
        self.durable.skew_ms = self.faults.desk.skew_ms
        connected = {conn_id: connection.at for conn_id, connection in self.connections.items()}
        for conn_id in self.faults.desk.broken(connected):
            self.connections[conn_id].cut()
        await self._post([*frames, *self.durable.drain()])
        return result

    async def settle(self) -> None:
        """Wait until everything made so far has been sent."""
        await self._post(())

    async def deliver(self, connection: Connection, ack: dict[str, Any], frames: Sequence[Frame]) -> None:
        """Send an ack and then a newcomer's snapshots, in line with all other frames."""
        await self._post(frames, connection, ack)

    async def _post(
        self, frames: Sequence[Frame], only: Connection | None = None, ack: dict[str, Any] | None = None
    ) -> None:
        done = asyncio.get_running_loop().create_future()
        self._parcels.append(_Parcel(frames, done, only, ack))
        self._wake.set()
        await done

    async def run(self) -> None:
        """The sending queue: take what waits, fsync once, send in order. Runs until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            parcels, self._parcels = self._parcels, []
            await loop.run_in_executor(None, self.durable.sync)
            for parcel in parcels:
                await self._release()
                await self._send(parcel)
                if not parcel.done.done():
                    parcel.done.set_result(None)
            self.durable.keep_snapshots()

    async def _send(self, parcel: _Parcel) -> None:
        if parcel.only is not None and parcel.ack is not None:
            await parcel.only.send(parcel.ack)
        for frame in parcel.frames:
            topic = frame.frame["topic"]
            listeners = [parcel.only] if parcel.only is not None else self._listeners(frame, topic)
            if not listeners:
                continue
            body, now_ms = orjson.dumps(frame.frame), self.durable.exchange.market_time
            for connection in listeners:
                for one in self.faults.dealer.deal(connection.conn_id, connection.at, topic, body, now_ms):
                    connection.sent += 1
                    await connection.send(one)

    async def _release(self) -> None:
        """Once time has moved: what was held back and is due."""
        now_ms = self.durable.exchange.market_time
        if now_ms <= self._released_ms:
            return
        self._released_ms = now_ms
        for conn_id, body in self.faults.dealer.release(now_ms):
            connection = self.connections.get(conn_id)
            if connection is not None:
                connection.sent += 1
                await connection.send(body)

    def _listeners(self, frame: Frame, topic: str) -> list[Connection]:
        return [
            one
            for one in self.connections.values()
            if one.category == frame.category
            and topic in one.topics
            and (frame.category != PRIVATE or one.account == frame.account)
        ]
