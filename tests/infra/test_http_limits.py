"""An answer ends, one way or the other: a peer who drips or never ends holds no lane (the lane waited for ever)."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import requests

from infra.bybit.credentials import Credentials
from infra.bybit.errors import Purpose, outcome_of
from infra.bybit.session import HttpSessions
from infra.feeds.source import FeedUnavailableError, HttpJson
from infra.http_limits import AnswerTooLargeError, bound
from statemachines.requests import Refused, Unknown
from statemachines.values import Account

GOOD = b'{"retCode":0,"retMsg":"OK","result":{"orderId":"1"},"retExtInfo":{},"time":1}'
ANSWER_S = 0.5
PATIENCE_S = 5.0
"""Far above the deadline of half a second, far below the ten seconds that a gap may have."""

Say = Callable[[socket.socket, threading.Event], None]


def drip(sock: socket.socket, ended: threading.Event, text: bytes) -> None:
    """One byte every 50 ms, so that no single wait is long."""
    for byte in text:
        if ended.wait(0.05):
            return
        sock.sendall(bytes([byte]))


def dripping_head(sock: socket.socket, ended: threading.Event) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    drip(sock, ended, b"X-Nothing: at all\r\n" * 1_000)


def dripping_status(sock: socket.socket, ended: threading.Event) -> None:
    drip(sock, ended, b"HTTP/1.1 200 " + b"O" * 10_000)


def dripping_body(sock: socket.socket, ended: threading.Event) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    drip(sock, ended, b" " * 100_000)


def dripping_chunks(sock: socket.socket, ended: threading.Event) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    drip(sock, ended, b"1\r\n \r\n" * 10_000)


def dripping_without_length(sock: socket.socket, ended: threading.Event) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    drip(sock, ended, b" " * 100_000)


def endless(sock: socket.socket, ended: threading.Event) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while not ended.is_set():
        sock.sendall(b" " * 65536)


def packed(sock: socket.socket, ended: threading.Event) -> None:
    """A few kilobytes that unpack to 64 MB."""
    body = gzip.compress(b" " * (64 * 2**20))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    sock.sendall(head.encode() + body)


def good(sock: socket.socket, ended: threading.Event) -> None:
    sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(GOOD)}\r\n\r\n".encode() + GOOD)


@contextmanager
def peer(say: Say) -> Iterator[str]:
    """A server on a free port that says the same on every connection, request after request."""
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            while not ended.is_set() and sock.recv(65536):
                say(sock, ended)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


NEVER_ENDING = [dripping_head, dripping_status, dripping_body, dripping_chunks, dripping_without_length]


@pytest.mark.parametrize("say", NEVER_ENDING, ids=lambda say: say.__name__)
def test_a_placement_whose_answer_never_ends_is_unknown_after_the_deadline(say: Say) -> None:
    with peer(say) as url:
        session = HttpSessions(Credentials({}), url, answer_s=ANSWER_S).session(Account.TREND_1)
        began = time.monotonic()
        with pytest.raises(Exception) as raised:
            session.get_server_time()
        assert time.monotonic() - began < PATIENCE_S
    assert isinstance(outcome_of(raised.value, Purpose.WRITE), Unknown)
    read = outcome_of(raised.value, Purpose.READ)
    assert isinstance(read, Refused) and read.fault == "transient"


@pytest.mark.parametrize("say", [endless, packed], ids=lambda say: say.__name__)
def test_an_answer_that_is_too_large_is_not_read_to_its_end(say: Say) -> None:
    with peer(say) as url:
        session = HttpSessions(Credentials({}), url).session(Account.TREND_1)
        with pytest.raises(AnswerTooLargeError) as raised:
            session.get_server_time()
    assert isinstance(outcome_of(raised.value, Purpose.WRITE), Unknown)


@pytest.mark.parametrize("say", [dripping_head, dripping_body])
def test_a_feed_that_never_ends_is_unavailable(say: Say) -> None:
    """It is read in the lane of market data, which it would have held for ever."""
    with peer(say) as url:
        began = time.monotonic()
        with pytest.raises(FeedUnavailableError):
            HttpJson(url, answer_s=ANSWER_S)("/fng/", {})
        assert time.monotonic() - began < PATIENCE_S


def test_sound_answers_are_read_whole_one_after_another_on_one_connection() -> None:
    """The deadline belongs to an answer, not to the connection that is used again."""
    with peer(good) as url, requests.Session() as session:
        bound(session, answer_s=0.3)
        until = time.monotonic() + 0.7
        while time.monotonic() < until:
            assert session.get(url, timeout=10).content == GOOD
            time.sleep(0.05)
        bound(session, most_bytes=len(GOOD))
        assert session.get(url, timeout=10).content == GOOD
        bound(session, most_bytes=len(GOOD) - 1)
        with pytest.raises(AnswerTooLargeError):
            session.get(url, timeout=10)


def test_a_stream_of_bytes_that_never_pauses_ends_at_the_deadline_too() -> None:
    with peer(endless) as url, requests.Session() as session:
        bound(session, answer_s=0.3, most_bytes=2**40)
        began = time.monotonic()
        with pytest.raises(requests.exceptions.RequestException):
            session.get(url, timeout=10)
        assert time.monotonic() - began < PATIENCE_S


@pytest.mark.parametrize("say", [dripping_head, dripping_body])
def test_a_proxy_is_bound_as_the_exchange_is(say: Say) -> None:
    with peer(say) as url, requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": url}
        bound(session, answer_s=ANSWER_S)
        began = time.monotonic()
        with pytest.raises(requests.exceptions.RequestException):
            session.get("http://exchange.invalid/", timeout=10)
        assert time.monotonic() - began < PATIENCE_S
