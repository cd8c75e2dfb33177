"""The role of the dead-man switch's process, and the end of one that a run without an orderly end has left behind.

Light: `eternal stop` needs nothing else of this package.
"""

from __future__ import annotations

from pathlib import Path

from infra.processes.environment import folder_mark
from infra.processes.table import kill_marked, marked

NAME = "dead-man-switch"
"""Its name where the launch hands out secrets, and the role of its process."""

PATIENCE_S = 5.0


def end_left_over(data_folder: Path) -> int:
    """End the dead-man switches that earlier runs on this data folder have left; how many there were."""
    mark = folder_mark(data_folder)
    found = sum(process.role == NAME for process in marked(mark))
    if found:
        kill_marked(mark, (NAME,), PATIENCE_S)
    return found
