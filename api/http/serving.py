"""Running the HTTP server inside an actor: a port that is waited for, and a loop whose turns can be counted."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.http.tls import Certificate

IDLE_S = 15.0
LOOK_S = 3.0
"""How long a connection may stand open without a request under way, and how often that is looked at."""

CERTIFICATE_TURNS = 600
"""How often a renewed certificate is looked for: every minute."""

PORT_PATIENCE_S = 20.0
"""How long a new incarnation waits for its port: a frozen predecessor may hold it for some seconds (RAY.md 3)."""


END_PATIENCE_S = 2
"""How long the end of the server waits for requests under way; a stream of events would last for a minute."""


class Connection(H11Protocol):
    """A connection that ends when no request is under way on it for `IDLE_S`: the library ends only those that have had
    a request, so that a stranger could hold any number open with none, or with half of one."""

    _idle_looks = 0
    _look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look."""
        super().connection_made(transport)
        self._look = self.loop.call_later(LOOK_S, self._look_again)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def _look_again(self) -> None:
        is_working = self.cycle is not None and not self.cycle.response_complete
        self._idle_looks = 0 if is_working else self._idle_looks + 1
        if self._idle_looks * LOOK_S >= IDLE_S:
            self.transport.abort()
            return
        self._look = self.loop.call_later(LOOK_S, self._look_again)


class CountingServer(uvicorn.Server):
    """`turns` grows ten times a second while the event loop works; when it stands still, the loop is stuck."""

    turns = 0
    certificate: Certificate | None = None

    async def on_tick(self, counter: int) -> bool:
        """One turn of the server's own loop."""
        self.turns += 1
        if self.certificate is not None and self.turns % CERTIFICATE_TURNS == 0:
            await asyncio.to_thread(self.certificate.look)
        return bool(await super().on_tick(counter))


def make_server(
    app: Any, certificate: Certificate | None = None, trusted_proxies: Sequence[str] = ()
) -> CountingServer:
    """A quiet server: no access log (addresses may carry private data), no configuration of logging. What a proxy says
    of its client is believed of `trusted_proxies` alone."""
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        ssl_context_factory=None if certificate is None else lambda _config, _default: certificate.context,
        timeout_graceful_shutdown=END_PATIENCE_S,
    )
    server = CountingServer(config)
    server.certificate = certificate
    return server


def listen(host: str, port: int, patience_s: float = PORT_PATIENCE_S) -> socket.socket:
    """A listening socket on the port; tried until the patience is over.

    Raises:
        OSError: the port stays taken, or the host is not an address of this machine.
    """
    until, pause = time.monotonic() + patience_s, threading.Event()
    while True:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, port), family=family, backlog=128)
        except OSError as error:
            if time.monotonic() >= until:
                raise OSError(f"the API cannot listen on {host}:{port}: {error.strerror or error}") from error
            pause.wait(0.2)
