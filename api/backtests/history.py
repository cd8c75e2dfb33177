"""Which periods the installation's price history allows: read by a process of its own, since it loads all files."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from infra.processes.environment import child_environment
from infra.simulator.market.findings import Bounds

_log = logging.getLogger(__name__)

PATIENCE_S = 300.0
PROGRAM = (sys.executable, "-m", "api.cli.as_child")


class HistoryState(StrEnum):
    """What is known of the folder."""

    NONE = "NONE"
    READING = "READING"
    READY = "READY"
    UNUSABLE = "UNUSABLE"


class HistoryFound(NamedTuple):
    """What is known of the folder; `trouble` says why it cannot be used, `bounds` are there when it is READY."""

    state: HistoryState
    bounds: Bounds | None = None
    trouble: str = ""


Judge = Callable[[Path], HistoryFound]


class HistoryDesk:
    """Reads the folder when it is first asked for, and again when its files have changed. Safe for several threads."""

    def __init__(self, folder: Path | None, judge: Judge | None = None) -> None:
        self.folder = folder
        self._judge = judge or judged
        self._guard = threading.Lock()
        self._reader: threading.Thread | None = None
        self._known: tuple[object, HistoryFound] | None = None

    def found(self) -> HistoryFound:
        """What is known now. Returns at once."""
        if self.folder is None:
            return HistoryFound(HistoryState.NONE)
        stamp = _stamp(self.folder)
        with self._guard:
            if self._known is not None and self._known[0] == stamp:
                return self._known[1]
            if self._reader is None or not self._reader.is_alive():
                self._reader = threading.Thread(
                    target=self._read, args=(self.folder, stamp), name="price history", daemon=True
                )
                self._reader.start()
        return HistoryFound(HistoryState.READING)

    def _read(self, folder: Path, stamp: object) -> None:
        found = self._judge(folder)
        with self._guard:
            self._known = (stamp, found)


def judged(folder: Path) -> HistoryFound:
    """What `eternal history check` says of the folder."""
    command: Sequence[str] = (*PROGRAM, str(os.getpid()), "history", "check", str(folder), "--json")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S, env=child_environment(None, ""), check=False
        )
        document = json.loads(done.stdout)
        if document["period"] is not None:
            return HistoryFound(HistoryState.READY, Bounds(**document["period"]))
        first = next(one for one in document["findings"] if one["severity"] == "error")
        return HistoryFound(
            HistoryState.UNUSABLE, trouble=f"{first['file']}: {first['kind']}. `eternal history check` lists all."
        )
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, StopIteration, TypeError) as error:
        _log.warning("the price history %s cannot be judged: %s", folder, error)
        return HistoryFound(HistoryState.UNUSABLE, trouble=f"It cannot be judged: {type(error).__name__}.")


def _stamp(folder: Path) -> object:
    """What differs once a file of the folder has."""
    try:
        return sorted((one.name, (status := one.stat()).st_mtime_ns, status.st_size) for one in os.scandir(folder))
    except OSError as error:
        return error.errno
