"""`python -m api.cli.as_child PARENT COMMAND ...`: a command of `eternal` as the child of another process of ours.

It ends with its parent, however that ended; it takes the processor only when the system does not want it, and is the
first to go when memory is short: what trades comes first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

from infra.processes.parent import end_with_parent

LOWEST_PRIORITY = 19
FIRST_TO_GO = "1000"


def main() -> None:
    """Run the command of the arguments."""
    parent = int(sys.argv.pop(1))
    end_with_parent(signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked
        raise SystemExit(1)
    os.nice(LOWEST_PRIORITY)
    with contextlib.suppress(OSError):  # a kernel without it, or a container that forbids it
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    from api.cli.main import main as eternal

    eternal()


if __name__ == "__main__":
    main()
