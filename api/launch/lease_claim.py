"""The launch's claim of the lease on the database: of two systems on one database one works, the other one waits."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from actors.runtime.ports import Claimant, LeaseHeldError, StoreUnavailableError
from api.launch.notices import Notices
from infra.database.lease import PostgresLease
from infra.processes.environment import Run
from orchestrator.lease import LEASE_S, RENEW_S

_log = logging.getLogger(__name__)

WAIT_S = 0.5
RELEASE_S = 1.0
"""A database that hangs must not keep the system from its end; the lease expires anyway."""

NOTICE = "lease"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class LeaseClaim:
    """Claimed before anything on the database is changed, renewed until `release`, and claimed again after it was lost
    to another system (the database could not be reached for long enough)."""

    def __init__(self, run: Run, notices: Notices, is_stopping: Callable[[], bool]) -> None:
        self._claimant = claimant_of(run)
        self._notices = notices
        self._is_stopping = is_stopping
        self._register: PostgresLease | None = None
        self._released = threading.Event()

    def await_end_of_holder(self, url: str | None) -> None:
        """Wait while another system works on the database of this URL, before it is migrated. None: our own, which the
        lock on its folder guards."""
        if url is None:
            return
        register = PostgresLease(url)
        try:
            self._await(lambda: register.look(self._claimant, LEASE_S))
        except StoreUnavailableError:
            return  # opening it says what is wrong
        finally:
            register.close()

    def take(self, url: str) -> None:
        """Wait until the lease is ours, or the start is broken off; from then on it is renewed.

        Raises StoreUnavailableError.
        """
        register = self._register = PostgresLease(url)
        self._await(lambda: register.claim(self._claimant, LEASE_S))
        threading.Thread(target=self._keep, args=(register,), name="lease", daemon=True).start()

    def _keep(self, register: PostgresLease) -> None:
        """Lost to another system, this one reports it and waits for its end."""
        while not self._released.wait(RENEW_S):
            try:
                register.claim(self._claimant, LEASE_S)
            except LeaseHeldError as error:
                self._report(error)
            except StoreUnavailableError as error:
                _log.warning("the lease cannot be renewed now: %s", error)
            except Exception:  # noqa: BLE001 - a lease that is not renewed expires; the next try may succeed
                _log.exception("the lease could not be renewed; it is tried again")
            else:
                self._notices.end(NOTICE)

    def release(self) -> None:
        """All actors have ended: another system need not wait."""
        self._released.set()
        register, self._register = self._register, None
        if register is not None:
            releasing = threading.Thread(target=self._release, args=(register,), name="release", daemon=True)
            releasing.start()
            releasing.join(RELEASE_S)

    def _release(self, register: PostgresLease) -> None:
        try:
            register.release(self._claimant.run)
        except StoreUnavailableError as error:
            _log.info("the lease is left to expire: %s", error)
        register.close()

    def _await(self, attempt: Callable[[], None]) -> None:
        pause = threading.Event()
        while not self._is_stopping():
            try:
                attempt()
            except LeaseHeldError as error:
                self._report(error)
                pause.wait(WAIT_S)
            else:
                self._notices.end(NOTICE)
                return

    def _report(self, error: LeaseHeldError) -> None:
        if self._notices.begin(NOTICE, str(error)):
            _log.warning("%s", error)


def claimant_of(run: Run) -> Claimant:
    """The launch of this run. Its place is the data folder itself, whatever its path: a lock on it lets one launch work
    at a time, so that an earlier run of the same place has ended. Where machines cannot be distinguished every
    run is a place of its own, which has to wait for the earlier one's lease."""
    folder = run.data_folder
    try:
        found = folder.stat()
        place = f"{BOOT_ID.read_text(encoding='ascii').strip()}:{found.st_dev}:{found.st_ino}"
    except OSError:
        place = run.number
    shown = f"{socket.gethostname()}, data folder {folder.resolve()}, process {os.getpid()}"
    return Claimant(run.number, place, shown)
