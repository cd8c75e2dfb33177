"""Time as a process on this machine experiences it: a slow machine is not a failed one (DESIGN 6).

On a machine with many more runnable processes than cores everything takes longer by their ratio, and a limit in seconds
of the wall would take a starving process for a hung one. Granted time passes by so much slower: thirty runnable
processes on two cores stretch a limit of 15 s to 75 s.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

ORDINARY_PER_CORE = 3.0
"""So many runnable processes per core are ordinary life; only more than that slow time down."""

LONGEST_STEP_S = 2.0
"""The reader of the clock has itself stood still for longer than this (frozen, suspended, starved): others had no more
time than it had, so the gap is not held against them."""

LOADAVG = Path("/proc/loadavg")


class GrantedTime:
    """A monotonic clock that is read often (several times a second). `runnable` returns how many processes are runnable
    now."""

    def __init__(
        self,
        runnable: Callable[[], float] | None = None,
        cores: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runnable = runnable or runnable_now
        self._cores = cores or usable_cores()
        self._monotonic = monotonic
        self._read_at = monotonic()
        self._granted_s = 0.0
        self._lock = threading.Lock()

    def now_s(self) -> float:
        """Granted seconds since this clock was made."""
        with self._lock:
            now = self._monotonic()
            passed, self._read_at = min(now - self._read_at, LONGEST_STEP_S), now
            self._granted_s += passed / self.slowness()
            return self._granted_s

    def slowness(self) -> float:
        """By how much the machine is slower than an ordinary one; at least 1."""
        return max(1.0, self._runnable() / self._cores / ORDINARY_PER_CORE)


def runnable_now() -> float:
    """Processes that run or are runnable; where the system does not count them, its load average."""
    try:
        return float(LOADAVG.read_text().split()[3].partition("/")[0])
    except (OSError, IndexError, ValueError):
        return os.getloadavg()[0]


def usable_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(len(os.sched_getaffinity(0)), 1)
    return os.cpu_count() or 1
