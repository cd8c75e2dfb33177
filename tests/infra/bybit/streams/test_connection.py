"""DA-3, IF-2: the life of a connection, over a socket that does only what the test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from pydantic import SecretStr

from infra.bybit.credentials import AccountKey
from infra.bybit.streams import connection, pace
from infra.bybit.streams.connection import Connection, StreamState
from tests.waiting import until

TOPICS = ["order", "execution"]
PYBITS_ATTEMPTS = 10
"""After so many pybit gives up."""


class Socket:
    """Answers each request before `send` has returned; `log` has what was sent and what was answered."""

    def __init__(self, on_frame: Callable[[Any], None], log: list[str], auth: bool) -> None:
        self.broken, self.timed_out, self.heard_at = "", False, time.monotonic()
        self._on_frame, self._log = on_frame, log
        log.append("auth sent")
        if auth:
            self.answer({"op": "auth", "success": True})

    def answer(self, frame: dict[str, Any]) -> None:
        self._log.append(f"{frame['op']} answered")
        self._on_frame(frame)

    def send(self, message: dict[str, Any]) -> None:
        self._log.append(f"{message['op']} sent")
        self.answer({"op": message["op"], "success": True})

    def is_connected(self) -> bool:
        return True

    def exit(self) -> None:
        self._log.append("closed")


class Pauses(threading.Event):
    """Notes how long was waited instead of waiting, and is set after `count` pauses."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.asked: list[float] = []
        self._count = count

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout or 0.0)
        if len(self.asked) >= self._count:
            self.set()
        return self.is_set()


def private(on_up: Callable[[int], None]) -> Connection:
    key = AccountKey(SecretStr("key"), SecretStr("secret"), 42)
    return Connection("private", "ws://127.0.0.1:9", "private", TOPICS, lambda _frame: None, on_up, key)


def test_an_acknowledgement_that_comes_before_the_request_has_returned_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """pybit registers a subscription after it has sent it, and an acknowledgement that is faster is lost: under load up
    to a fifth of all subscriptions. The states have an order, too: CONNECTED, AUTHENTICATED, then SUBSCRIBED."""
    log: list[str] = []
    states: list[StreamState] = []
    monkeypatch.setattr(connection, "_Socket", lambda _base, _channel, _key, take, _proxy: Socket(take, log, auth=True))
    one = private(lambda _times: states.append(one.state))
    one.start()
    try:
        until(lambda: one.state is StreamState.SUBSCRIBED)
        assert log == ["auth sent", "auth answered", "subscribe sent", "subscribe answered"]
        assert states == [StreamState.AUTHENTICATED] and one.fault == ""
    finally:
        one.stop()
    assert one.state is StreamState.DOWN and log[-1] == "closed"


def test_nothing_is_sent_before_the_session_is_authenticated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere requests were replayed after a reconnect before the session had authenticated again."""
    log: list[str] = []
    ups: list[int] = []
    monkeypatch.setattr(connection, "ACKNOWLEDGE_S", 0.01)
    monkeypatch.setattr(
        connection, "_Socket", lambda _base, _channel, _key, take, _proxy: Socket(take, log, auth=False)
    )
    one = private(ups.append)
    one.start()
    try:
        until(lambda: "authentication failed" in one.fault)
        assert one.received() is None
    finally:
        one.stop()
    assert one.state is StreamState.DOWN and ups == []
    assert set(log) == {"auth sent", "closed"}


def test_attempts_to_connect_never_end_and_pause_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """pybit tries ten times within seconds and then gives up silently; tries without a pause break the exchange's limit
    of connections. Here they never end, and the pauses grow up to the longest."""
    attempts: list[str] = []

    def refuse(*_arguments: object) -> None:
        attempts.append("refused")
        raise ConnectionRefusedError("nothing listens there")

    monkeypatch.setattr(connection, "_Socket", refuse)
    one = private(lambda _times: None)
    pauses = Pauses(2 * PYBITS_ATTEMPTS)
    monkeypatch.setattr(one, "_stop", pauses)
    one.start()
    until(pauses.is_set)
    one.stop()
    assert len(attempts) == len(pauses.asked) == 2 * PYBITS_ATTEMPTS
    assert pauses.asked[0] == pace.FIRST_DELAY_S and pauses.asked[-1] == pace.LONGEST_DELAY_S
    assert all(later > earlier or later == pace.LONGEST_DELAY_S for earlier, later in pairwise(pauses.asked))
