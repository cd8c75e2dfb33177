"""Beats of the orchestrator, in a file and a row of `heartbeats`: written by the system, read by the dead-man switch.

Every write is one of its own, so that a full disk does not keep the row from being written, nor a database that is away
the file. A beat that cannot be read is none, and the reason is logged when it changes.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg

from infra.database.connection import Line
from infra.database.outage import outage_of, reason_of
from infra.database.registers import write_heartbeat
from infra.files import write_text_whole
from statemachines.deadman.beats import LONGEST_TEXT, Beat, parse_beat, parse_text, text_of
from statemachines.values import ActorName

_log = logging.getLogger(__name__)

BEAT_FILE = "orchestrator-beat"
"""In the data folder."""

FILE, DATABASE = "file", "database"
"""Names of the two sources."""

READ = "SELECT detail ->> 'beat_id', state FROM heartbeats WHERE component = %s"
APPLICATION = "beats"

Read = Callable[[], Beat | None]
"""Reads one source's newest beat; None when there is none yet. Raises ValueError, OSError, psycopg.Error and
StoreUnavailableError when it cannot be read."""


class BeatWriter:
    """Implements `ports.BeatPort` on the data folder and the database; one that fails is logged when that changes."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self._path = folder / BEAT_FILE
        self._line = Line(database_url, APPLICATION)
        self._faults = Faults("written to")

    def beat(self, beat: Beat, market_ms: int) -> None:
        """Write it to both places, the file first."""
        self._faults.note(FILE, lambda: write_text_whole(self._path, text_of(beat)))
        self._faults.note(DATABASE, lambda: self._write_row(beat, market_ms))

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()

    def _write_row(self, beat: Beat, market_ms: int) -> None:
        detail = {"beat_id": beat.beat_id}
        self._line.perform(
            lambda connection: write_heartbeat(connection, ActorName.ORCHESTRATOR, beat.state.value, market_ms, detail)
        )


class Faults:
    """Does something with each of several places and logs when one begins or ends to fail."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._known: dict[str, str] = {}

    def note(self, place: str, work: Callable[[], Any]) -> Any:
        """The result of the work; None when it failed, for whatever reason: the other place is served all the same."""
        try:
            found = work()
        except Exception as error:  # noqa: BLE001 - one place must not keep the other from being served
            why = f"{type(error).__name__}: {_reason(error)}"
            if self._known.get(place) != why:
                self._known[place] = why
                _log.warning("the beat cannot be %s the %s: %s", self._doing, place, why)
            return None
        if self._known.pop(place, None) is not None:
            _log.warning("the beat can be %s the %s again", self._doing, place)
        return found


class BeatReader:
    """The newest beat of each source at every `read`."""

    def __init__(self, sources: Mapping[str, Read]) -> None:
        self._sources = dict(sources)
        self._faults = Faults("read from")

    @property
    def sources(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._sources)

    def read(self) -> dict[str, Beat | None]:
        """By source; None where there is none, or none that can be read."""
        return {name: self._faults.note(name, read) for name, read in self._sources.items()}


def file_source(folder: Path) -> Read:
    """The beat file of a data folder. A file that is missing is no fault: nothing has beaten yet."""
    path = folder / BEAT_FILE

    def read() -> Beat | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe in its place must not be waited for
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError(f"{path} is no regular file")
            data = file.read(LONGEST_TEXT + 1)
        return parse_text(data.decode("utf-8"))

    return read


def row_source(line: Line) -> Read:
    """The orchestrator's row in `heartbeats`."""

    def work(connection: psycopg.Connection[Any]) -> Beat | None:
        found = connection.execute(READ, (str(ActorName.ORCHESTRATOR),)).fetchone()
        return None if found is None else parse_beat(found[0], found[1])

    return lambda: line.perform(work)


def _reason(error: Exception) -> str:
    return reason_of(error) if outage_of(error) is not None else " ".join(str(error).split())
