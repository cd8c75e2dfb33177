"""How long and how large an answer over HTTP may be: limits of the whole answer, in one place for every client of ours.

A time-out of `requests` counts each wait for the next bytes, so that a peer who drips one byte now and then, or never
ends, would block its caller (a request queue to the exchange). Here head and body together have one deadline, and the
body has a size, also after it was unpacked. What exceeds them raises an exception of `requests`: the outcome is not
known.
"""

from __future__ import annotations

import http.client
import io
import time
from typing import Any, cast

import requests
from requests.adapters import DEFAULT_POOLBLOCK, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

ANSWER_S = 30.0
"""Seconds from the end of the request to the end of the answer; the slowest sound answer takes a few."""

MAX_ANSWER_BYTES = 16 * 2**20
"""The largest sound answer, the list of all instruments, has about 2 MB."""

_CHUNK = 64 * 1024


class AnswerTooLargeError(requests.exceptions.RequestException):
    """The body of an answer has more than the bytes allowed; the rest was not read."""


class _Deadline(io.RawIOBase):
    """The bytes of a socket until an instant of the monotonic clock; after it every read raises TimeoutError."""

    def __init__(self, sock: Any, until: float) -> None:
        self._sock = sock
        self._gap_s: float | None = sock.gettimeout()
        self._until = until
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer did not end in time")
        self._sock.settimeout(left if self._gap_s is None else min(left, self._gap_s))
        return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


def _response_class(answer_s: float) -> type[http.client.HTTPResponse]:
    class Response(http.client.HTTPResponse):
        def __init__(self, sock: Any, *further: Any, **named: Any) -> None:
            super().__init__(sock, *further, **named)
            self.fp.close()
            self.fp = io.BufferedReader(_Deadline(sock, time.monotonic() + answer_s))

    return Response


def _pool_classes(answer_s: float) -> dict[str, type[HTTPConnectionPool]]:
    answers = _response_class(answer_s)

    class Plain(HTTPConnection):
        response_class = answers

    class Secure(HTTPSConnection):
        response_class = answers

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class BoundedAdapter(HTTPAdapter):
    """The transport of a `requests.Session` whose answers end, one way or the other."""

    def __init__(self, answer_s: float = ANSWER_S, most_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._pools = _pool_classes(answer_s)
        self._most_bytes = most_bytes
        super().__init__()

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = DEFAULT_POOLBLOCK, **pool_kwargs: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: Any, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def send(self, request: Any, *further: Any, **named: Any) -> requests.Response:
        """The answer with its body read; `stream` is not supported."""
        response = super().send(request, *further, **named)
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > self._most_bytes:
                response.close()
                raise AnswerTooLargeError(f"the answer has more than {self._most_bytes} bytes", request=request)
        response._content = bytes(body)  # noqa: SLF001 - where `requests` keeps a body that was read
        return response


def bound(session: requests.Session, answer_s: float = ANSWER_S, most_bytes: int = MAX_ANSWER_BYTES) -> None:
    """Give all answers of a session these limits."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(answer_s, most_bytes))
