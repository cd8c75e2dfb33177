"""The data folder: made for the owner only, marked as ours, and only ever reset with that mark in it (case 17)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import NamedTuple

from infra.ownership import MARK_FILE, FolderKind, claim, demand_kind

MODE = 0o700
WHAT = "The data folder"

OURS = frozenset(
    {
        "access.json",
        "access.json.lock",
        "api-port",
        "api-token",
        "archive",
        "backtests",
        "database",
        "dead-man.json",
        "dead-man.lock",
        "dead-man.log",
        "eternal.log",
        "exchange",
        "orchestrator-beat",
        "pid",
        "ray-token",
        "ray.log",
        "secrets.sock",
        "sessions.json",
        "sessions.json.lock",
        "summary.json",
    }
)
"""What the program itself makes in it; nothing else in it is ever deleted."""

KNOWN = OURS | {"eternal.toml"}
"""What may lie in it before it is marked: what versions without a mark have left, and the operator's own file."""

_DRAFT = re.compile(r"\..+\.[0-9a-f]{8}\.(draft|trial)")
"""What a writer that was killed has left (`infra.files`, `infra.ownership`)."""


class Discarded(NamedTuple):
    """What `discard` has left: names of files that are not ours, and links of ours whose target was left alone."""

    strangers: tuple[str, ...]
    links: tuple[str, ...]


def claim_data_folder(folder: Path) -> None:
    """Make the folder (for its owner only) and mark it.

    Raises:
        ForeignFolderError: something else lies there, or it cannot be made or written to.
    """
    if not folder.exists():
        claim(folder, WHAT, FolderKind.DATA)
        folder.chmod(MODE)
    else:
        claim(folder, WHAT, FolderKind.DATA, KNOWN)


def demand_data_folder(folder: Path) -> None:
    """Make sure that this is a data folder of ours. Raises ForeignFolderError and OSError."""
    demand_kind(folder, WHAT, FolderKind.DATA)


def discard(folder: Path) -> Discarded:
    """Delete what is ours in the data folder, its mark last, and the folder itself when nothing else is in it. A link
    is deleted, but not what it leads to.

    Raises:
        ForeignFolderError: it is not a data folder of ours.
        OSError: something cannot be deleted; the mark is still there then, and a repeat resumes.
    """
    demand_data_folder(folder)
    strangers, links = [], []
    for path in sorted(folder.iterdir()):
        if path.name == MARK_FILE:
            continue
        if path.name not in OURS and _DRAFT.fullmatch(path.name) is None:
            strangers.append(path.name)
        elif path.is_symlink():
            links.append(f"{path.name} -> {path.readlink()}")
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not strangers:
        (folder / MARK_FILE).unlink()
        if folder.is_symlink():
            links.append(f"{folder} -> {folder.readlink()}")
        else:
            folder.resolve().rmdir()
    return Discarded(tuple(strangers), tuple(links))
