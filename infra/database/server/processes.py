"""Small things about operating-system processes and ports that the embedded server needs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

POLL_S = 0.05
STEPS = ((signal.SIGINT, 4.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 2.0))
"""PostgreSQL's fast shutdown, its immediate shutdown, then the end; each with its time in seconds. After the latter two
the next start recovers from the write-ahead log: nothing is lost, so a long shutdown gains nothing."""


def stop_process(pid: int, has_ended: Callable[[], bool]) -> None:
    """Stop a server, politely first; returns when `has_ended` or when everything was tried."""
    for sign, wait_s in STEPS:
        try:
            os.kill(pid, sign)
            os.kill(pid, signal.SIGCONT)  # a frozen server takes no other signal
        except ProcessLookupError:
            return
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            if has_ended():
                return
            time.sleep(POLL_S)


def is_server_of(pid: int, data: Path) -> bool:
    """Whether the process lives (a zombie does not) and is a postgres started on `data`."""
    state, command = _look_up(pid)
    return bool(state) and not state.startswith("Z") and "postgres" in command and str(data) in command


def processes_on(data: Path) -> list[int]:
    """Every living process of a postgres on these files, its parts included, in no order.

    A part overwrites its environment and its command line, and once the server is gone it is no child of ours; but each
    works in the folder of the data. Where there is no /proc (macOS) none is found.
    """
    home = os.path.realpath(data)
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            if os.readlink(folder / "cwd") == home and "postgres" in (folder / "comm").read_text():
                found.append(int(folder.name))
    return found


def _look_up(pid: int) -> tuple[str, str]:
    """State letter and command line of a process; empty when there is none."""
    folder = Path("/proc") / str(pid)
    if Path("/proc/self/stat").exists():
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            return state, (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return "", ""
    answer = subprocess.run(
        ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, command = answer.stdout.strip().partition(" ")
    return state, command
