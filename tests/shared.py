"""Where tests find reference material that is not part of the repository, such as recorded market history."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def shared_path(*parts: str) -> Path:
    """The path below the folder ``shared`` beside the repository (or beside a folder above it); skips when absent."""
    for above in REPOSITORY.parents:
        found = above.joinpath("shared", *parts)
        if found.exists():
            return found
    pytest.skip(f"The reference material shared/{'/'.join(parts)} is not beside this checkout.")
