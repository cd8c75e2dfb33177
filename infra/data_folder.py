"""The data folder: made for the owner only, marked as ours, and only ever reset with that mark in it (case 17)."""

from __future__ import annotations

from pathlib import Path

from infra.ownership import claim

MODE = 0o700
WHAT = "The data folder"

KNOWN = frozenset(
    {
        "api-port",
        "api-token",
        "archive",
        "database",
        "eternal.log",
        "eternal.toml",
        "exchange",
        "pid",
        "summary.json",
    }
)
"""What may lie in it before it is marked: the operator's own file, and what versions without a mark have left."""


def claim_data_folder(folder: Path) -> None:
    """Make the folder (for its owner only) and mark it.

    Raises:
        ForeignFolderError: something else lies there, or it cannot be made or written to.
    """
    if not folder.exists():
        claim(folder, WHAT)
        folder.chmod(MODE)
    else:
        claim(folder, WHAT, KNOWN)
