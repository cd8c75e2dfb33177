"""The loop of the dead-man switch: look at the beats, look at the accounts when it is due, report, remember (RM-4)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import psycopg

from actors.runtime.ports import StoreUnavailableError
from infra.database.connection import Line
from infra.deadman.alert_row import AlertRow
from infra.deadman.beats import BeatReader
from infra.deadman.memory import Memory
from statemachines.commands import JournalEntry
from statemachines.deadman.machine import DeadManState
from statemachines.deadman.switch import Cleared, DeadManSwitch

_log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 5.0
SHORTEST_PAUSE_S = 0.5
LOOKS_IN_SILENCE = 20
"""The beats are looked at this often within the time that counts as silence, but at least every five seconds."""

INSTALLATION = "SELECT installation_id FROM installation"


class Desk(Protocol):
    """What clears the accounts (`OrderDesk`)."""

    installation: str | None

    def clear(self, is_wanted: Callable[[], bool]) -> Cleared:
        """Look at every account and cancel its entry orders."""
        ...


class Watch:
    """`now_s` is a clock that counts on through sleep and that no one sets; `line` the database's connection; `mark` is
    called at every look."""

    def __init__(
        self,
        reader: BeatReader,
        desk: Desk,
        line: Line,
        memory: Memory,
        silence_s: float,
        now_s: Callable[[], float],
        mark: Callable[[], object],
    ) -> None:
        self._reader, self._desk, self._line, self._memory, self._now_s = reader, desk, line, memory, now_s
        self._mark = mark
        self._alert = AlertRow(line)
        self._has_asked = False
        self.switch = DeadManSwitch(silence_s, now_s(), reader.sources)
        self.pause_s = min(max(silence_s / LOOKS_IN_SILENCE, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)
        self._restore(memory.load())

    def run(self, ended: threading.Event, is_needed: Callable[[], bool]) -> None:
        """Until `ended` is set, or it is not needed any more."""
        _log.warning("the dead-man switch watches %s; it is %s", " and ".join(self._reader.sources), self.switch.state)
        while is_needed():
            try:
                self.step()
            except Exception:  # noqa: BLE001 - whatever it is, the next look is made
                _log.exception("a look of the dead-man switch failed; it looks again")
            if ended.wait(self.pause_s):
                return

    def step(self) -> None:
        """One look, and what follows from it."""
        self._learn_installation()
        self._look()
        if self.switch.clears_now(self._now_s()):
            done = self._desk.clear(self._is_silent)
            for why in done.left:
                _log.warning("%s", why)
            self._take(self.switch.cleared(done, self._now_s()))
        self._alert.show(self.switch.condition)
        self._remember()

    def _is_silent(self) -> bool:
        """Whether it is still silent: asked between two accounts, since an exchange that is away takes its time."""
        self._look()
        return self.switch.state in (DeadManState.CANCELLING, DeadManState.CANCELLED)

    def _look(self) -> None:
        self._mark()
        self._take(self.switch.look(self._reader.read(), self._now_s()))

    def _take(self, entry: JournalEntry | None) -> None:
        if entry is None:
            return
        _log.warning("%s -> %s (%s): %s.", entry.source, entry.dest, entry.trigger, entry.reason)
        if entry.trigger == "silence":
            self._alert.begin()
            self._alert.show(self.switch.condition)  # before the exchange is asked, which can take long
        self._remember()

    def _learn_installation(self) -> None:
        """Whose orders are ours: asked once, as soon as the database answers; what was kept stands in until then."""
        if self._has_asked:
            return

        def read(connection: psycopg.Connection[Any]) -> str | None:
            row = connection.execute(INSTALLATION).fetchone()
            return None if row is None else str(row[0])

        try:
            found = self._line.perform(read)
        except (StoreUnavailableError, psycopg.Error) as error:
            _log.warning("the installation's id cannot be read from the database yet: %s", error)
            return
        if found is not None:
            self._desk.installation, self._has_asked = found, True

    # --- memory ---

    def _remember(self) -> None:
        self._memory.keep(
            {
                "switch": self.switch.to_data(),
                "alert_id": self._alert.alert_id,
                "installation": self._desk.installation,
            }
        )

    def _restore(self, kept: Mapping[str, Any] | None) -> None:
        if kept is None:
            return
        try:
            self.switch.restore(kept["switch"], self._now_s())
            self._alert.alert_id = str(kept["alert_id"])
            self._desk.installation = None if kept["installation"] is None else str(kept["installation"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("what was kept cannot be used (%s); the silence is counted from now", error)
