"""How far a run is: a small file that the run's process writes and the interface reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from infra.files import write_text_whole

MOST_MS = 2**53
"""No instant is beyond it."""


class Progress(NamedTuple):
    """The run's period and the market instant that it has reached; milliseconds UTC."""

    from_ms: int
    to_ms: int
    reached_ms: int


def write_progress(path: Path, from_ms: int, to_ms: int, reached_ms: int) -> None:
    """Replace the file. Raises OSError."""
    write_text_whole(path, json.dumps({"from_ms": from_ms, "to_ms": to_ms, "reached_ms": reached_ms}))


def read_progress(path: Path) -> Progress | None:
    """What the file says; None where there is none yet, or none that can be read."""
    try:
        found = json.loads(path.read_bytes())
        progress = Progress(int(found["from_ms"]), int(found["to_ms"]), int(found["reached_ms"]))
        return progress if all(abs(at_ms) <= MOST_MS for at_ms in progress) else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
