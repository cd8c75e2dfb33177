"""The launch's claim of the lease: the second system waits before it changes anything, reports it once, and takes over
(OR-8, ADR 0006). Without it two systems took the actors of one database from each other for ever."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from rich.console import Console

from actors.runtime.ports import LeaseHeldError
from api.cli.run import say_news
from api.launch import lease_claim
from api.launch.lease_claim import LeaseClaim, claimant_of
from api.launch.notices import Notices
from infra.processes.environment import Run
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.waiting import until

SENTENCE = "This database is in use by another system ("


class Launch:
    """The claim of one launch, on a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.notices = Notices()
        self.is_stopping = False
        self.claim = LeaseClaim(Run(folder), self.notices, lambda: self.is_stopping)

    @contextmanager
    def starting(self, url: str) -> Iterator[threading.Thread]:
        """The start, on a thread of its own as in `eternal run`."""
        thread = threading.Thread(target=self._start, args=(url,))
        thread.start()
        try:
            yield thread
        finally:
            self.is_stopping = True
            thread.join(10.0)
            self.claim.release()

    def _start(self, url: str) -> None:
        self.claim.await_end_of_holder(url)
        self.claim.take(url)


def holder(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT shown FROM leases").fetchone()
    return "" if row is None else str(row[0])


@pytest.fixture
def two(tmp_path: Path, database_url: str) -> Iterator[tuple[Launch, Launch, threading.Thread]]:  # noqa: F811
    """The first launch has the lease, the second reports it and waits on the thread."""
    first, second = Launch(tmp_path / "first"), Launch(tmp_path / "second")
    with first.starting(database_url) as working:
        working.join(10.0)
        with second.starting(database_url) as waiting:
            until(lambda: bool(second.notices.shown()))
            yield first, second, waiting


def test_the_second_launch_waits_says_whose_the_database_is_and_takes_over_at_its_end(
    two: tuple[Launch, Launch, threading.Thread],
    tmp_path: Path,
    database_url: str,  # noqa: F811 - the fixture
) -> None:
    first, second, waiting = two
    (sentence,) = second.notices.shown()
    assert sentence.startswith(SENTENCE) and str((tmp_path / "first").resolve()) in sentence
    assert "`eternal stop` there" in sentence and "takes over" in sentence
    waiting.join(0.5)
    assert waiting.is_alive() and str(tmp_path / "first") in holder(database_url)
    first.claim.release()
    waiting.join(10.0)
    assert not waiting.is_alive() and second.notices.shown() == []
    assert str(tmp_path / "second") in holder(database_url)


def test_a_waiting_start_can_be_broken_off_and_leaves_the_lease_alone(
    two: tuple[Launch, Launch, threading.Thread],
    tmp_path: Path,
    database_url: str,  # noqa: F811 - the fixture
) -> None:
    _first, second, waiting = two
    second.is_stopping = True
    waiting.join(10.0)
    assert not waiting.is_alive()
    second.claim.release()  # as at the end of every launch
    assert str(tmp_path / "first") in holder(database_url)


def test_a_launch_that_lost_the_lease_reports_it_and_has_it_back_when_the_other_one_has_ended(
    tmp_path: Path,
    database_url: str,  # noqa: F811 - the fixture
) -> None:
    """It was cut off from the database for longer than its lease."""
    lost = Launch(tmp_path / "lost")
    with lost.starting(database_url) as working:
        working.join(10.0)
        with psycopg.connect(database_url) as connection:
            connection.execute(
                "UPDATE leases SET run = 'other', place = 'p', shown = 'host b', expires_at = 'infinity'"
            )
        until(lambda: any("host b" in sentence for sentence in lost.notices.shown()))
        assert holder(database_url) == "host b"
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE leases SET expires_at = clock_timestamp()")
        until(lambda: str(tmp_path / "lost") in holder(database_url))
        until(lambda: lost.notices.shown() == [])


def test_a_place_is_the_folder_itself_and_a_run_is_one_start(tmp_path: Path) -> None:
    """A copy of a data folder on another machine, or under the same path in another container, is another place."""
    folder, copy = tmp_path / "data", tmp_path / "copy"
    folder.mkdir()
    copy.mkdir()
    (tmp_path / "link").symlink_to(folder)
    one, again, by_link, other = (claimant_of(Run(path)) for path in (folder, folder, tmp_path / "link", copy))
    assert one.run != again.run
    assert one.place == again.place == by_link.place
    assert one.place != other.place


def test_where_machines_cannot_be_distinguished_every_run_is_a_place_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_claim, "BOOT_ID", tmp_path / "none")
    assert claimant_of(Run(tmp_path)).place != claimant_of(Run(tmp_path)).place


def test_what_a_start_waits_for_is_on_the_screen_once() -> None:
    """The table is shown only once the start has ended."""
    notices, screen, told = Notices(), io.StringIO(), set[str]()
    system: Any = SimpleNamespace(notices=notices)
    notices.begin("lease", str(LeaseHeldError("host a, data folder /a, process 7", 10.0)))
    for _ in range(3):
        say_news(system, Console(file=screen, width=300), told)
    assert screen.getvalue().count(SENTENCE) == 1 and "host a, data folder /a, process 7" in screen.getvalue()
