"""Two systems on one database, each in a Ray cluster of its own: the second does nothing while the first one works,
says so in one sentence, and takes over when the first one dies."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg

from infra.database.server.embedded import EmbeddedPostgres
from orchestrator.lease import LEASE_S
from statemachines.values import ActorName
from tests.chaos.cluster.nodes import FURTHER, HEAD, running_nodes
from tests.life.system import Started, started
from tests.live.world import keys_of, settings_of, wall_clock_exchange

SENTENCE = "This database is in use by another system"
STANDS_S = 2 * LEASE_S
"""So long the second one is watched: a lease that is not renewed would be over twice."""


class Picture(NamedTuple):
    """What a system that does something changes in the database."""

    epochs: Mapping[str, int]
    run: str
    configurations: int
    revision: str


def changes(before: Picture, after: Picture) -> list[str]:
    """A sentence for everything that another system has done; empty when it has done nothing."""
    found = [
        f"{actor} had epoch {before.epochs.get(actor)}, now it has {epoch}"
        for actor, epoch in after.epochs.items()
        if epoch != before.epochs.get(actor)
    ]
    if before.run != after.run:
        found.append(f"the lease was of run {before.run}, now it is of run {after.run}")
    if before.configurations != after.configurations:
        found.append(f"there were {before.configurations} configurations, now there are {after.configurations}")
    if before.revision != after.revision:
        found.append(f"the database was migrated from {before.revision} to {after.revision}")
    return found


def picture(url: str) -> Picture:
    """The database now."""
    with psycopg.connect(url) as connection:
        epochs: dict[str, int] = dict(connection.execute("SELECT actor, epoch FROM actors").fetchall())
        (run,) = connection.execute("SELECT run FROM leases").fetchone() or ("",)
        (number,) = connection.execute("SELECT count(*) FROM config_versions").fetchone() or (0,)
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    return Picture(epochs, run, number, revision)


def two_systems(tell: Callable[[str], None]) -> float:
    """The seconds from the first one's death to the second one being well."""
    with _world() as (url, environment, arguments), running_nodes() as nodes:
        with_token = {**environment, "RAY_AUTH_TOKEN_PATH": str(nodes.token_file)}
        with (
            started(*arguments, "--address", nodes.address, environment=with_token) as first,
            started(*arguments, environment=environment, is_awaited=False) as second,
        ):
            second.wait("the second one's sentence", lambda: SENTENCE in second.screen)
            _assert_nothing_is_done(url, first, second)
            tell(f"for {STANDS_S:.0f} s the second one did nothing: {_sentence(second)}")
            first.process.kill()
            first.process.wait()
            nodes.lose(HEAD)
            nodes.lose(FURTHER)
            died, before = time.monotonic(), picture(url)
            second.wait("the second one taking over", lambda: second.line("Page and API") and second.is_well())
            seconds = time.monotonic() - died
            after = picture(url)
            assert after.run != before.run
            assert all(after.epochs[name] > before.epochs[name] for name in ActorName), "every actor of it is newer"
            assert second.screen.count(SENTENCE) == 1 and "Traceback" not in second.screen
            tell(f"the first one died with its nodes; the second one was well after {seconds:.1f} s")
    return seconds


def _assert_nothing_is_done(url: str, first: Started, second: Started) -> None:
    before, pids = picture(url), _pids(first)
    until, pause = time.monotonic() + STANDS_S, threading.Event()
    while time.monotonic() < until:
        assert changes(before, picture(url)) == []
        assert _pids(first) == pids, "no actor of the first one is restarted"
        actors = [one.command for one in second.processes() if "::" in one.command and "Agent" not in one.command]
        assert not [one for one in actors if not one.startswith("ray::IDLE")], f"the second one has actors: {actors}"
        pause.wait(0.5)
    first.wait("the first one working as if it were alone", first.is_well)


def _pids(system: Started) -> Mapping[str, int]:
    return {row["name"]: int(row["pid"]) for row in system.ask("/api/v1/actors").json()}


def _sentence(system: Started) -> str:
    return " ".join(next(line for line in system.screen.splitlines() if SENTENCE in line).split())


@contextmanager
def _world() -> Iterator[tuple[str, Mapping[str, str], list[str]]]:
    """A database and an exchange that belong to neither: the database's URL, environment and arguments of both."""
    folder = Path(tempfile.mkdtemp(prefix="eternal-two-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "database")
    try:
        server.start()
        with wall_clock_exchange(folder) as (_exchange, address):
            environment = {**keys_of(folder / "exchange" / "keys.json"), "DATABASE_URL": server.url}
            yield server.url, environment, settings_of(address)
    finally:
        server.stop()
        server.destroy()
        shutil.rmtree(folder)
