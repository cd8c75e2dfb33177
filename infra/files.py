"""Files that are there whole or not at all: the one writer of everything that must survive a loss of power."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path

SECRET_MODE = 0o600
HIGHEST_PORT = 65_535


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a draft and put it in the place of `path` once it is on the disk. An interrupted or failed
    write leaves the file that was there before. An OSError about the draft names `path` instead, which is what the
    caller gave."""
    draft = _draft_of(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        write(draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if error.filename is not None and os.fspath(error.filename) == str(draft):
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        draft.unlink(missing_ok=True)


def write_text_whole(path: Path, text: str) -> None:
    """`write_whole` with a text."""
    write_whole(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def write_secret(path: Path, text: str, *, replace: bool = True) -> bool:
    """Write a text that only its owner can read (mode 0600 from the first byte on), whole or not at all.

    With `replace` False a file that exists meanwhile is kept: False is returned and it is the one that counts.
    """
    draft = _draft_of(path)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            os.link(draft, path)
        sync_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def read_port(path: Path) -> int | None:
    """The port that a file remembers; None when there is no file or no port in it (as after a loss of power)."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    port = int(text) if text.isdigit() and len(text) <= 5 else 0
    return port if 0 < port <= HIGHEST_PORT else None


def whole_path(path: Path) -> Path:
    """The absolute path without links; one whose links lead in a circle leads on to itself, and opening it
    reports it (`Path.resolve` raises a RuntimeError, which names no fault of a person)."""
    return Path(os.path.realpath(path))


def _draft_of(path: Path) -> Path:
    # Random: two writers of one file must not fill one draft.
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")


def sync_folder(folder: Path) -> None:
    """The new name is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """What differs once the file has been written or replaced; None when it is not there."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def close_to_others(path: Path) -> None:
    """Take away every right of others on a file with a secret. Raises OSError."""
    if path.stat().st_mode & 0o077:
        path.chmod(SECRET_MODE)
