"""Where tests find reference material that is not part of the repository, such as recorded market history."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def find_shared(*parts: str) -> Path | None:
    """The path below the folder ``shared`` beside the repository (or beside a folder above it), if it is there."""
    found = (above.joinpath("shared", *parts) for above in REPOSITORY.parents)
    return next((path for path in found if path.exists()), None)


def shared_path(*parts: str) -> Path:
    """``find_shared``, or the test is skipped."""
    found = find_shared(*parts)
    if found is not None:
        return found
    pytest.skip(f"The reference material shared/{'/'.join(parts)} is not beside this checkout.")
