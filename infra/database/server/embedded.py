"""The embedded PostgreSQL: the server of a wheel, run in the foreground as our own child (DA-5, OR-8).

Why not the wheel's own manager: it daemonises the server, which then belongs to process 1; killed in a container
whose process 1 does not reap, the zombie is taken for a running server and is never restarted. Here the server is a
child that is watched, reaped and restarted by `ensure_running`.

Layout of the folder: `lock` (held by the owner), `password` (0600), `port`, `data/` (the cluster),
`server.log` (the server's last start; its running log is data/log, one file per weekday).

Root: PostgreSQL refuses to run as root, so the server runs as an existing unprivileged user who owns `data`. Such a
user cannot pass a root-only parent (a clone below /root); then the files live below /var/lib/eternal-engine, in a
folder named by the hash of the wished path, and the wheel's server is copied there too. The connection is TCP on
127.0.0.1 with a password: it works for any user that runs the server; a Unix socket inside a deep folder would exceed
the 107 bytes that a socket's path may have.

A server left behind by an owner that was killed is found by its pid file, stopped and replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, Literal

import psycopg

from actors.runtime.granted_time import GrantedTime
from infra.database.server.cluster import HOST, PASSWORD_FILE, Cluster
from infra.database.server.files import (
    FALLBACK,
    EmbeddedDatabaseError,
    ServerUser,
    reachable_home,
    reachable_server,
    server_user,
)
from infra.database.server.processes import POLL_S, is_server_of, processes_on, stop_process
from infra.files import read_port, write_text_whole
from infra.processes.environment import Run
from infra.processes.ports import free_port, is_free
from infra.processes.table import is_stopped

LOG = logging.getLogger(__name__)

ROLE = "eternal"
DATABASE = "eternal"
START_TIMEOUT_S = 60.0
"""How long a server that says nothing may take to answer (granted seconds); one that says that it is starting up or
recovering its log is given the time it needs."""
STARTING_WORDS = ("starting up", "recovery", "not yet accepting connections")
"""The code of a server that is still starting (SQLSTATE 57P03)."""

PASSING_TROUBLES = ("shared memory block", "lock file", "Address already in use")
"""What a start says while the remains of a killed server still hold on: worth another try."""


class _WrongPasswordError(Exception):
    """The server answers and refuses the password in our file."""


class EmbeddedPostgres:
    """One PostgreSQL server of our own in `folder`; `port` 0 takes a free one and keeps it.

    Raises (from `start` and `ensure_running`):
        EmbeddedDatabaseError: the folder is in use, the server is missing or does not come up.
    """

    def __init__(self, folder: Path, port: int = 0, fallback: Path = FALLBACK, run: Run | None = None) -> None:
        self.folder = folder
        self.restarts = 0
        self._wanted_port = port
        self._fallback = fallback
        self._run = run or Run(folder)
        self._is_ending = threading.Event()
        self._frozen: frozenset[int] = frozenset()
        self._cluster: Cluster | None = None
        self._port = 0
        self._password = ""
        self._child: subprocess.Popen[bytes] | None = None
        self._lock_file: IO[str] | None = None
        self._guard = threading.RLock()

    def __repr__(self) -> str:
        return f"EmbeddedPostgres(folder={str(self.folder)!r}, port={self._port}, pid={self.pid})"

    @property
    def pid(self) -> int | None:
        """The server's process id; None when it is not our running child."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    @property
    def home(self) -> Path:
        """Where the files really are (differs from `folder` only for root under a root-only path)."""
        return self._opened.home

    @property
    def bin(self) -> Path:
        """The server's programs (pg_dump and the like)."""
        return self._opened.bin

    @property
    def url(self) -> str:
        """The database's URL with its password: never to be logged."""
        return self._url_of(DATABASE)

    def password_of(self, role: str) -> str:
        """The password of a role of this server, made when there is none: never to be logged."""
        return self._opened.password_of(role)

    def url_of(self, role: str) -> str:
        """The database's URL for another role than the owner: never to be logged."""
        return f"postgresql://{role}:{self.password_of(role)}@{HOST}:{self._port}/{DATABASE}"

    def start(self) -> str:
        """Start the server (creating the cluster the first time) and return its URL."""
        with self._guard:
            self._is_ending.clear()
            user = server_user()
            home = reachable_home(self.folder, user, self._fallback)
            home.mkdir(parents=True, exist_ok=True)
            home.chmod(0o711 if user else 0o700)
            self._take_lock(home)
            try:
                self._cluster = self._cluster_in(home, user)
                self._password = self._cluster.password_of(ROLE)
                self._cluster.create(self._password)
                self._port = self._choose_port(self._cluster)
                self._launch(self._cluster)
            except BaseException:
                self.stop()
                raise
            return self.url

    def ensure_running(self) -> bool:
        """Restart the server if it has died; True when it had. Called again and again by the owner."""
        with self._guard:
            cluster = self._opened
            if self._lock_file is None:
                raise EmbeddedDatabaseError(f"the database in {self.folder} has been stopped.")
            self._end_frozen_processes()
            if self._child is not None and self._child.poll() is None:
                return False
            code = None if self._child is None else self._child.returncode
            LOG.warning(
                "The database server has died (exit code %s); it is started again on port %d.", code, self._port
            )
            self._launch(cluster)
            self.restarts += 1
            return True

    def stop(self) -> None:
        """Stop the server (fast shutdown, harder if it does not obey) and give up the folder; a start under way on
        another thread is broken off."""
        self._is_ending.set()
        with self._guard:
            child, self._child = self._child, None
            if child is not None:
                if child.poll() is None:
                    stop_process(child.pid, lambda: child.poll() is not None)
                child.wait(timeout=START_TIMEOUT_S)
            if self._lock_file is not None:
                self._lock_file.close()
                self._lock_file = None

    def destroy(self) -> None:
        """Discard everything: remove the folder and, for root, its stand-in; stops a server left behind.

        Raises:
            EmbeddedDatabaseError: another process uses the folder, or our own server still runs.
        """
        user = server_user()
        home = reachable_home(self.folder, user, self._fallback)
        if home.exists():
            self._take_lock(home)
            try:
                _stop_orphan(Cluster(home, Path(), ROLE, user), None)
                shutil.rmtree(home)
            finally:
                self.stop()
        if self.folder.exists():
            shutil.rmtree(self.folder)

    # --- steps of a start ---

    def _cluster_in(self, home: Path, user: ServerUser | None) -> Cluster:
        return Cluster(home, reachable_server(user, self._fallback), ROLE, user, self._run, self._is_ending)

    def _end_frozen_processes(self) -> None:
        """A process of the server that is stopped at two looks in a row is ended: it would hold its locks, and its
        clients would wait without end. PostgreSQL then recovers by itself, or the server is started again."""
        frozen = frozenset(pid for pid in processes_on(self._opened.data) if is_stopped(pid))
        for pid in frozen & self._frozen:
            LOG.warning("Process %d of the database server is frozen; it is ended.", pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if self._child is not None and pid == self._child.pid:
                self._child.wait()
        self._frozen = frozen - self._frozen

    @property
    def _opened(self) -> Cluster:
        if self._cluster is None:
            raise EmbeddedDatabaseError(f"the database in {self.folder} was never started.")
        return self._cluster

    def _url_of(self, database: str) -> str:
        return f"postgresql://{ROLE}:{self._password}@{HOST}:{self._port}/{database}"

    def _take_lock(self, home: Path) -> None:
        if self._lock_file is not None:
            raise EmbeddedDatabaseError(f"the database in {self.folder} is already started by this very object.")
        file = open(home / "lock", "a+", encoding="utf-8")  # noqa: SIM115 - held until stop()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            file.close()
            raise EmbeddedDatabaseError(
                f"the database folder {self.folder} is in use by process {owner}; stop that system first "
                "(`eternal stop`) or choose another data folder."
            ) from None
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        self._lock_file = file

    def _choose_port(self, cluster: Cluster) -> int:
        if self._wanted_port:
            return self._wanted_port
        remembered = cluster.home / "port"
        port = read_port(remembered)
        if port is not None and (cluster.orphan(None) is not None or is_free(HOST, port)):
            return port
        port = free_port(0, HOST)
        write_text_whole(remembered, str(port))
        return port

    def _launch(self, cluster: Cluster) -> None:
        """Start the server and wait until it answers. After a SIGKILL the old server's children may hold its
        shared memory for a moment, and the new one then refuses: so a start is tried until the time is up."""
        granted, is_reset = GrantedTime(), False
        while True:
            _stop_orphan(cluster, self._child)
            _end_remains(cluster)
            if self._is_ending.is_set():
                raise EmbeddedDatabaseError(f"the start of the database in {cluster.home} was broken off.")
            self._child = cluster.spawn(self._port)
            try:
                if self._await_answer(cluster, self._child, granted):
                    self._ensure_database()
                    return
            except _WrongPasswordError as error:
                if is_reset:
                    raise EmbeddedDatabaseError(str(error)) from error
                # The file was lost or damaged and made anew: the cluster is ours, so its password follows.
                LOG.warning("%s It is set again in the database.", error)
                self._reset_password(cluster, self._child)
                is_reset = True
                continue
            words = cluster.last_words()
            if granted.now_s() > START_TIMEOUT_S or not any(trouble in words for trouble in PASSING_TROUBLES):
                raise EmbeddedDatabaseError(
                    f"the database in {cluster.home} ended with code {self._child.returncode} "
                    f"(port {self._port}): {words}"
                )
            time.sleep(POLL_S)

    def _await_answer(self, cluster: Cluster, child: subprocess.Popen[bytes], granted: GrantedTime) -> bool:
        """Whether the server answers; False when it has ended."""
        heard_s = granted.now_s()
        while child.poll() is None:
            if self._is_ending.is_set():
                raise EmbeddedDatabaseError(f"the start of the database in {cluster.home} was broken off.")
            answer = self._answer(cluster)
            if answer == "ready":
                return True
            if answer == "starting":
                heard_s = granted.now_s()
            if granted.now_s() - heard_s > START_TIMEOUT_S:
                raise EmbeddedDatabaseError(
                    f"the database in {cluster.home} did not answer within {START_TIMEOUT_S:.0f} s: "
                    f"{cluster.last_words()}"
                )
            time.sleep(POLL_S)
        return False

    def _answer(self, cluster: Cluster) -> Literal["ready", "starting", "silent"]:
        try:
            psycopg.connect(self._url_of("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            text = str(error)
            if "password authentication failed" in text:
                raise _WrongPasswordError(
                    f"the database on port {self._port} refuses the password in {cluster.home / PASSWORD_FILE}."
                ) from error
            return "starting" if any(word in text for word in STARTING_WORDS) else "silent"
        return "ready"

    def _reset_password(self, cluster: Cluster, child: subprocess.Popen[bytes]) -> None:
        stop_process(child.pid, lambda: child.poll() is not None)
        child.wait(timeout=START_TIMEOUT_S)
        cluster.reset_password(self._password)

    def _ensure_database(self) -> None:
        with psycopg.connect(self._url_of("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if not found:
                connection.execute(f'CREATE DATABASE "{DATABASE}"')


def _end_remains(cluster: Cluster) -> None:
    """End frozen parts of a server that has ended: those that run notice it and end, a frozen one would hold the shared
    memory without end, and no new server would start."""
    frozen = [pid for pid in processes_on(cluster.data) if is_stopped(pid)]
    for pid in frozen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if frozen:
        LOG.warning("%d frozen processes of a database server that has ended are ended.", len(frozen))


def _stop_orphan(cluster: Cluster, child: subprocess.Popen[bytes] | None) -> None:
    """Stop a server that an owner who was killed has left behind on these files."""
    pid = cluster.orphan(child)
    if pid is None:
        return
    LOG.warning(
        "A database server of a previous incarnation (process %d) still runs on %s; it is stopped.", pid, cluster.data
    )
    stop_process(pid, lambda: not is_server_of(pid, cluster.data))
