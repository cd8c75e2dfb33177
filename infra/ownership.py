"""Folders that are ours: a mark in them names their kind; nothing is written over or deleted where it
is missing, nor in a folder of another kind."""

from __future__ import annotations

import os
import secrets
from enum import StrEnum
from pathlib import Path

from infra.faults import OperatorError
from infra.files import write_text_whole

MARK_FILE = ".eternal-engine"
FORMAT = 1
_SENTENCE = "This folder belongs to Eternal Engine, which writes and deletes files in it."


class FolderKind(StrEnum):
    """What a folder of ours is for; the value stands in its mark."""

    DATA = "data folder"
    REPORT = "report folder"
    HISTORY = "folder of price history"


_SIGNS = {
    FolderKind.DATA: frozenset(
        {"api-port", "api-token", "archive", "database", "eternal.log", "exchange", "pid", "ray-token", "ray.log"}
    ),
    FolderKind.REPORT: frozenset({"report.html", "equity.parquet", "fills.parquet", "trades.parquet"}),
}
"""Names that only a folder of this kind has: they show the kind where the mark is of a version that named none."""


class ForeignFolderError(OperatorError, ValueError):
    """A folder that cannot be used as ours; the text names it, says what is there and what is allowed."""


def claim(folder: Path, what: str, kind: FolderKind, allowed: frozenset[str] = frozenset()) -> None:
    """Make the folder ours, and prove that it can be written to: created when it is missing, marked when it is empty.

    `what` names the folder's purpose in the sentence, e.g. "The folder of --out". Names in `allowed` may lie in a
    folder that carries no mark yet. A folder that is refused is left exactly as it was. Raises ForeignFolderError for
    a file in the folder's place, a folder with foreign content, one of another kind, and one that cannot be created,
    read or written to.
    """
    try:
        str(folder).encode()  # a name that is no text would fail the first library that takes it for one
        folder.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
        if MARK_FILE in names:
            text = _refuse_other_kind(folder, what, kind, names)
        else:
            _refuse_strangers(folder, what, names - allowed)
            text = ""
        if text != _mark_text(kind):
            write_text_whole(folder / MARK_FILE, _mark_text(kind))
        _try_to_write(folder)
    except OSError as error:
        raise ForeignFolderError(f"{what}, {folder}, cannot be used: {_reason(folder, error)}.") from error
    except ValueError as error:
        if isinstance(error, ForeignFolderError):
            raise
        raise ForeignFolderError(f"{what}, {str(folder)!r}, is no path: {error}.") from error


def demand_kind(folder: Path, what: str, kind: FolderKind) -> None:
    """Make sure that the folder carries our mark for this kind.

    Raises:
        ForeignFolderError: there is no such folder, no mark, or the mark of another kind or of a newer version.
        OSError: it cannot be read.
    """
    if folder.is_symlink() and not os.path.exists(folder):
        raise ForeignFolderError(f"{what}, {folder}, is a symbolic link that leads to no folder.")
    if not folder.is_dir():
        raise ForeignFolderError(f"{what}, {folder}, is not a folder: it has no mark {MARK_FILE}.")
    names = {path.name for path in folder.iterdir()}
    if MARK_FILE not in names:
        raise ForeignFolderError(
            f"{what}, {folder}, is not one of this program: it has no mark {MARK_FILE}. A folder of an earlier version "
            "gets its mark at its next start."
        )
    _refuse_other_kind(folder, what, kind, names)


def is_missing(folder: Path) -> bool:
    """Whether nothing at all is at this place; a link that leads nowhere or in a circle is something."""
    return not os.path.lexists(folder)


def _mark_text(kind: FolderKind) -> str:
    return f"{_SENTENCE}\nkind: {kind}\nformat: {FORMAT}\n"


def _refuse_other_kind(folder: Path, what: str, kind: FolderKind, names: set[str]) -> str:
    """The mark's text, if the folder is of this kind."""
    text = (folder / MARK_FILE).read_text(encoding="utf-8", errors="replace")
    lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    number = lines.get("format", "0")
    if not number.isdigit() or len(number) > 4 or int(number) > FORMAT:
        raise ForeignFolderError(
            f"{what}, {folder}, has a mark {MARK_FILE} of format {number[:20]}, which this version does not read; "
            f"formats up to {FORMAT} are allowed. Use the version that made it, or name another folder."
        )
    marked_kind = lines["kind"] if "kind" in lines else _kind_by_content(folder, what, names)
    if marked_kind not in ("", kind):
        raise ForeignFolderError(
            f"{what}, {folder}, is a {marked_kind[:40]} of Eternal Engine (its mark {MARK_FILE} or its files say so); "
            f"a {kind} is required. Name an empty folder, or one that does not exist yet."
        )
    return text


def _kind_by_content(folder: Path, what: str, names: set[str]) -> str:
    """The kind of a folder whose mark is of an earlier version and names none; "" for an empty one, which may become
    any."""
    found = [kind for kind, signs in _SIGNS.items() if names & signs]
    if len(found) == 1:
        return found[0]
    if not found and names == {MARK_FILE}:
        return ""
    raise ForeignFolderError(
        f"{what}, {folder}, has a mark {MARK_FILE} of an earlier version, and its content does not show whether it "
        "is a data folder or a report. Move what is in it to another folder, or name another folder."
    )


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
        trial.write_text(_SENTENCE, encoding="utf-8")
    finally:
        trial.unlink(missing_ok=True)


def _reason(folder: Path, error: OSError) -> str:
    in_the_way = next((path for path in (folder, *folder.parents) if os.path.lexists(path) and not path.is_dir()), None)
    if in_the_way is not None:
        return f"{in_the_way} is not a folder, and a folder is required"
    return f"{error.strerror or error}; a folder that can be created and written to is required"
