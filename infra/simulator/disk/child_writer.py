"""Writing the exchange's state beside its work, in a child process: the larger the state, the longer it takes, and no
order waits for it.

The child is a fork: it has the state of that instant, whatever its parent does after it. It holds no socket and no lock
of its parent, and ends with it, so that an exchange started again finds its port and folder free.
"""

from __future__ import annotations

import gc
import os
import signal
import traceback
from collections.abc import Callable
from enum import Enum, auto

from infra.processes.parent import end_with_parent

_FIRST_OF_OURS = 3
"""Descriptors below are the standard streams."""


class Writing(Enum):
    """The state of the child."""

    NONE = auto()
    UNDER_WAY = auto()
    DONE = auto()
    FAILED = auto()


class ChildWriter:
    """At most one child at a time."""

    def __init__(self) -> None:
        self._pid = 0

    @property
    def is_busy(self) -> bool:
        """Whether a child has not been looked after yet."""
        return self._pid != 0

    def begin(self, write: Callable[[], object]) -> None:
        """Have a child carry out `write`. Raises OSError: there is no room for another process."""
        assert not self.is_busy
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._pid = pid
            return
        code = 1
        try:
            _leave_everything_of(parent)
            write()
            code = 0
        except BaseException:  # noqa: BLE001 - the child must never return into its parent's code
            traceback.print_exc()
        finally:
            os._exit(code)

    def look(self, *, wait: bool = False) -> Writing:
        """What has become of the child; with `wait` it is awaited."""
        if not self._pid:
            return Writing.NONE
        pid, status = os.waitpid(self._pid, 0 if wait else os.WNOHANG)
        if not pid:
            return Writing.UNDER_WAY
        self._pid = 0
        return Writing.DONE if os.waitstatus_to_exitcode(status) == 0 else Writing.FAILED


def _leave_everything_of(parent: int) -> None:
    gc.disable()  # a collection would copy every page of the parent
    end_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it has died before the line above
    signal.set_wakeup_fd(-1)
    os.closerange(_FIRST_OF_OURS, os.sysconf("SC_OPEN_MAX"))
