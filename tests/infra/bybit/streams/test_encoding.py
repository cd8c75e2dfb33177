"""The encoding of frames, over a real socket: verified once, by our reader and not by the library byte by byte."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.sync.server import ServerConnection, serve

from infra.bybit.streams.connection import Connection, StreamState
from tests.waiting import until

NAME = "Вечный 永久"
GOOD = json.dumps({"topic": "tickers.X", "data": NAME}, ensure_ascii=False).encode()
BROKEN = b'{"topic": "tickers.X", "data": "\xff\xfe"}'
CUT = GOOD[: GOOD.index(b"\xd0") + 1]
"""Ends in the middle of a character."""


@contextmanager
def exchange_sending(frames: list[bytes]) -> Iterator[str]:
    """A server that acknowledges the subscription and then sends these as text frames; its address."""

    def talk(peer: ServerConnection) -> None:
        for text in peer:
            asked = json.loads(text)
            peer.send(json.dumps({"op": asked["op"], "success": True, "req_id": asked.get("req_id")}))
            if asked["op"] == "subscribe":
                for frame in frames:
                    peer.send(frame, text=True)

    with serve(talk, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"


@contextmanager
def connected(address: str, taken: list[object]) -> Iterator[Connection]:
    one = Connection(
        "public", address, "linear", ["tickers.X"], lambda frame: taken.append(frame["data"]), lambda _t: None
    )
    one.start()
    try:
        yield one
    finally:
        one.stop()


def test_characters_of_several_bytes_arrive_as_sent() -> None:
    taken: list[object] = []
    with exchange_sending([GOOD]) as address, connected(address, taken) as one:
        # The frame follows the acknowledgement at once, so it may be taken before the supervisor has noticed that.
        until(lambda: taken == [NAME] and one.state is StreamState.SUBSCRIBED)
        assert one.frames == 1


def test_a_frame_that_is_not_utf_8_breaks_the_connection_visibly() -> None:
    """Taken for whole, it would be a frame lost in silence; broken, it is a gap that reconciliation closes."""
    for bad in (BROKEN, CUT):
        taken: list[object] = []
        with exchange_sending([GOOD, bad, GOOD]) as address, connected(address, taken) as one:
            until(lambda one=one: "UnicodeDecodeError" in one.fault)  # type: ignore[misc]
            assert taken[0] == NAME
