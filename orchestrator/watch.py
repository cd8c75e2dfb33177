"""A look at the database again and again, on a thread of its own: what was recorded while the orchestrator or the
database was away is found by the next look."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

from actors.runtime.ports import StoreUnavailableError

_log = logging.getLogger(__name__)


class Watch(ABC):
    """Looks every `period_s` seconds, and when it is wanted."""

    ABOUT = ""
    """What it looks for, in the plural; the thread has this name."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._stopped, self._wanted = threading.Event(), threading.Event()

    def start(self) -> None:
        """Look on a thread of its own until `stop`."""
        threading.Thread(target=self._keep, name=self.ABOUT, daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._wanted.set()

    def want(self) -> None:
        """Look at once."""
        self._wanted.set()

    @abstractmethod
    def look(self) -> None:
        """Hand on what is new. Raises StoreUnavailableError."""

    def _keep(self) -> None:
        while True:
            self._wanted.wait(self._period_s)
            self._wanted.clear()
            if self._stopped.is_set():
                return
            try:
                self.look()
            except StoreUnavailableError as error:
                _log.info("the %s cannot be read now: %s", self.ABOUT, error)
            except Exception:  # noqa: BLE001 - the next look may succeed
                _log.exception("the %s could not be read; it is tried again", self.ABOUT)
