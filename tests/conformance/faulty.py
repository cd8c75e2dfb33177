"""Injecting faults into a running exchange, and a plain WebSocket client that sees what they do."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import websocket

from tests.conformance.process import SimulatorProcess


@contextmanager
def injected(simulator: SimulatorProcess, kind: str, **fields: Any) -> Iterator[str]:
    """The fault, active within the block and cleared after it."""
    made = simulator.control("POST", "/sim/faults", {"fault": {"kind": kind, **fields}})
    assert made.get("fault", {}).get("kind") == kind, made
    assert [one["id"] for one in simulator.control("GET", "/sim/faults")["faults"]] == [made["id"]]
    try:
        yield str(made["id"])
    finally:
        gone = simulator.control("DELETE", f"/sim/faults/{made['id']}")
    assert gone == {"cleared": [made["id"]]}
    assert simulator.control("GET", "/sim/faults")["faults"] == []


def advance(simulator: SimulatorProcess, until: int | None = None) -> int:
    """One micro-step with every stream excused; the market time after it."""
    done = simulator.advance(simulator.control("GET", "/sim/status")["step"], until)
    assert done["advanced"], done
    return int(done["market_time"])


class Stream:
    """A private stream of an account on a plain WebSocket client, subscribed to orders and executions."""

    def __init__(self, simulator: SimulatorProcess, account: str) -> None:
        key, secret = simulator.key_of(account)
        expires = int((time.time() + 10) * 1000)
        signature = hmac.new(secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
        self.socket = websocket.create_connection(simulator.url.replace("http", "ws") + "/v5/private", timeout=5)
        self._ask({"op": "auth", "args": [key, expires, signature]})
        self._ask({"op": "subscribe", "args": ["order", "execution"]})

    def _ask(self, body: dict[str, Any]) -> None:
        self.socket.send(json.dumps(body))
        assert json.loads(self.socket.recv())["success"]

    def taken(self, until: str = "pong") -> list[str]:
        """Topics of what has come so far: a ping is answered after all of it."""
        self.socket.send(json.dumps({"op": "ping"}))
        found = []
        while (body := json.loads(self.socket.recv())).get("op") != until:
            found.append(str(body["topic"]))
        return found

    def is_broken(self) -> bool:
        try:
            return not self.socket.recv()
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            return True
