"""A Ray cluster as an operator starts it, on loopback in a folder of its own: Redis, a head, a further node."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.processes.environment import Run, child_environment
from infra.processes.ports import free_port, free_ports
from infra.processes.table import Process, marked

RAY = Path(sys.executable).parent / "ray"
PATIENCE_S = 120.0
POLL_S = 0.1
STARTED = "--block"
"""What `ray start --block` prints once its node runs."""

HEAD, FURTHER, REDIS = "head", "node", "redis"
ADDRESSES = {HEAD: "127.0.0.2", FURTHER: "127.0.0.3"}
"""Two addresses of loopback, as of two machines. Ray replaces 127.0.0.1 by the machine's address in the network."""

SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    # docs/operations.md, "more than one node": a lost node is noticed after some 5 s instead of 16.
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}


class RedisMissingError(Exception):
    """redis-server is not installed; a sentence."""


def redis_server() -> str:
    """The program. Raises RedisMissingError."""
    found = shutil.which("redis-server")
    if found is None:
        raise RedisMissingError(
            "The drill needs redis-server, which is not installed: `apt-get install redis-server` (Debian, Ubuntu)."
        )
    return found


class Nodes:
    """Every process of a node carries the node's mark, the actors on it too: so a node can be lost as a whole."""

    def __init__(self, *, with_redis: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="eternal-nodes-"))
        self.home = self.folder / "home"
        self.home.mkdir()
        self.port, self._redis_port = free_ports(2)
        self._with_redis = with_redis
        self._run = Run(self.folder)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        command = [str(RAY), "get-auth-token", "--generate"]
        subprocess.run(command, env=self._environment(HEAD), check=True, capture_output=True)

    @property
    def address(self) -> str:
        return f"{ADDRESSES[HEAD]}:{self.port}"

    @property
    def token_file(self) -> Path:
        """The cluster's token, as `ray get-auth-token --generate` writes it."""
        return self.home / ".ray" / "auth_token"

    def start(self) -> None:
        """Redis, the head, the further node."""
        if self._with_redis:
            self._start_redis()
        self.start_head()
        self.start_further()

    def start_head(self) -> None:
        """`ray start --head --block`, as systemd would; also after the head was lost."""
        # Ray refuses to start a head where this file names a cluster that still has a node on the machine.
        (self.folder / "t" / "ray_current_cluster").unlink(missing_ok=True)
        options = ["--head", f"--port={self.port}", "--dashboard-host=127.0.0.1", f"--dashboard-port={free_port(0)}"]
        self._start(HEAD, [*options, f"--temp-dir={self.folder / 't'}", "--disable-usage-stats"])

    def start_further(self) -> None:
        """`ray start --address --block`."""
        self._start(FURTHER, [f"--address={self.address}"])

    def lose(self, name: str) -> list[Process]:
        """SIGKILL to every process of the node at once, as the end of its machine; what was killed."""
        hit = self.processes(name)
        for process in hit:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self._wait(f"the end of {name}", lambda: not self._kill_rest(name))
        return hit

    def processes(self, *names: str) -> list[Process]:
        """The processes of these nodes (all without), the actors on them included."""
        return [one for one in marked(self._run.prefix) if not names or one.role in names]

    def where(self, pid: int) -> str:
        """The node on which the process runs; "" when it is on neither."""
        return next((one.role for one in self.processes(HEAD, FURTHER) if one.pid == pid), "")

    def end(self) -> None:
        """End everything and remove the folder."""
        for name in (FURTHER, HEAD):
            self.lose(name)
        redis = self._children.pop(REDIS, None)
        if redis is not None:  # it overwrites its environment, and the mark with it
            redis.kill()
            redis.wait()
        shutil.rmtree(self.folder)

    # --- inside ---

    def _environment(self, name: str) -> dict[str, str]:
        redis = {"RAY_REDIS_ADDRESS": f"127.0.0.1:{self._redis_port}"} if self._with_redis and name == HEAD else {}
        return child_environment(self._run, name, {**SETTINGS, **redis, "HOME": str(self.home)})

    def _start_redis(self) -> None:
        folder = self.folder / "redis"
        folder.mkdir()
        # Every write is on the disk before it is answered: what the control store has said survives.
        options = ["--dir", str(folder), "--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        where = ["--bind", "127.0.0.1", "--port", str(self._redis_port)]
        self._spawn(REDIS, [redis_server(), *where, *options])
        self._wait("Redis", self._redis_answers)

    def _redis_answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._redis_port), 1.0) as line:
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
        return False

    def _start(self, name: str, options: list[str]) -> None:
        agents = zip(
            ("dashboard-agent-listen-port", "dashboard-agent-grpc-port", "runtime-env-agent-port",
             "metrics-export-port", "node-manager-port", "object-manager-port"),
            free_ports(6),
            strict=True,
        )  # fmt: skip
        # Two nodes of one machine would give their workers the same ports.
        ports = [*(f"--{option}={port}" for option, port in agents), "--min-worker-port=0", "--max-worker-port=0"]
        usual = ["--block", f"--node-ip-address={ADDRESSES[name]}", "--num-cpus=2", "--object-store-memory=100000000"]
        log = self._spawn(name, [str(RAY), "start", *usual, *ports, *options])
        self._wait(f"the start of {name}", lambda: STARTED in log.read_text(errors="replace"), name)

    def _spawn(self, name: str, command: list[str]) -> Path:
        path = self.folder / f"{name}.log"
        with open(path, "wb") as log:
            self._children[name] = subprocess.Popen(
                command,
                env=self._environment(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        return path

    def _kill_rest(self, name: str) -> list[Process]:
        left = self.processes(name)
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        child = self._children.get(name)
        if child is not None:
            child.poll()
        return left

    def _wait(self, what: str, condition: Callable[[], bool], child: str = "") -> None:
        until, pause = time.monotonic() + PATIENCE_S, threading.Event()
        while not condition():
            log = self.folder / f"{child}.log"
            said = log.read_text(errors="replace")[-2_000:] if child else ""
            assert not child or self._children[child].poll() is None, f"{what}: it has ended: {said}"
            assert time.monotonic() < until, f"{what} did not happen: {said}"
            pause.wait(POLL_S)


@contextmanager
def running_nodes(*, with_redis: bool = True) -> Iterator[Nodes]:
    """Up; afterwards nothing of it is left."""
    nodes = Nodes(with_redis=with_redis)
    try:
        nodes.start()
        yield nodes
    finally:
        nodes.end()
