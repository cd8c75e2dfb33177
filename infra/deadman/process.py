"""The dead-man switch from its parts: on the system's machine (file and database), or on another one (database)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from infra.bybit.caller import Caller
from infra.bybit.credentials import Credentials
from infra.bybit.limits import RateLimiter, RateLimits
from infra.bybit.session import HttpSessions
from infra.data_folder import claim_data_folder
from infra.database.connection import Line
from infra.deadman.beats import APPLICATION, DATABASE, FILE, BeatReader, Read, file_source, row_source
from infra.deadman.desk import OrderDesk
from infra.deadman.memory import Memory, held, mark_look
from infra.deadman.watch import Watch
from infra.proxy import ProxyAddress
from orchestrator.lease import elapsed_s


@dataclass(frozen=True, slots=True)
class Place:
    """Where it stands and what it needs there. `database_url` carries a password: never to be shown. `reads_file`:
    whether it is the machine of the system itself; `is_limited`: whether the exchange counts requests."""

    folder: Path
    silence_s: float
    rest: str
    credentials: Credentials
    database_url: str = field(repr=False)
    proxy: ProxyAddress | None = None
    reads_file: bool = True
    is_limited: bool = True


def watch(place: Place, ended: threading.Event) -> None:
    """Watch until `ended` is set, or the data folder is gone: then there is nothing that could beat.

    Raises:
        WatchedError: another process watches on this data folder.
        ForeignFolderError: it is not a data folder.
    """
    claim_data_folder(place.folder)
    line = Line(place.database_url, APPLICATION)
    sources: dict[str, Read] = {FILE: file_source(place.folder)} if place.reads_file else {}
    sources[DATABASE] = row_source(line)
    limiter = RateLimiter(RateLimits()) if place.is_limited else None
    sessions = HttpSessions(place.credentials, place.rest, proxy=place.proxy)
    desk = OrderDesk(Caller(sessions, limiter), tuple(place.credentials.keys))
    with held(place.folder):
        try:
            watching = Watch(
                BeatReader(sources),
                desk,
                line,
                Memory(place.folder),
                place.silence_s,
                elapsed_s,
                partial(mark_look, place.folder),
            )
            watching.run(ended, place.folder.is_dir)
        finally:
            line.close()
