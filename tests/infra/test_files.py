"""Files that are written whole: what cannot be written is told under the name that was given."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from infra.files import write_text_whole, write_whole


def test_the_file_that_was_asked_for_is_named_and_not_the_draft(tmp_path: Path) -> None:
    """`ledger export --out` named "/nope/.x.csv.d2c291b4.draft", and for a folder a file beside it."""
    with pytest.raises(FileNotFoundError) as absent:
        write_text_whole(tmp_path / "nope" / "x.csv", "text")
    assert absent.value.filename == str(tmp_path / "nope" / "x.csv")
    with pytest.raises(IsADirectoryError) as folder:
        write_text_whole(tmp_path, "text")
    assert folder.value.filename == str(tmp_path) and folder.value.errno == errno.EISDIR
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    write_text_whole(target, "old")

    def fail(draft: Path) -> None:
        draft.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device", str(draft))

    with pytest.raises(OSError, match="No space left") as full:
        write_whole(target, fail)
    assert full.value.filename == str(target)
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]
