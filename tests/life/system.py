"""`eternal run` as an operator starts it: a process of its own, with secrets planted in the environment."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg

from api.cli.status import database_url
from api.launch.ray_folder import own_ray_folder
from infra.config import EternalConfig
from infra.database.server.embedded import EmbeddedPostgres
from infra.processes.environment import folder_mark
from infra.processes.table import Process, marked

ROOT = Path(__file__).parents[2]
PATIENCE_S = 240.0
END_PATIENCE_S = 20.0
POLL_S = 0.1
PLANTED = {
    "BYBIT_MASTER_API_KEY": "planted-master-key",
    "BYBIT_MASTER_API_SECRET": "planted-master-secret",
    "BYBIT_CORE_HODL_API_SECRET": "planted-core-secret",
    "SOME_OTHER_PASSWORD": "planted-password",
    "HTTP_PROXY": "http://planted-proxy:1",
}
"""What must not reach any process that does not need it (paper needs none of it)."""


class Started:
    """A running `eternal run`."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.config = EternalConfig(data_folder=folder / "data")

    @property
    def screen(self) -> str:
        return (self.folder / "screen.txt").read_text(errors="replace")

    def wait(self, what: str, condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """Poll until the condition holds; what it answered."""
        until, pause = time.monotonic() + patience_s, threading.Event()
        while not (found := condition()):
            assert self.process.poll() is None, f"it has ended before {what}: {self.screen[-2000:]}"
            assert time.monotonic() < until, f"{what} did not happen: {self.screen[-2000:]}"
            pause.wait(POLL_S)
        return found

    def processes(self, *roles: str) -> list[Process]:
        """Its children, however deep, of these roles (all without)."""
        found = marked(folder_mark(self.config.data_folder))
        return [process for process in found if not roles or process.role in roles]

    def process_named(self, part: str) -> Process | None:
        """A child whose command line contains this."""
        return next((process for process in self.processes() if part in process.command), None)

    def line(self, name: str) -> str:
        """What the screen says after `name: `."""
        found = re.search(rf"^{re.escape(name)}: (.*)$", self.screen, re.MULTILINE)
        return found.group(1).strip() if found else ""

    def ask(self, path: str, method: str = "GET") -> httpx.Response:
        """The API's answer, with its token."""
        token = (self.config.data_folder / "api-token").read_text().strip()
        url = self.line("Page and API").rstrip("/") + path
        return httpx.request(method, url, headers={"Authorization": f"Bearer {token}"}, timeout=20, trust_env=False)

    def is_well(self) -> bool:
        try:
            return self.ask("/health").status_code == 200
        except (httpx.HTTPError, OSError):
            return False

    def market_ms(self) -> int:
        """Market time as the API tells it; 0 when it does not."""
        try:
            answer = self.ask("/api/v1/overview")
            return int(answer.json()["market"]["market_ms"] or 0) if answer.status_code == 200 else 0
        except (httpx.HTTPError, OSError):
            return 0

    def wait_until_well(self) -> None:
        """All is well and the market goes on."""
        self.wait("all being well", self.is_well)
        since = self.wait("market time", self.market_ms)
        self.wait("the market going on", lambda: self.market_ms() > since)

    def database(self) -> psycopg.Connection[Any]:
        return psycopg.connect(database_url(self.config))

    def alerts(self) -> list[str]:
        """All alerts in no order, as `title: text`."""
        try:
            with self.database() as connection:
                rows = connection.execute("SELECT title, text FROM alerts").fetchall()
        except psycopg.OperationalError:
            return []  # it was hit just now
        return [f"{title}: {text}" for title, text in rows]


@contextmanager
def started(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    is_awaited: bool = True,
    prepare: Callable[[Path], object] | None = None,
) -> Iterator[Started]:
    """Start it, wait until all is well, hand it over, end it; nothing is left afterwards. `prepare` gets the data
    folder before the start."""
    folder = Path(tempfile.mkdtemp(prefix="eternal-life-"))
    folder.chmod(0o711)
    if prepare is not None:
        (folder / "data").mkdir(mode=0o700)
        prepare(folder / "data")
    command = [
        sys.executable,
        "-c",
        "from api.cli.main import main; main()",
        "run",
        "--data",
        str(folder / "data"),
        "--pace",
        "0.5",
    ]
    with open(folder / "screen.txt", "wb") as screen:
        process = subprocess.Popen(
            [*command, "--set", "ray.dashboard_port=0", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=screen,
            env={**os.environ, **PLANTED, **(environment or {})},
        )
    system = Started(process, folder)
    try:
        if is_awaited:
            system.wait("all being well", lambda: system.line("Page and API") and system.is_well())
        yield system
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(END_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        left = system.processes()
        for one in left:
            os.kill(one.pid, signal.SIGKILL)
        EmbeddedPostgres(folder / "data" / "database").destroy()
        shutil.rmtree(own_ray_folder(folder / "data").parent)
        shutil.rmtree(folder)
    assert not left, f"processes were left: {[one.command[:80] for one in left]}"
