"""Opening the database: the embedded one, or another by its URL; and its death in the middle of the work (P5)."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.runtime.ports import StoreUnavailableError
from infra.database.launch import open_database
from infra.database.store import PostgresStore
from infra.database.urls import DatabaseUrlError, psycopg_url, shown_url, sqlalchemy_url
from statemachines.actor_logic import StateRow
from tests.database import open_temporary_folder
from tests.kit.rows import ACTOR, Pen, envelope

pytestmark = pytest.mark.database


@pytest.fixture
def folder() -> Iterator[Path]:
    base = open_temporary_folder()
    yield base / "database"
    shutil.rmtree(base)


def test_with_a_url_no_server_is_started(database_url: str, folder: Path) -> None:
    database = open_database(database_url, folder)
    assert database.server is None
    assert database.ensure_running() is False
    database.stop()
    assert not folder.exists()


def test_the_embedded_database_is_migrated_and_never_shows_its_password(folder: Path) -> None:
    database = open_database(None, folder)
    try:
        store = PostgresStore(database.url)
        assert store.grant(ACTOR, "test") == 1
        store.close()
        assert database.server is not None
        assert (database.server.home / "password").read_text() not in repr(database)
    finally:
        database.stop()


def test_the_database_killed_in_mid_run_loses_and_doubles_nothing(folder: Path) -> None:
    """P5: an actor repeats the commit whose outcome it does not know; the number shows whether it had landed."""
    database = open_database(None, folder)
    store = PostgresStore(database.url)
    stop = threading.Event()
    waits: list[str] = []
    failures: list[BaseException] = []
    pen = Pen(store)

    def work() -> None:
        try:
            while not stop.is_set():
                sequence = pen.number + 1
                commit = pen.make(
                    outbox=[envelope(sequence, "risk-manager")],
                    states=[StateRow("a", str(sequence), 1, {})],
                    next_seq=sequence + 1,
                )
                while True:
                    try:
                        store.commit(commit)
                        break
                    except StoreUnavailableError as error:
                        waits.append(str(error))
                        time.sleep(0.02)
                pen.number += 1
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(3):
            reached = pen.number + 50
            while pen.number < reached:
                assert thread.is_alive()
                time.sleep(0.01)
            assert database.server is not None
            pid = database.server.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            while not database.ensure_running():
                time.sleep(0.01)
        reached = pen.number + 50
        while pen.number < reached:
            assert thread.is_alive()
            time.sleep(0.01)
    finally:
        stop.set()
        thread.join()
        try:
            assert not failures
            loaded = store.load(ACTOR, pen.epoch)
            assert loaded.number == pen.number
            assert loaded.states["a"].state == str(pen.number)
            assert [message["seq"] for message in loaded.outbox] == list(range(1, pen.number + 1))
            assert waits
        finally:
            store.close()
            database.stop()


def test_urls_have_one_form_for_each_user_and_hide_the_password() -> None:
    url = "postgres://me:top%2Fsecret@db.example:5432/eternal?sslmode=require"
    assert psycopg_url(url) == "postgresql://me:top%2Fsecret@db.example:5432/eternal?sslmode=require"
    assert sqlalchemy_url(url) == "postgresql+psycopg://me:top%2Fsecret@db.example:5432/eternal?sslmode=require"
    assert "secret" not in shown_url(url)
    for wrong in ("mysql://me:topsecret@h/d", "not a url topsecret"):
        with pytest.raises(DatabaseUrlError) as caught:
            psycopg_url(wrong)
        assert "topsecret" not in str(caught.value)
