"""The files of one PostgreSQL cluster and the programs run on them, as the right user."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from infra.database.server_files import EmbeddedDatabaseError, ServerUser
from infra.database.server_process import clean_environment, is_server_of

HOST = "127.0.0.1"
TOOL_TIMEOUT_S = 120.0

SETTINGS: dict[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "io_method": "sync",  # no extra worker processes
    "max_parallel_workers_per_gather": "0",  # no /dev/shm segments, which are scarce in containers
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgres-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster below `home`: `data/`, `password`, `server.log`. `server` holds bin, lib and share."""

    home: Path
    server: Path
    role: str
    user: ServerUser | None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def bin(self) -> Path:
        return self.server / "bin"

    def read_or_make_password(self) -> str:
        """The role's password, random, in a file that only we can read."""
        path = self.home / "password"
        if not path.exists():
            half_done = self.home / "password.new"
            _write_secret(half_done, secrets.token_urlsafe(24))
            half_done.rename(path)
        return path.read_text(encoding="utf-8").strip()

    def create(self, password: str) -> None:
        """Make the cluster unless it is there. A start that was killed in here leaves no half cluster behind.

        Raises:
            EmbeddedDatabaseError: initdb failed, or the cluster is of another major version.
        """
        if self.data.exists():
            self._check_version()
            return
        half_done, word = self.home / "data.new", self.home / "password.initdb"
        shutil.rmtree(half_done, ignore_errors=True)
        half_done.mkdir(mode=0o700)
        _write_secret(word, password)
        if self.user:
            for path in (half_done, word):
                os.chown(path, self.user.uid, self.user.gid)
        choices = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums")
        try:
            self._run("initdb", "-D", str(half_done), "-U", self.role, f"--pwfile={word}", *choices)
        finally:
            word.unlink(missing_ok=True)
        half_done.rename(self.data)

    def spawn(self, port: int) -> subprocess.Popen[bytes]:
        """Run the server in the foreground as our child, in a session of its own: a Ctrl-C in the terminal is
        for us, and we stop the database last."""
        arguments = [str(self.bin / "postgres"), "-D", str(self.data), "-p", str(port)]
        for name, value in SETTINGS.items():
            arguments += ["-c", f"{name}={value}"]
        with open(self.home / "server.log", "wb") as log:
            return subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=clean_environment(),
                start_new_session=True,
                user=self.user.uid if self.user else None,
                group=self.user.gid if self.user else None,
                extra_groups=[] if self.user else None,
            )

    def orphan(self, child: subprocess.Popen[bytes] | None) -> int | None:
        """The pid of a live server on our data that is not `child`; a stale pid file is removed."""
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n")[0])
        except (FileNotFoundError, ValueError):
            return None
        if child is not None and child.pid == pid and child.poll() is None:
            return None
        if is_server_of(pid, self.data):
            return pid
        pid_file.unlink(missing_ok=True)  # the number may meanwhile be anyone's; postgres would refuse to start
        return None

    def last_words(self) -> str:
        """The end of what the server said at its last start."""
        log: IO[str]
        try:
            with open(self.home / "server.log", encoding="utf-8", errors="replace") as log:
                lines = log.read().strip().splitlines()
        except FileNotFoundError:
            return "no log"
        return " | ".join(lines[-6:]) or "no message"

    def _check_version(self) -> None:
        theirs = (self.data / "PG_VERSION").read_text().strip()
        ours = self._run("postgres", "--version").split()[2].split(".")[0]
        if ours != theirs:
            raise EmbeddedDatabaseError(
                f"the database in {self.home} was made by PostgreSQL {theirs}, the installed server is version {ours}; "
                "dump it with the old version's pg_dump and load it into a new data folder."
            )

    def _run(self, name: str, *arguments: str) -> str:
        result = subprocess.run(
            [str(self.bin / name), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            env=clean_environment(),
            check=False,
            timeout=TOOL_TIMEOUT_S,
            user=self.user.uid if self.user else None,
            group=self.user.gid if self.user else None,
            extra_groups=[] if self.user else None,
        )
        if result.returncode:
            raise EmbeddedDatabaseError(f"{name} failed with code {result.returncode}: {result.stderr.strip()[-600:]}")
        return result.stdout


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
