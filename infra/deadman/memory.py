"""What the dead-man switch resumes from after its own death: a file in the data folder, held by one process at a time.

Instants are of the machine's clock since it was started, so what another start of the machine has left says nothing.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from infra.faults import OperatorError
from infra.files import write_text_whole

_log = logging.getLogger(__name__)

MEMORY_FILE = "dead-man.json"
LOCK_FILE = "dead-man.lock"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LARGEST = 1 << 20


class WatchedError(OperatorError):
    """Another dead-man switch watches on this data folder already."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the data folder's dead-man switch: one process at a time. The hold ends with the process however it ends.

    Raises WatchedError.
    """
    with open(folder / LOCK_FILE, "a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WatchedError(
                f"A dead-man switch already watches on {folder}; there is one for each system."
            ) from None
        yield


def mark_look(folder: Path) -> None:
    """Leave a sign that a look was made: by it a process that stands still is found."""
    with suppress(OSError):
        os.utime(folder / LOCK_FILE)


class Memory:
    """The file; what cannot be read or written is logged, and the switch works without it."""

    def __init__(self, folder: Path, boot_id: str | None = None) -> None:
        self._path = folder / MEMORY_FILE
        self._boot_id = _boot_id() if boot_id is None else boot_id
        self._written = ""

    def load(self) -> Mapping[str, Any] | None:
        """What was kept since the machine was started; None when there is nothing, or nothing that can be read."""
        try:
            with self._path.open("rb") as file:
                found = json.loads(file.read(LARGEST))
            return found["kept"] if self._boot_id and found["boot_id"] == self._boot_id else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            _log.warning("%s cannot be read (%s); the silence is counted from now", self._path, error)
            return None

    def keep(self, kept: Mapping[str, Any]) -> None:
        """Write it if it has changed."""
        text = json.dumps({"boot_id": self._boot_id, "kept": kept})
        if text == self._written:
            return
        try:
            write_text_whole(self._path, text)
            self._written = text
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error.strerror or error)


def _boot_id() -> str:
    """This start of the machine; "" where it has no name, and nothing is resumed then."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
