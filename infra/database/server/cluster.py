"""The files of one PostgreSQL cluster and the programs run on them, as the right user."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from infra.database.server.files import EmbeddedDatabaseError, ServerUser
from infra.database.server.processes import POLL_S, is_server_of
from infra.files import write_secret
from infra.processes.environment import Run, child_environment

HOST = "127.0.0.1"
TOOL_TIMEOUT_S = 600.0
"""initdb takes seconds, on a starving machine minutes; it is not known to hang."""

PROCESS_ROLE = "database"
PASSWORD_FILE = "password"
PASSWORD = re.compile(r"[A-Za-z0-9_-]{16,}")
"""What `secrets.token_urlsafe` makes: safe in a URL and between the quotes of a statement."""

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
    run: Run | None = None
    is_ending: threading.Event = field(default_factory=threading.Event)
    """Set: whatever program runs is broken off."""

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def bin(self) -> Path:
        return self.server / "bin"

    def password_of(self, role: str) -> str:
        """The role's password, random, in a file that only we can read; made anew when the file is missing or holds
        none, as a loss of power may leave it (`reset_password` then makes it the server's)."""
        path = self.home / (PASSWORD_FILE if role == self.role else f"{PASSWORD_FILE}-{role}")
        found = _password_in(path)
        if found is None:
            found = secrets.token_urlsafe(24)
            write_secret(path, found)
        return found

    def reset_password(self, password: str) -> None:
        """Make `password` the owner's, in single-user mode: it needs neither the old one nor a running server.

        Raises:
            EmbeddedDatabaseError: the server's program refused.
        """
        statement = f"ALTER ROLE \"{self.role}\" PASSWORD '{password}'\n"
        self._run("postgres", "--single", "-D", str(self.data), "postgres", text=statement)

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
        write_secret(word, password)
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
                env=self._environment(),
                start_new_session=True,
                **self._as_owner(),
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

    def _environment(self) -> dict[str, str]:
        return child_environment(self.run, PROCESS_ROLE, {"LC_ALL": "C"})

    def _as_owner(self) -> dict[str, Any]:
        """Arguments of a new process that make it run as the cluster's owner; none where that is this user."""
        if self.user is None:
            return {}
        return {"user": self.user.uid, "group": self.user.gid, "extra_groups": []}

    def _run(self, name: str, *arguments: str, text: str = "") -> str:
        with subprocess.Popen(
            [str(self.bin / name), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env=self._environment(),
            start_new_session=True,
            **self._as_owner(),
        ) as process:
            output, errors = self._await(name, process, text)
        if process.returncode:
            raise EmbeddedDatabaseError(f"{name} failed with code {process.returncode}: {errors.strip()[-600:]}")
        return output

    def _await(self, name: str, process: subprocess.Popen[str], text: str) -> tuple[str, str]:
        until, unsaid = time.monotonic() + TOOL_TIMEOUT_S, text or None
        while True:
            try:
                return process.communicate(unsaid, timeout=POLL_S)
            except subprocess.TimeoutExpired:
                unsaid = None  # logged once; later calls use it
            is_late = time.monotonic() > until
            if is_late or self.is_ending.is_set():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                why = f"has not ended within {TOOL_TIMEOUT_S:.0f} s" if is_late else "was broken off"
                raise EmbeddedDatabaseError(f"{name} {why}.")


def _password_in(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return text if PASSWORD.fullmatch(text) else None
