"""Which code made a report."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = "eternal-engine"
UNKNOWN = "unknown"
_PATIENCE_S = 5.0


def version_of_the_code() -> str:
    """The installed version; "unknown" when the package is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return UNKNOWN


def commit_of_the_code() -> str:
    """The commit of the checkout that runs, followed by "with changes" when files differ from it; "unknown" outside of
    a checkout or without git."""
    folder = Path(__file__).resolve().parent
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return UNKNOWN
    return f"{commit} with changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else commit


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, check=True, capture_output=True, text=True, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
