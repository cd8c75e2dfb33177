"""A thread for each part that the actors stand on: it starts the part and keeps it running."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)

PERIOD_S = 0.5
FAILED_LOOK_DELAYS_S = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Waits after looks that failed in a row (a database that cannot be started again now); the last one repeats."""


class Keeper:
    """`start` raises what keeps the part from starting; `look` restarts what has died. No keeper waits for another.

    A child's life may be tied to the thread that has started it (Linux ends such a child with that thread), so a part
    has one thread for its whole life.
    """

    def __init__(self, name: str, start: Callable[[], None], look: Callable[[], None]) -> None:
        self.name = name
        self.error: BaseException | None = None
        self.started = threading.Event()
        self._start = start
        self._look = look
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """No look begins any more; one that is under way finishes before `join` returns."""
        self._stopping.set()

    def join(self, timeout_s: float) -> bool:
        """Whether the thread has ended."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._start()
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits for the start
            self.error = error
            return
        finally:
            self.started.set()
        failures = 0
        while not self._stopping.wait(PERIOD_S if not failures else self._delay_s(failures)):
            try:
                self._look()
                failures = 0
            except Exception as error:  # noqa: BLE001 - the guard must outlive what it guards
                failures += 1
                if not self._stopping.is_set():
                    _log.warning("%s cannot be restarted yet (try %d): %s", self.name, failures, error, exc_info=True)

    @staticmethod
    def _delay_s(failures: int) -> float:
        return FAILED_LOOK_DELAYS_S[min(failures, len(FAILED_LOOK_DELAYS_S)) - 1]
