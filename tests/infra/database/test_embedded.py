"""The embedded server: killed it comes back, held it refuses, left behind it is taken over (DA-5, OR-8)."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from infra.database import registers
from infra.database.migrations import upgrade
from infra.database.registers import Heartbeats, write_heartbeat
from infra.database.server.embedded import EmbeddedPostgres
from infra.database.server.files import EmbeddedDatabaseError, packaged_server
from infra.database.server.processes import processes_on
from infra.processes.table import is_stopped
from tests.database import open_temporary_folder
from tests.waiting import until

pytestmark = pytest.mark.database


@pytest.fixture
def folder() -> Iterator[Path]:
    base = open_temporary_folder()
    yield base / "database"
    shutil.rmtree(base)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder)
    server.start()
    yield server
    server.stop()


def write_note(url: str, text: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (text text)")
        connection.execute("INSERT INTO notes VALUES (%s)", (text,))


def freeze(pids: Iterable[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
        until(lambda pid=pid: is_stopped(pid))  # type: ignore[misc]


def read_notes(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT text FROM notes ORDER BY text")]


def await_end(pid: int) -> None:
    """Wait for our child to be a zombie, without reaping it: that is the server's own task."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_killed_it_is_restarted_on_the_same_address_with_its_data(server: EmbeddedPostgres) -> None:
    url = server.url
    write_note(url, "kept")
    for round_no in (1, 2):
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await_end(pid)
        assert server.ensure_running() is True
        assert server.pid != pid
        assert server.restarts == round_no
        assert server.url == url
        assert read_notes(url) == ["kept"]
    assert server.ensure_running() is False


def test_a_server_whose_parts_freeze_after_it_comes_back(server: EmbeddedPostgres, folder: Path) -> None:
    """The story: a machine was suspended between two looks. The server was ended at the second one, its parts, frozen
    by then and no longer its children, held the shared memory, and no new server could start."""
    write_note(server.url, "kept")
    with psycopg.connect(server.url):
        assert server.pid is not None
        freeze([server.pid])
        assert server.ensure_running() is False
        freeze(pid for pid in processes_on(server.home / "data") if pid != server.pid)
        assert server.ensure_running() is True
    assert read_notes(server.url) == ["kept"]


def test_frozen_parts_of_a_killed_server_do_not_keep_the_next_from_starting(server: EmbeddedPostgres) -> None:
    write_note(server.url, "kept")
    with psycopg.connect(server.url):
        killed = server.pid
        assert killed is not None
        freeze(pid for pid in processes_on(server.home / "data") if pid != killed)
        os.kill(killed, signal.SIGKILL)
        await_end(killed)
        assert server.ensure_running() is True
    assert read_notes(server.url) == ["kept"]


def test_the_end_does_not_wait_for_a_sign_of_life_to_a_frozen_server(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The story: a launch whose database was frozen could not be ended."""
    write_note(server.url, "kept")
    upgrade(server.url)
    beats = Heartbeats(server.url)
    assert beats.beat("toy", "RUNNING", 0)
    frozen = processes_on(server.home / "data")
    freeze(frozen)
    has_begun = threading.Event()

    def write(*arguments: Any) -> None:
        has_begun.set()
        write_heartbeat(*arguments)

    monkeypatch.setattr(registers, "write_heartbeat", write)
    stuck = threading.Thread(target=beats.beat, args=("toy", "RUNNING", 1), daemon=True)
    stuck.start()
    assert has_begun.wait(10)
    beats.close(0.1)
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)
    stuck.join(30)
    assert not stuck.is_alive()
    beats.close()


def test_stopped_and_started_again_it_keeps_data_and_port(folder: Path) -> None:
    first = EmbeddedPostgres(folder)
    url = first.start()
    write_note(url, "kept")
    first.stop()
    assert first.pid is None
    second = EmbeddedPostgres(folder)
    try:
        assert second.start() == url
        assert read_notes(url) == ["kept"]
    finally:
        second.stop()


@pytest.mark.parametrize("name", ["password", pytest.param("port", marks=pytest.mark.soak)])
def test_files_that_a_loss_of_power_left_empty_are_made_anew(folder: Path, name: str) -> None:
    """Case 14: an empty `port` was a traceback, an empty `password` a minute's wait and then a refusal."""
    server = EmbeddedPostgres(folder)
    write_note(server.start(), "kept")
    home = server.home
    server.stop()
    for left in (b"", b"\0" * 32, b"short"):
        (home / name).write_bytes(left)
        server = EmbeddedPostgres(folder)
        try:
            assert read_notes(server.start()) == ["kept"], left
            assert (home / name).read_bytes() != left
        finally:
            server.stop()
    try:
        assert read_notes(server.start()) == ["kept"], "what was made anew is kept"
    finally:
        server.stop()


def test_a_second_start_of_the_same_folder_is_refused_clearly(server: EmbeddedPostgres, folder: Path) -> None:
    with pytest.raises(EmbeddedDatabaseError, match=f"in use by process {os.getpid()}"):
        EmbeddedPostgres(folder).start()
    write_note(server.url, "undisturbed")


def test_a_server_left_behind_by_a_killed_owner_is_replaced(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from infra.database.server.embedded import EmbeddedPostgres\n"
        "s = EmbeddedPostgres(Path(sys.argv[1])); print(s.start(), s.pid, flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    url, left_behind = owner.stdout.readline().split()
    write_note(url, "kept")
    owner.kill()
    owner.wait()
    owner.stdout.close()
    os.kill(int(left_behind), 0)  # it does live on
    server = EmbeddedPostgres(folder)
    try:
        assert server.start() == url
        assert server.pid != int(left_behind)
        assert read_notes(url) == ["kept"]
    finally:
        server.stop()


def test_a_pid_file_that_names_somebody_else_is_no_obstacle(folder: Path) -> None:
    """After a container's restart the old number may belong to any process, for example to ours."""
    server = EmbeddedPostgres(folder)
    server.start()
    pid = server.pid
    assert pid is not None
    stale = (server.home / "data" / "postmaster.pid").read_text().split("\n")
    os.kill(pid, signal.SIGKILL)
    await_end(pid)
    server.stop()
    (server.home / "data" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *stale[1:]]))
    try:
        server.start()
        write_note(server.url, "up")
    finally:
        server.stop()


def test_the_password_is_private_and_needed(server: EmbeddedPostgres) -> None:
    path = server.home / "password"
    word = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert word not in repr(server)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.url.replace(word, "guess"))


def test_it_is_durable_and_reachable_from_this_machine_only(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url) as connection:
        found = {
            name: connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            for name in ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "TimeZone")
        }
    assert [row[0] for row in found.values() if row] == ["on", "on", "on", "127.0.0.1", "UTC"]


def test_destroy_forgets_everything(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    with pytest.raises(EmbeddedDatabaseError):
        EmbeddedPostgres(folder).destroy()
    server.stop()
    server.destroy()
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps folders that the server's user cannot reach")
def test_as_root_below_a_closed_folder_the_files_live_elsewhere(folder: Path) -> None:
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "database", fallback=folder.parent / "fallback")
    try:
        write_note(server.start(), "works")
        assert server.home.parent == folder.parent / "fallback"
    finally:
        server.stop()
    home = server.home
    server.destroy()
    assert not home.exists()


@pytest.mark.soak
def test_as_root_with_the_wheel_below_a_closed_folder_the_copied_server_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone below /root: the unprivileged user cannot reach the wheel, so the server is copied. Its programs find
    libpq and readline beside the package, by their own place; without them `initdb` ended at once."""
    if os.geteuid() != 0:
        pytest.skip("needs root: only root starts the server as another user")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    installed = packaged_server().parent
    shutil.copytree(installed, closed / installed.name, symlinks=True)
    libraries = installed.with_name(f"{installed.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, closed / libraries.name, symlinks=True)
    copied = closed / installed.name / packaged_server().name
    monkeypatch.setattr("infra.database.server.files.packaged_server", lambda: copied)
    fallback = open_temporary_folder()
    server = EmbeddedPostgres(closed / "database", fallback=fallback)
    try:
        with psycopg.connect(server.start()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert server.bin.is_relative_to(fallback)
    finally:
        server.stop()
        shutil.rmtree(fallback)
