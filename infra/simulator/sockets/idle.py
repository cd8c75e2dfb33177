"""When a WebSocket that says nothing is cut off."""

from __future__ import annotations

import re

from aiohttp import web

LONGEST_IDLE_S = 600
SHORTEST_IDLE_S = 30
_SECONDS = re.compile(r"([0-9]{1,3})s")


def receive_timeout_s(request: web.Request) -> float:
    """Ten minutes, or what the client asks for (``max_active_time=30s`` to ``600s``) on private and trade sockets."""
    asked = _SECONDS.fullmatch(request.query.get("max_active_time", ""))
    if asked is None or request.path.startswith("/v5/public"):
        return float(LONGEST_IDLE_S)
    return float(min(max(int(asked[1]), SHORTEST_IDLE_S), LONGEST_IDLE_S))
