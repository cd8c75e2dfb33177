"""Processes by their mark, from /proc. Where there is no /proc (macOS) nothing is found, and callers do without."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.processes.environment import MARK

POLL_S = 0.05
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
ENDED = frozenset("ZX")
STOPPED = frozenset("Tt")
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A process that carries a mark."""

    pid: int
    mark: str
    command: str

    @property
    def role(self) -> str:
        return self.mark.rpartition(":")[2]


def marked(prefix: str) -> list[Process]:
    """Living processes whose mark begins with `prefix`, in no order; ours is never among them."""
    return [process for process in _marked() if process.mark.startswith(prefix) and process.pid != os.getpid()]


def _marked() -> Iterator[Process]:
    """A process that has overwritten its environment with a title (Ray's agents do) takes its parent's mark."""
    parents: dict[int, int] = {}
    own: dict[int, str] = {}
    for folder in PROC.glob("[0-9]*"):
        pid = int(folder.name)
        state, parent = _state_and_parent(pid)
        if state and state not in ENDED:
            parents[pid] = parent
            if mark := _own_mark(folder):
                own[pid] = mark
    for pid in parents:
        mark = _inherited(pid, parents, own)
        if mark:
            with contextlib.suppress(OSError):
                command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                yield Process(pid, mark, command.strip())


def _own_mark(folder: Path) -> str:
    wanted = f"{MARK}=".encode()
    with contextlib.suppress(OSError):  # gone meanwhile, or another user's
        for entry in (folder / "environ").read_bytes().split(b"\0"):
            if entry.startswith(wanted):
                return entry[len(wanted) :].decode(errors="replace")
    return ""


def _inherited(pid: int, parents: dict[int, int], own: dict[int, str]) -> str:
    while pid > 1:
        if pid in own:
            return own[pid]
        pid = parents.get(pid, 0)
    return ""


def _state_and_parent(pid: int) -> tuple[str, int]:
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return fields[0], int(fields[1])
    except (OSError, IndexError, ValueError):
        return "", 0


def _state(pid: int) -> str:
    return _state_and_parent(pid)[0]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    state = _state(pid)
    if not state and not PROC.joinpath("self").exists():
        with contextlib.suppress(OSError):
            os.kill(pid, 0)
            return True
    return bool(state) and state not in ENDED


def begun(pid: int) -> str:
    """When the process began, in the system's own units: with it a number that was given to another process since is
    distinguished. "" where that cannot be seen, or when there is no such process."""
    with contextlib.suppress(OSError, IndexError):
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    return ""


def is_stopped(pid: int) -> bool:
    """Whether the process is frozen (SIGSTOP, a debugger). It is not slow: it cannot continue by itself, so no patience
    is due. False where that cannot be seen."""
    return _state(pid) in STOPPED


def is_stopped_kin(pid: int) -> bool:
    """Whether this is a frozen process of the same run as ours: on another machine the number is another process."""
    ours = os.environ.get(MARK, "")
    return bool(ours) and is_stopped(pid) and _mark_of(pid) == ours


def _mark_of(pid: int) -> str:
    """The process's own mark or, where it has overwritten its environment, its nearest ancestor's."""
    while pid > 1:
        if mark := _own_mark(PROC / str(pid)):
            return mark
        pid = _state_and_parent(pid)[1]
    return ""


def end_child(child: subprocess.Popen[bytes], timeout_s: float) -> None:
    """End a child and reap it: politely first; one that is frozen, or does not obey within the time, is killed."""
    child.terminate()
    if is_stopped(child.pid):
        child.kill()
    try:
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def cpu_s(pids: Iterable[int]) -> float:
    """Processor time that these processes have used so far; the measure of progress of a start."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS_PER_S


def kill_marked(prefix: str, roles: Iterable[str], patience_s: float) -> list[Process]:
    """SIGKILL every process of the mark and the roles until none is left; what is left when patience is over."""
    wanted, until = frozenset(roles), time.monotonic() + patience_s
    while left := [process for process in marked(prefix) if process.role in wanted]:
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        if time.monotonic() > until:
            return left
        time.sleep(POLL_S)
    return []
