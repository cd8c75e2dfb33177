"""The processes of a running system by role, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from api.launch.system import System

RAY_HEAD = {
    "gcs_server": "Ray: control store (gcs_server)",
    "raylet": "Ray: raylet",
    "log_monitor": "Ray: log monitor",
    "monitor.py": "Ray: autoscaler monitor",
    "dashboard.py": "Ray: dashboard",
    "dashboard": "Ray: dashboard",
    "agent.py": "Ray: agents",
    "runtime_env_agent": "Ray: agents",
    "ray::IDLE": "Ray: idle workers",
}


def roles(system: System) -> dict[int, str]:
    """Every process of the system with its role."""
    parents = dict(_parents())
    known: dict[int, str] = {os.getpid(): "launch"}
    status = system.status
    for row in [*status.get("components", []), {"name": "orchestrator", "health": status.get("orchestrator") or {}}]:
        pid = row.get("health", {}).get("pid")
        if pid:
            known[int(pid)] = f"actor: {row['name']}"
    if system.exchange is not None and system.exchange.pid is not None:
        known[system.exchange.pid] = "simulated exchange"
    return {pid: known.get(pid) or _role(pid) for pid in parents if _belongs(pid, parents)}


def _belongs(pid: int, parents: dict[int, int]) -> bool:
    while pid > 1:
        if pid == os.getpid():
            return True
        pid = parents.get(pid, 0)
    return False


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                yield int(path.name), int((path / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue


def _role(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    if "postgres" in command.partition(" ")[0]:
        return "PostgreSQL"
    for mark, role in RAY_HEAD.items():
        if mark in command:
            return role
    if command.startswith("ray::"):
        return "Ray: dashboard" if "Dashboard" in command or "Head" in command else f"Ray: {command[5:30]}"
    return f"other: {command[:40]}"
