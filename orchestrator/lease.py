"""The orchestrator's lease on the database: without it, it does nothing (ADR 0006).

It is renewed far more often than it expires, and counts as held only as long as the database must also count it as
held: measured from before the request that renewed it, on a clock that a stopped process and a suspended machine do
not stop. So an orchestrator that was frozen or cut off does not act on a right that is another one's by now.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from actors.runtime.ports import FencedError, LeaseRegister, StoreUnavailableError

_log = logging.getLogger(__name__)

LEASE_S = 10.0
"""A run that has not renewed its lease for so long has ended: another one may take over."""

RENEW_S = 2.0

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed_s() -> float:
    """Seconds on a clock that also counts the time for which the machine was suspended, where there is one."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """One orchestrator's lease, from `succeed` on. Safe to use from several threads."""

    def __init__(self, register: LeaseRegister, run: str, now_s: Callable[[], float] = elapsed_s) -> None:
        self.epoch = 0
        self._register = register
        self._run = run
        self._now_s = now_s
        self._until_s = 0.0
        self._is_lost = False
        self._stopped = threading.Event()

    @property
    def is_held(self) -> bool:
        """Whether no other orchestrator can have it."""
        return not self._is_lost and self._now_s() < self._until_s

    def succeed(self) -> int:
        """Take it over within the run; the epoch of this orchestrator.

        Raises LeaseHeldError and StoreUnavailableError.
        """
        asked_s = self._now_s()
        self.epoch = self._register.succeed(self._run, LEASE_S)
        self._until_s = asked_s + LEASE_S
        return self.epoch

    def renew(self) -> None:
        """Raises FencedError (it is lost for good) and StoreUnavailableError."""
        asked_s = self._now_s()
        try:
            self._register.renew(self.epoch, LEASE_S)
        except FencedError:
            self._is_lost = True
            raise
        self._until_s = max(self._until_s, asked_s + LEASE_S)

    def confirm(self) -> None:
        """To be called before an act that another orchestrator would not expect. A database that is away does not
        prevent it: no other orchestrator can get the lease there meanwhile.

        Raises FencedError: it is lost.
        """
        try:
            self.renew()
        except StoreUnavailableError as error:
            _log.warning("the lease cannot be confirmed now: %s", error)

    def keep(self, on_lost: Callable[[str], None]) -> None:
        """Renew it on a thread of its own until `stop`; `on_lost` is called once when it is another one's."""
        threading.Thread(target=self._keep, args=(on_lost,), name="lease", daemon=True).start()

    def stop(self) -> None:
        """Renew it no more."""
        self._stopped.set()

    def _keep(self, on_lost: Callable[[str], None]) -> None:
        while not self._stopped.wait(RENEW_S):
            try:
                self.renew()
            except FencedError as error:
                on_lost(str(error))
                return
            except StoreUnavailableError as error:
                _log.warning("the lease cannot be renewed now: %s", error)
            except Exception:  # noqa: BLE001 - a lease that is not renewed expires: nothing is done without it
                _log.exception("the lease could not be renewed; it is tried again")
