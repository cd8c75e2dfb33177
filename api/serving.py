"""Running the HTTP server inside an actor: a port that is waited for, and a loop whose turns can be counted."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import uvicorn

PORT_PATIENCE_S = 20.0
"""How long a new incarnation waits for its port: a frozen predecessor may hold it for some seconds (RAY.md 3)."""


class CountingServer(uvicorn.Server):
    """`turns` grows ten times a second while the event loop works; when it stands still, the loop is stuck."""

    turns = 0

    async def on_tick(self, counter: int) -> bool:
        """One turn of the server's own loop."""
        self.turns += 1
        return bool(await super().on_tick(counter))


def make_server(app: Any) -> CountingServer:
    """A quiet server: no access log (addresses may carry what is nobody's business), no configuration of logging."""
    return CountingServer(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", server_header=False))


def listen(host: str, port: int, patience_s: float = PORT_PATIENCE_S) -> socket.socket:
    """A listening socket on the port; tried until the patience is over.

    Raises:
        OSError: the port stays taken, or the host is not an address of this machine.
    """
    until, pause = time.monotonic() + patience_s, threading.Event()
    while True:
        try:
            return socket.create_server((host, port), backlog=128)
        except OSError as error:
            if time.monotonic() >= until:
                raise OSError(f"the API cannot listen on {host}:{port}: {error.strerror or error}") from error
            pause.wait(0.2)
