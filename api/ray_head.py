"""Ray as the launch sees it: a head of our own that ends with us, or a running cluster that we join."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from typing import Any

import ray
import ray._private.worker as ray_worker

from actors.ray_runtime import NAMESPACE

_log = logging.getLogger(__name__)

NEEDED = ("gcs_server", "raylet")
"""Head processes without which nothing runs; Ray restarts neither."""


class RayHead:
    """`address` None: our own head on loopback with the dashboard; otherwise the cluster's address or "auto"."""

    def __init__(self, address: str | None, dashboard_port: int) -> None:
        self._address = address
        self._dashboard_port = dashboard_port
        self.dashboard = ""
        self.restarts = 0

    @property
    def is_ours(self) -> bool:
        return self._address is None

    def start(self) -> None:
        """Start or join Ray. Raises what Ray raises, e.g. ConnectionError for an address where nothing runs."""
        # Loopback only and one user: no token. A cluster's own setting (ray_cluster.yaml) is left alone.
        if self.is_ours:
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_timeout_ms_task_wait_for_death_info", "100")
        options: dict[str, Any] = {"namespace": NAMESPACE, "log_to_driver": False, "logging_level": logging.ERROR}
        if self.is_ours:
            options |= {
                "address": "local",
                "include_dashboard": True,
                "dashboard_host": "127.0.0.1",
                "dashboard_port": free_port(self._dashboard_port),
                "num_cpus": max(os.cpu_count() or 1, 2),
                "object_store_memory": 200 * 1024 * 1024,
            }
        else:
            options["address"] = self._address
        context = ray.init(**options)
        self.dashboard = f"http://{context.dashboard_url}" if context.dashboard_url else ""

    def dead_processes(self) -> list[str]:
        """Names of head processes that have died; empty when all is well or the head is not ours."""
        if not self.is_ours:
            return []
        node = ray_worker._global_node
        if node is None:
            return ["head"]  # a restart that failed half-way
        return [str(kind) for kind, _process in node.dead_processes() if kind in NEEDED]

    def restart(self) -> None:
        """A cold start: the head's actors are gone; everything durable is in the database."""
        with contextlib.suppress(Exception):
            ray.shutdown()
        self.start()
        self.restarts += 1

    def stop(self) -> None:
        ray.shutdown()


def free_port(wanted: int) -> int:
    """`wanted` if it is free on loopback, else any free one (0 asks for that)."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port is left on 127.0.0.1")
