"""Whose folder it is: what is not ours is neither written to nor deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.ownership import MARK_FILE, ForeignFolderError, claim, is_ours

WHAT = "The folder of --out"


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_that_does_not_exist_is_created_and_marked(tmp_path: Path) -> None:
    claim(tmp_path / "a" / "b", WHAT)
    assert is_ours(tmp_path / "a" / "b")
    assert os.listdir(tmp_path / "a" / "b") == [MARK_FILE]


def test_a_folder_of_ours_is_ours_again_whatever_lies_in_it(tmp_path: Path) -> None:
    claim(tmp_path, WHAT)
    (tmp_path / "report.html").write_text("old")
    claim(tmp_path, WHAT)
    assert (tmp_path / "report.html").read_text() == "old"


def test_a_strangers_folder_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("mine")
    before = _tree(tmp_path)
    with pytest.raises(ForeignFolderError, match=r"--out.*not ours.*summary\.json.*empty folder"):
        claim(tmp_path, WHAT)
    assert _tree(tmp_path) == before
    assert not is_ours(tmp_path)


def test_allowed_names_may_lie_in_a_folder_without_a_mark(tmp_path: Path) -> None:
    (tmp_path / "pgdata").mkdir()
    claim(tmp_path, "The data folder", frozenset({"pgdata", "tokens"}))
    assert is_ours(tmp_path)


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(ForeignFolderError, match="file is not a folder, and a folder is required"):
        claim(tmp_path / "file" / below, WHAT)
    assert (tmp_path / "file").read_text() == "text"


def test_a_link_to_nowhere_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ForeignFolderError, match="link"):
        claim(tmp_path / "link", WHAT)


def test_a_folder_where_nothing_can_be_written_is_a_sentence(tmp_path: Path) -> None:
    """/proc refuses every user, root too, so this holds where the tests run as root."""
    with pytest.raises(ForeignFolderError, match=r"--out.*cannot be used.*can be created and written to"):
        claim(Path("/proc/eternal"), WHAT)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "x\udcffy"])
def test_a_name_that_is_no_path_is_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(ForeignFolderError, match="--out"):
        claim(tmp_path / name, WHAT)
    assert not is_ours(tmp_path / name)
