"""Whose folder it is: what is not ours is neither written to nor deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.ownership import MARK_FILE, FolderKind, ForeignFolderError, claim, demand_kind

WHAT = "The folder of --out"
REPORT, DATA = FolderKind.REPORT, FolderKind.DATA
OLD_MARK = "This folder belongs to Eternal Engine, which writes and deletes files in it.\n"


def is_ours(folder: Path, kind: FolderKind = REPORT) -> bool:
    """Whether the folder carries our mark for this kind."""
    try:
        demand_kind(folder, WHAT, kind)
    except (ForeignFolderError, OSError):
        return False
    return True


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_that_does_not_exist_is_created_and_marked(tmp_path: Path) -> None:
    claim(tmp_path / "a" / "b", WHAT, REPORT)
    assert is_ours(tmp_path / "a" / "b")
    assert os.listdir(tmp_path / "a" / "b") == [MARK_FILE]


def test_a_folder_of_ours_is_ours_again_whatever_lies_in_it(tmp_path: Path) -> None:
    claim(tmp_path, WHAT, REPORT)
    (tmp_path / "report.html").write_text("old")
    claim(tmp_path, WHAT, REPORT)
    assert (tmp_path / "report.html").read_text() == "old"


def test_a_strangers_folder_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("mine")
    before = _tree(tmp_path)
    with pytest.raises(ForeignFolderError, match=r"--out.*not ours.*summary\.json.*empty folder"):
        claim(tmp_path, WHAT, REPORT)
    assert _tree(tmp_path) == before
    assert not is_ours(tmp_path)


def test_allowed_names_may_lie_in_a_folder_without_a_mark(tmp_path: Path) -> None:
    (tmp_path / "pgdata").mkdir()
    claim(tmp_path, "The data folder", DATA, frozenset({"pgdata", "tokens"}))
    assert is_ours(tmp_path, DATA)


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(ForeignFolderError, match="file is not a folder, and a folder is required"):
        claim(tmp_path / "file" / below, WHAT, REPORT)
    assert (tmp_path / "file").read_text() == "text"


def test_a_link_to_nowhere_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ForeignFolderError, match="link"):
        claim(tmp_path / "link", WHAT, REPORT)


def test_a_folder_where_nothing_can_be_written_is_a_sentence(tmp_path: Path) -> None:
    """/proc refuses every user, root too, so this holds where the tests run as root."""
    with pytest.raises(ForeignFolderError, match=r"--out.*cannot be used.*can be created and written to"):
        claim(Path("/proc/eternal"), WHAT, REPORT)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "x\udcffy"])
def test_a_name_that_is_no_path_is_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(ForeignFolderError, match="--out"):
        claim(tmp_path / name, WHAT, REPORT)
    assert not os.path.lexists(tmp_path / name)


@pytest.mark.parametrize(("made", "wanted"), [(REPORT, DATA), (DATA, REPORT), (FolderKind.HISTORY, DATA)])
def test_a_folder_of_ours_of_another_kind_is_refused(tmp_path: Path, made: FolderKind, wanted: FolderKind) -> None:
    """A report was accepted as a data folder, and `eternal reset` would have deleted it."""
    claim(tmp_path, WHAT, made)
    before = _tree(tmp_path)
    with pytest.raises(ForeignFolderError, match=f"is a {made} of Eternal Engine.*a {wanted} is required"):
        claim(tmp_path, WHAT, wanted)
    with pytest.raises(ForeignFolderError, match=f"is a {made}"):
        demand_kind(tmp_path, WHAT, wanted)
    assert _tree(tmp_path) == before


@pytest.mark.parametrize(
    ("names", "kind"), [(["database", "pid"], DATA), (["report.html", "summary.json"], REPORT), (["exchange"], DATA)]
)
def test_a_mark_of_an_earlier_version_counts_where_the_content_tells_the_kind(
    tmp_path: Path, names: list[str], kind: FolderKind
) -> None:
    """It named no kind; the next claim writes it anew."""
    (tmp_path / MARK_FILE).write_text(OLD_MARK)
    for name in names:
        (tmp_path / name).write_text("x")
    other = REPORT if kind is DATA else DATA
    with pytest.raises(ForeignFolderError, match=f"is a {kind} of"):
        claim(tmp_path, WHAT, other)
    assert (tmp_path / MARK_FILE).read_text() == OLD_MARK
    claim(tmp_path, WHAT, kind)
    assert f"kind: {kind}\n" in (tmp_path / MARK_FILE).read_text()
    assert "format: 1\n" in (tmp_path / MARK_FILE).read_text()


@pytest.mark.parametrize("mark", ["", OLD_MARK])
@pytest.mark.parametrize("names", [["cat.jpg"], ["database", "report.html"], ["summary.json"]])
def test_an_old_or_empty_mark_without_a_plain_kind_is_refused(tmp_path: Path, mark: str, names: list[str]) -> None:
    (tmp_path / MARK_FILE).write_text(mark)
    for name in names:
        (tmp_path / name).write_text("mine")
    with pytest.raises(ForeignFolderError, match=r"earlier version.*does not show"):
        claim(tmp_path, WHAT, DATA)
    assert not is_ours(tmp_path, DATA) and not is_ours(tmp_path, REPORT)


def test_an_old_mark_in_an_empty_folder_may_become_any_kind(tmp_path: Path) -> None:
    (tmp_path / MARK_FILE).write_text(OLD_MARK)
    claim(tmp_path, WHAT, REPORT)
    assert is_ours(tmp_path, REPORT) and not is_ours(tmp_path, DATA)


@pytest.mark.parametrize("number", ["2", "99999", "-1", "x"])
def test_a_mark_of_a_newer_or_unknown_format_is_refused(tmp_path: Path, number: str) -> None:
    (tmp_path / MARK_FILE).write_text(f"{OLD_MARK}kind: data folder\nformat: {number}\n")
    with pytest.raises(ForeignFolderError, match="formats up to 1 are allowed"):
        claim(tmp_path, WHAT, DATA)
