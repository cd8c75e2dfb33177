"""Start, kill and restart the simulated exchange as a process; talk to its control interface; pybit on loopback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from pybit.unified_trading import HTTP, WebSocket

MARKET = ("--seed", "7", "--from", "2024-01-01", "--to", "2024-02-01")
START_TIMEOUT_S = 60.0


class SimulatorProcess:
    """One exchange on one state folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.start(*MARKET)

    def start(self, *market: str) -> None:
        """Start (again) and wait until it listens."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "infra.simulator", "--state", str(self.folder), *market, *self.options],
            stdout=subprocess.PIPE,
            stderr=(self.folder.parent / f"{self.folder.name}.log").open("ab"),
            cwd=Path(__file__).resolve().parents[2],
            text=True,
        )
        lines: list[str] = []
        stdout = self.process.stdout
        assert stdout is not None
        reader = threading.Thread(target=lambda: lines.append(stdout.readline()), daemon=True)
        reader.start()
        reader.join(START_TIMEOUT_S)
        assert lines and lines[0], "The simulated exchange did not say that it listens."
        hello = json.loads(lines[0])
        self.url: str = hello["url"]
        self.instance: str = hello["instance"]
        self.keys: dict[str, Any] = json.loads((self.folder / "keys.json").read_text())

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        """SIGTERM, and wait for the end; SIGKILL if it does not come."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def key_of(self, account: str) -> tuple[str, str]:
        """API key and secret of an account."""
        one = next(one for one in self.keys["accounts"] if one["name"] == account)
        return one["api_key"], one["api_secret"]

    def uid_of(self, account: str) -> int:
        """UID of an account."""
        return int(next(one["uid"] for one in self.keys["accounts"] if one["name"] == account))

    def http(self, account: str, **options: Any) -> HTTP:
        """An unmodified pybit session of the account, pointed at loopback."""
        key, secret = self.key_of(account)
        return self.session(key, secret, **options)

    def session(self, key: str, secret: str, **options: Any) -> HTTP:
        """An unmodified pybit session with this key."""
        session = HTTP(api_key=key, api_secret=secret, timeout=20, **options)
        session.endpoint = self.url
        session.client.trust_env = False
        return session

    def stream(
        self, channel: str, account: str | None, callback: Callable[[dict[str, Any]], None] | None = None
    ) -> WebSocket:
        """A pybit WebSocket whose only change is where it connects to; raw frames go to the callback, if any."""
        base = self.url.replace("http://", "ws://")

        class Loopback(WebSocket):  # type: ignore[misc]
            def _connect(self, url: str) -> None:
                super()._connect(url if url.startswith("ws://") else base + url[url.index("/v5/") :])

        options: dict[str, Any] = {"testnet": False, "channel_type": channel}
        if callback is not None:
            options["callback_function"] = callback
        if account is not None:
            options["api_key"], options["api_secret"] = self.key_of(account)
            options["private_auth_expire"] = 10
        return Loopback(**options)

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A call of the control interface."""
        answer = requests.request(
            method, self.url + path, json=body, headers={"X-Sim-Token": self.keys["sim_token"]}, timeout=20
        )
        result: dict[str, Any] = answer.json()
        return result

    def advance(self, step: int, until: int | None = None, handled: dict[str, int] | None = None) -> dict[str, Any]:
        """POST /sim/advance."""
        return self.control("POST", "/sim/advance", {"step": step, "until": until, "handled": handled})


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Poll until the condition holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"Not reached in {timeout_s} s: {what}"
        time.sleep(0.02)
