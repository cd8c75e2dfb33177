"""Folders that are ours: a mark in them says so, and nothing is written over or deleted where it is missing."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from infra.faults import OperatorError
from infra.files import write_text_whole

MARK_FILE = ".eternal-engine"
_MARK_TEXT = "This folder belongs to Eternal Engine, which writes and deletes files in it.\n"


class ForeignFolderError(OperatorError, ValueError):
    """A folder that cannot be used as ours; the text names it, says what is there and what is allowed."""


def claim(folder: Path, what: str, allowed: frozenset[str] = frozenset()) -> None:
    """Make the folder ours, and prove that it can be written to: created when it is missing, marked when it is empty.

    `what` names the folder's purpose in the sentence, e.g. "The folder of --out". Names in `allowed` may lie in a
    folder that carries no mark yet. A folder that is refused is left exactly as it was. Raises ForeignFolderError for
    a file in the folder's place, a folder with foreign content, and one that cannot be created, read or written to.
    """
    try:
        str(folder).encode()  # a name that is no text would fail the first library that takes it for one
        folder.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
        if MARK_FILE not in names:
            _refuse_strangers(folder, what, names - allowed)
            write_text_whole(folder / MARK_FILE, _MARK_TEXT)
        _try_to_write(folder)
    except OSError as error:
        raise ForeignFolderError(f"{what}, {folder}, cannot be used: {_reason(folder, error)}.") from error
    except ValueError as error:
        if isinstance(error, ForeignFolderError):
            raise
        raise ForeignFolderError(f"{what}, {str(folder)!r}, is no path: {error}.") from error


def is_ours(folder: Path) -> bool:
    """Whether the folder carries our mark."""
    try:
        return (folder / MARK_FILE).is_file()
    except (OSError, ValueError):
        return False


def _refuse_strangers(folder: Path, what: str, names: set[str]) -> None:
    if not names:
        return
    shown = ", ".join(sorted(names)[:3]) + (", ..." if len(names) > 3 else "")
    raise ForeignFolderError(
        f"{what}, {folder}, is not ours: it holds {shown} and no mark {MARK_FILE}. Name an empty folder, one that does "
        "not exist yet, or one that Eternal Engine made."
    )


def _try_to_write(folder: Path) -> None:
    """A mark from earlier says nothing about today's permissions and disk."""
    trial = folder / f"{MARK_FILE}.{secrets.token_hex(4)}.trial"
    try:
        trial.write_text(_MARK_TEXT, encoding="utf-8")
    finally:
        trial.unlink(missing_ok=True)


def _reason(folder: Path, error: OSError) -> str:
    in_the_way = next((path for path in (folder, *folder.parents) if os.path.lexists(path) and not path.is_dir()), None)
    if in_the_way is not None:
        return f"{in_the_way} is not a folder, and a folder is required"
    return f"{error.strerror or error}; a folder that can be created and written to is required"
