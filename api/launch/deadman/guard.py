"""What the launch does for the dead-man switch: gives it its keys, keeps it running, says when a run begins and ends.

A regular end is no silence: the launch writes STOPPED as the last beat once the actors have ended, and ends the process
then. Whatever else happens to the launch leaves the process alive, and it counts the silence.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from actors.runtime.granted_time import GrantedTime
from api.assembly import TRADING
from api.launch.deadman.process import DeadManProcess
from api.launch.notices import Notices
from infra.bybit.credentials import DEAD_MAN, Credentials, CredentialsError, from_environment, from_simulator
from infra.config import EternalConfig, Profile
from infra.deadman.beats import BeatWriter
from infra.deadman.left_over import NAME, end_left_over
from infra.processes.environment import Run
from statemachines.deadman.beats import Beat, BeatState
from statemachines.values import Account

_log = logging.getLogger(__name__)

NOTICE = "dead-man switch"
LAST_BEAT_S = 1.0
"""A database that hangs must not keep the system from its end: the file says it all the same."""


class DeadManGuard:
    """`prepare`, then `begin` once the database is bound, then `look` twice a second, and `stop`."""

    def __init__(self, config: EternalConfig, run: Run, granted: GrantedTime, notices: Notices) -> None:
        self._config = config
        self._run = run
        self._granted = granted
        self._notices = notices
        self._credentials = Credentials({})
        self._rest = ""
        self._writer: BeatWriter | None = None
        self._process: DeadManProcess | None = None

    def prepare(self, rest: str, uids: Mapping[Account, int], keys_file: Path | None) -> None:
        """Take its keys: from the simulated exchange's file, else from the environment.

        Raises CredentialsError when there must be keys and are none, and AdmissionError for keys that do not fit.
        """
        if not self._config.dead_man.started_by_run:
            return
        if keys_file is not None:
            self._credentials, self._rest = from_simulator(keys_file, "dead_man"), rest
            return
        found = from_environment(os.environ, DEAD_MAN)
        if problem := keys_problem(found, self._config.profile):
            raise CredentialsError(problem)
        if not found.keys:
            sentence = (
                f"There is no dead-man switch (RM-4): {DEAD_MAN}_<ACCOUNT>_API_KEY and _API_SECRET are not set. Open "
                "orders stand unattended if this machine fails."
            )
            _log.warning("%s", sentence)
            self._notices.begin(NOTICE, sentence)
            return
        from infra.bybit.admission import admit_dead_man
        from infra.bybit.session import HttpSessions

        admit_dead_man(HttpSessions(found, rest, proxy=self._config.live.proxy()), TRADING, uids)
        self._credentials, self._rest = found, rest

    def begin(self, database_url: str, secrets_socket: Path) -> None:
        """A run begins: say so by a first beat, end the process that an earlier run has left, and start ours."""
        self._writer = BeatWriter(self._config.data_folder, database_url)
        self._beat(BeatState.STARTING)
        end_left_over(self._config.data_folder)
        if self._credentials.keys:
            self._process = DeadManProcess(self._config, self._run, secrets_socket, self._granted)
            self._process.start()

    def secrets(self, database_url: str) -> Mapping[str, Any]:
        """What the process gets, and nothing else. Raises KeyError: there is none that may have it."""
        if not self._credentials.keys:
            raise KeyError(NAME)
        proxy = self._config.live.proxy_url
        return {
            "database_url": database_url,
            "keys": self._credentials.to_plain(TRADING),
            "rest": self._rest,
            "proxy": None if proxy is None else proxy.get_secret_value(),
        }

    def look(self, alert: Callable[[str], None]) -> None:
        """Replace it when it has died, is frozen or hangs, and report that."""
        if self._process is not None and (trouble := self._process.ensure_running()):
            alert(f"The dead-man switch {trouble}; it watches again.")

    def stop(self) -> None:
        """The actors have ended by the operator's will: the last beat states it, and the process is ended."""
        writer, self._writer = self._writer, None
        if writer is not None:
            beat = Beat(f"launch:{self._run.number}:stopped", BeatState.STOPPED)
            last = threading.Thread(target=self._write_last, args=(writer, beat), name="last beat", daemon=True)
            last.start()
            last.join(LAST_BEAT_S)
        if self._process is not None:
            self._process.stop()

    def _beat(self, state: BeatState) -> None:
        assert self._writer is not None
        self._writer.beat(Beat(f"launch:{self._run.number}:{state.value.lower()}", state), 0)

    @staticmethod
    def _write_last(writer: BeatWriter, beat: Beat) -> None:
        writer.beat(beat, 0)
        writer.close()


def keys_problem(found: Credentials, profile: Profile) -> str:
    """What is wrong with the keys of the environment, as a sentence; "" when nothing is. None at all are allowed where
    no real money is at stake."""
    absent = [account.value for account in TRADING if account not in found.keys]
    if not absent or (not found.keys and profile is not Profile.LIVE):
        return ""
    return (
        f"the dead-man switch (RM-4) has no key for {', '.join(absent)}: set {DEAD_MAN}_<ACCOUNT>_API_KEY and "
        "_API_SECRET (a key of its own that may trade and not withdraw), or run `eternal deadman` on another machine "
        "and set dead_man.started_by_run to false here."
    )
