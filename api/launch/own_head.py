"""Our own Ray head: how it is started on this machine alone, and which of its processes have died or are frozen."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.processes.ports import free_ports
from infra.processes.table import is_alive, is_stopped

NEEDED = ("gcs_server", "raylet")
"""Head processes without which nothing runs; Ray restarts neither."""

AGENTS = ("DashboardAgent", "RuntimeEnvAgent")
"""Children of the raylet. It ends itself when one of them dies, some seconds later."""

OBJECT_STORE_BYTES = 200 * 1024 * 1024


def options(temp_folder: str, dashboard_port: int) -> dict[str, Any]:
    """The arguments of `ray.init` for a head on loopback."""
    return {
        "address": "local",
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": temp_folder,
        # None starts the dashboard without insisting on it; its time-out is 0 (see ray_process): optional things do
        # not decide a start.
        "include_dashboard": None,
        "dashboard_host": "127.0.0.1",
        "dashboard_port": dashboard_port,
        "num_cpus": max(os.cpu_count() or 1, 2),
        "object_store_memory": OBJECT_STORE_BYTES,
    }


def name_the_agents_ports() -> None:
    """Ray's raylet gives its agents a fixed quarter of a minute to choose ports and write them down, and ends itself
    when they are late, as on a starving machine. So the ports are chosen here, and their files are there before the
    raylet is. (It also keeps two systems apart that run on one machine: the agent's usual port is the same for all.)

    `ray.init` takes no such options, and of the ports that its parameters name it does not hand all to the raylet, so
    both are completed here.
    """
    from ray._private import node, parameter
    from ray._raylet import (  # type: ignore[attr-defined]
        DASHBOARD_AGENT_LISTEN_PORT_NAME,
        METRICS_AGENT_PORT_NAME,
        METRICS_EXPORT_PORT_NAME,
        RUNTIME_ENV_AGENT_PORT_NAME,
        persist_port,
    )

    names = (
        DASHBOARD_AGENT_LISTEN_PORT_NAME,
        METRICS_AGENT_PORT_NAME,
        METRICS_EXPORT_PORT_NAME,
        RUNTIME_ENV_AGENT_PORT_NAME,
    )
    ports = dict(zip(map(str, names), free_ports(len(names)), strict=True))
    start = node.Node.start_raylet

    @functools.wraps(start)
    def start_with_ports(head: Any, *arguments: Any, **named: Any) -> Any:
        for name, port in ports.items():
            persist_port(head.get_session_dir_path(), head.node_id, name, port)
        return start(head, *arguments, **named)

    parameter.RayParams = functools.partial(_completed, parameter.RayParams, ports)
    node.Node.start_raylet = start_with_ports


def _completed(make: Any, ports: dict[str, int], *arguments: Any, **named: Any) -> Any:
    """Ray's parameters; what they leave open is named. The log monitor's lines are not read (`log_to_driver`)."""
    return make(*arguments, **(named | ports | {"include_log_monitor": False}))


class LateDashboard:
    """The dashboard's dozen processes load as much as all actors together: they begin when these are up.

    Made before `ray.init`; `start` is for the thread that called that, since Linux ends children with the thread that
    started them.
    """

    def __init__(self) -> None:
        from ray._private import node

        self._start: Callable[[], object] | None = None
        begin = node.Node.start_api_server

        @functools.wraps(begin)
        def later(head: Any, **named: Any) -> None:
            self._start = functools.partial(begin, head, **named)

        node.Node.start_api_server = later

    def start(self) -> None:
        """Start it unless that is done already; the start does not wait for it."""
        start, self._start = self._start, None
        if start is not None:
            start()


def ended_early() -> list[str]:
    """Names of head processes that have ended while Ray starts: `ray.init` waits minutes for a raylet that is gone."""
    return [name for child in _children(os.getpid()) if (name := _comm(child)) in NEEDED and not is_alive(child)]


def _children(pid: int) -> list[int]:
    """Children of all threads of the process; none where there is no /proc."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(text) for text in file.read_text(encoding="ascii").split()]
    return found


def _comm(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(encoding="ascii", errors="replace").strip()
    return ""


def lost_processes() -> list[str]:
    """Names of processes of our own head that have died or are frozen."""
    import ray._private.worker as ray_worker

    node = ray_worker._global_node  # noqa: SLF001 - Ray lists the processes of its own head nowhere else
    if node is None:
        return ["head"]
    lost = []
    for kind in NEEDED:
        for one in node.all_processes.get(kind, ()):
            if one.process.poll() is not None:
                lost.append(kind)
            elif is_stopped(one.process.pid):
                lost.append(f"{kind} (frozen)")
    return lost or _dead_agents(node)


_seen_agents: dict[str, int] = {}


def _dead_agents(node: Any) -> list[str]:
    raylets = node.all_processes.get("raylet", ())
    if not raylets:
        return []
    found = _agents_of(raylets[0].process.pid)
    lost = [name for name in _seen_agents if name not in found]
    _seen_agents.update(found)
    return lost


def _agents_of(raylet: int) -> dict[str, int]:
    """The raylet's agents by their titles; empty where there is no /proc."""
    found: dict[str, int] = {}
    for child in _children(raylet):
        with contextlib.suppress(OSError):
            title = Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace")
            found |= {name: child for name in AGENTS if name in title and is_alive(child)}
    return found
