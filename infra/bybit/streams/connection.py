"""One supervised WebSocket connection on pybit: raw frames, visible states, rebuilt with growing delay (IF-2, DA-1).

pybit's own handling of acknowledgements, books and reconnects is bypassed: each of them can kill a stream silently or
hammer the exchange. States: DOWN → CONNECTED → AUTHENTICATED → SUBSCRIBED.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from typing import Any

from pybit.unified_trading import WebSocket
from websocket import WebSocketTimeoutException

from infra.bybit.credentials import AccountKey
from infra.bybit.parsing.fields import shown_text
from infra.bybit.parsing.reading import read_json
from infra.bybit.session import silence_libraries
from infra.bybit.streams.pace import ReconnectPace
from infra.proxy import ProxyAddress, proxy_for

_log = logging.getLogger(__name__)

TOPICS_A_REQUEST = 10
"""The exchange takes at most this many topics in one request (spot)."""

PING_EVERY_S = 20
PONG_WITHIN_S = 10
"""What the exchange recommends; a connection that is half open is noticed after both together at the latest."""

ACKNOWLEDGE_S = 10.0


class StreamState(StrEnum):
    """Life of a connection. Nothing of it is trusted before SUBSCRIBED."""

    DOWN = "DOWN"
    CONNECTED = "CONNECTED"
    AUTHENTICATED = "AUTHENTICATED"
    SUBSCRIBED = "SUBSCRIBED"


class StreamRefusedError(Exception):
    """The exchange refused authentication or a subscription, or did not answer in time."""


class _Socket(WebSocket):  # type: ignore[misc, unused-ignore]
    """pybit's WebSocket at any address, without its reconnects, reporting what happens instead of raising."""

    def __init__(
        self,
        base: str,
        channel: str,
        key: AccountKey | None,
        on_frame: Callable[[Any], None],
        proxy: ProxyAddress | None = None,
    ) -> None:
        self._base = base.rstrip("/")
        self._way = _way(proxy_for(self._base, proxy))
        self.broken = ""
        self.timed_out = False
        self.heard_at = time.monotonic()
        super().__init__(
            channel_type=channel,
            testnet=False,
            api_key=key.api_key.get_secret_value() if key else None,
            api_secret=key.api_secret.get_secret_value() if key else None,
            callback_function=on_frame,
            restart_on_error=False,
            ping_interval=PING_EVERY_S,
            ping_timeout=PONG_WITHIN_S,
            retries=2,  # with 1 pybit raises even after success
            private_auth_expire=10,
        )

    def __repr__(self) -> str:
        return f"_Socket({self._base})"

    @property
    def ws(self) -> Any:
        return self._app

    @ws.setter
    def ws(self, app: Any) -> None:
        # pybit calls `run_forever` without the proxy's arguments, and the library then reads the environment's. It
        # would also verify the encoding byte by byte in Python, a quarter of the order
        # manager's work; `_on_message` does.
        if app is not None:
            app.run_forever = partial(app.run_forever, skip_utf8_validation=True, **self._way)
        self._app = app

    def _connect(self, url: str) -> None:
        path = url.partition("://")[2].partition("/")[2]
        super()._connect(f"{self._base}/{path}")

    def _on_message(self, message: bytes) -> None:
        self.heard_at = time.monotonic()
        # As pybit does it, but for a reader that takes no field twice; bytes that are not UTF-8 raise here.
        frame = read_json(message.decode())
        if not self._is_custom_pong(frame):
            self.callback(frame)

    def _on_error(self, error: Any) -> None:
        # pybit would raise on the socket's thread, where it would be lost; the supervisor reads `broken`.
        self.timed_out = isinstance(error, WebSocketTimeoutException)
        self.broken = f"{type(error).__name__}: {error}"

    def send(self, message: dict[str, Any]) -> None:
        self.ws.send(json.dumps(message))


def _way(proxy: ProxyAddress | None) -> dict[str, Any]:
    """Arguments of `run_forever`: the proxy if there is one; the environment is never asked."""
    if proxy is None:
        # The library asks the environment unless a proxy is named; this one is named, and used for no host.
        return {
            "http_proxy_host": "none.invalid",
            "http_proxy_port": 1,
            "http_no_proxy": ["*"],
            "proxy_type": "http",
        }
    login = (proxy.user, proxy.password) if proxy.user else None
    return {
        "http_proxy_host": proxy.host,
        "http_proxy_port": proxy.port,
        "http_proxy_auth": login,
        "http_no_proxy": ["localhost"],
        "proxy_type": "http",
    }


class Connection:
    """A connection that keeps itself alive from `start` to `stop`.

    `on_topic` gets every frame with a topic, on the socket's thread; an exception of it breaks the connection visibly
    (the frame is then not counted). `on_building` is called before each attempt, `on_up` after each successful
    subscription with the number of times the connection has come up. `silence_s` bounds the time without any message
    (pongs included), `stale_s` (None in lockstep, where market time may stand still) that without a topic frame.
    """

    def __init__(
        self,
        name: str,
        base: str,
        channel: str,
        topics: Sequence[str],
        on_topic: Callable[[dict[str, Any]], None],
        on_up: Callable[[int], None],
        key: AccountKey | None = None,
        on_building: Callable[[], None] = lambda: None,
        silence_s: float = 60.0,
        stale_s: float | None = None,
        proxy: ProxyAddress | None = None,
    ) -> None:
        self.name = name
        self.state = StreamState.DOWN
        self.connection_id = ""
        self.frames = 0
        self.fault = f"stream {name} has not connected yet"
        """Why it does not deliver, as a phrase; "" when it does."""
        self._base, self._channel, self._key = base, channel, key
        self._topics = list(topics)
        self._on_topic, self._on_up, self._on_building = on_topic, on_up, on_building
        self._silence_s, self._stale_s = silence_s, stale_s
        self._proxy = proxy
        self._socket: _Socket | None = None
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._acks = 0
        self._authenticated = False
        self._refused = ""
        self._topic_at = self.data_at = self._lived_at = time.monotonic()
        self._times_up = 0
        self._generation = 0
        self._thread: threading.Thread | None = None

    # --- life ---

    def start(self) -> None:
        """Connect and supervise on an own thread."""
        self._thread = threading.Thread(target=self._supervise, name=f"stream {self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close and end the supervision."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=15)
        self._tear_down("stopped")

    def resubscribe(self, topic: str) -> None:
        """Ask for a fresh snapshot of a topic (after a gap in a book)."""
        socket = self._socket
        if socket is not None:
            socket.send({"op": "unsubscribe", "req_id": f"gap-{topic}", "args": [topic]})
            socket.send({"op": "subscribe", "req_id": f"again-{topic}", "args": [topic]})

    @property
    def silence_s(self) -> float:
        """0 while it is subscribed and lives; else seconds since it was last known to: the instant at which it broke,
        or, where it fell silent, that of the last message."""
        socket, now = self._socket, time.monotonic()
        if socket is None or self.state is not StreamState.SUBSCRIBED:
            return now - self._lived_at
        quiet_s = now - socket.heard_at
        return quiet_s if quiet_s > PING_EVERY_S + PONG_WITHIN_S else 0.0

    @property
    def data_age_s(self) -> float:
        """Seconds since the last topic frame; a reconnect does not make data newer."""
        return time.monotonic() - self.data_at

    def received(self) -> tuple[str, int] | None:
        """Connection id and topic frames handled; None while the connection is down or its id is not known."""
        with self._lock:
            return (self.connection_id, self.frames) if self.connection_id else None

    def _supervise(self) -> None:
        silence_libraries()
        pace = ReconnectPace()
        while not self._stop.is_set():
            try:
                self._build()
            except Exception as error:  # noqa: BLE001 - whatever the socket library raises: visible, then again
                self._tear_down(f"stream {self.name} could not be set up: {error}")
                pause_s = pace.pause_s(time.monotonic(), was_up=False)
                _log.warning("%s; next attempt in %.1f s", self.fault, pause_s)
                self._stop.wait(pause_s)
                continue
            trouble = self._watch()
            self._lived_at = self._last_sign()
            if self._stop.is_set():
                return
            self._tear_down(trouble)
            pause_s = pace.pause_s(time.monotonic(), was_up=True)
            _log.warning("%s; it is rebuilt in %.1f s", trouble, pause_s)
            self._stop.wait(pause_s)

    def _build(self) -> None:
        with self._lock:
            self._generation += 1
            generation = self._generation
            self.connection_id, self.frames = "", 0
            self._acks, self._authenticated, self._refused = 0, False, ""
        self._on_building()
        self._socket = _Socket(
            self._base, self._channel, self._key, lambda frame: self._take(generation, frame), self._proxy
        )
        self.state = StreamState.CONNECTED
        if self._key is not None:
            self._await(lambda: self._authenticated, "authentication")
        self.state = StreamState.AUTHENTICATED
        chunks = [self._topics[i : i + TOPICS_A_REQUEST] for i in range(0, len(self._topics), TOPICS_A_REQUEST)]
        for number, chunk in enumerate(chunks):
            self._socket.send({"op": "subscribe", "req_id": f"{self.name}-{generation}-{number}", "args": chunk})
        self._await(lambda: self._acks >= len(chunks), "subscription")
        self._topic_at = time.monotonic()
        self._times_up += 1
        # Before the fault is withdrawn: a state without fault must already show the gap.
        self._on_up(self._times_up)
        self.state, self.fault = StreamState.SUBSCRIBED, ""

    def _await(self, done: Callable[[], bool], what: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: done() or bool(self._refused) or self._stop.is_set(), ACKNOWLEDGE_S)
            if self._refused or not done():
                reason = self._refused or f"no answer within {ACKNOWLEDGE_S:.0f} s"
                raise StreamRefusedError(f"{what} failed: {reason}")

    def _watch(self) -> str:
        """Return the trouble once there is one."""
        socket = self._socket
        assert socket is not None
        while not self._stop.wait(0.1):
            now = time.monotonic()
            if socket.broken or not socket.is_connected():
                return f"stream {self.name} broke: {socket.broken or 'the connection was closed'}"
            if self._refused:
                return f"stream {self.name} was refused: {self._refused}"
            if now - socket.heard_at > self._silence_s:
                return f"stream {self.name} has been silent for {now - socket.heard_at:.0f} s"
            if self._stale_s is not None and now - self._topic_at > self._stale_s:
                return f"stream {self.name} has brought no data for {now - self._topic_at:.0f} s"
        return ""

    def _last_sign(self) -> float:
        """When the connection that has just been lost was last known to live."""
        socket, now = self._socket, time.monotonic()
        is_mute = socket is not None and (socket.timed_out or now - socket.heard_at > self._silence_s)
        return socket.heard_at if socket is not None and is_mute else now

    def _tear_down(self, fault: str) -> None:
        with self._lock:
            self._generation += 1
            self.connection_id = ""
        socket, self._socket = self._socket, None
        self.state, self.fault = StreamState.DOWN, fault
        if socket is not None:
            socket.exit()

    # --- frames, on the socket's thread ---

    def _take(self, generation: int, frame: Any) -> None:
        if generation != self._generation or not isinstance(frame, dict):
            return
        if "topic" in frame:
            try:
                self._on_topic(frame)
            except Exception as error:  # noqa: BLE001 - on this thread an exception would vanish: break visibly
                _log.exception("a frame of stream %s could not be handled", self.name)
                topic, why = shown_text(frame["topic"], 80), shown_text(str(error))
                self._note(refused=f"a frame of topic {topic!r} could not be handled: {why}")
                return
            with self._lock:
                if generation == self._generation:
                    self.frames += 1
            self._topic_at = self.data_at = time.monotonic()
            return
        connection_id = frame.get("conn_id") or frame.get("connId")
        if isinstance(connection_id, str) and connection_id:
            with self._lock:
                if generation == self._generation:
                    self.connection_id = connection_id
        operation, good = frame.get("op"), frame.get("success")
        if operation == "auth":
            self._note(authenticated=good is True, refused="" if good is True else _words(frame))
        elif operation == "subscribe":
            self._note(acks=1 if good is True else 0, refused="" if good is True else _words(frame))

    def _note(self, *, authenticated: bool = False, acks: int = 0, refused: str = "") -> None:
        with self._changed:
            self._authenticated |= authenticated
            self._acks += acks
            self._refused = self._refused or refused
            self._changed.notify_all()


def _words(frame: dict[str, Any]) -> str:
    return f"the exchange refused {shown_text(frame.get('op'), 40)!r}: {shown_text(frame.get('ret_msg'))!r}"
