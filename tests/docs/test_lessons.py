"""The lessons from other systems: each has a row in `docs/lessons.md`, a test that exists, and its story there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.shared import shared_path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "lessons.md"

_SECTION = re.compile(r"^## (?P<title>.+)\n(?P<body>(?:(?!## ).*\n?)*)", re.MULTILINE)
_DECLARED = re.compile(r"^(\d+) lessons\b", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_COLUMNS = 3


class Lesson(NamedTuple):
    """A row of the page. `tests` are pairs of module path and function."""

    elsewhere: str
    here: str
    tests: tuple[tuple[str, str], ...]


def sections(text: str) -> dict[str, str]:
    """The sections of a Markdown text by their titles."""
    return {match["title"]: match["body"] for match in _SECTION.finditer(text)}


def rows(text: str) -> list[list[str]]:
    """The cells of every row of a Markdown text's tables, without heads and rules."""
    lines = [line.strip() for line in text.splitlines()]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for number, line in enumerate(lines)
        if line.startswith("|") and not line.startswith("|---") and lines[number + 1 : number + 2] != ["|---|---|---|"]
    ]


def lessons(text: str) -> list[Lesson]:
    """The lessons of the page or of one section of it."""
    return [Lesson(cells[0], cells[1], tuple(_TEST.findall(cells[-1]))) for cells in rows(text)]


def problems(text: str, root: Path) -> list[str]:
    """What is wrong with the page, each as a sentence."""
    declared = _DECLARED.search(text)
    parts = {"The page": (text, declared)}
    parts |= {title: (body, _DECLARED.search(body)) for title, body in sections(text).items()}
    found = []
    for title, (body, count) in parts.items():
        if count is None or int(count[1]) != len(rows(body)):
            found.append(
                f"{title}: the number of lessons is {len(rows(body))}; declared is {count[1] if count else 'none'}."
            )
    for cells, lesson in zip(rows(text), lessons(text), strict=True):
        if len(cells) != _COLUMNS or not all(cells) or not lesson.tests:
            found.append(f"The row {lesson.elsewhere!r} needs {_COLUMNS} columns, the last one with a test.")
        found += [trouble for module, name in lesson.tests if (trouble := _trouble(root, module, name))]
    return found


def _trouble(root: Path, module: str, name: str) -> str:
    """Why this test proves nothing; "" when it exists and has a docstring."""
    path = root / module
    if not path.is_file():
        return f"{module} does not exist."
    functions = [one for one in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(one, ast.FunctionDef)]
    test = next((one for one in functions if one.name == name), None)
    if test is None:
        return f"{module} has no test {name}."
    return "" if ast.get_docstring(test) else f"{module}::{name} has no docstring with its story."


def test_every_lesson_has_a_test_with_its_story() -> None:
    """The story: the lessons were collected first, and of some it could not be said what proves them."""
    text = PAGE.read_text(encoding="utf-8")
    assert len(lessons(text)) > 30, "hardly any lesson was found: the search is broken"
    assert problems(text, ROOT) == []


def test_the_page_is_as_long_as_the_collection() -> None:
    """Where the collection itself is beside the checkout, no lesson of it is missing, section by section."""
    collection = sections(shared_path("design", "LESSONS.md").read_text(encoding="utf-8"))
    collected = [len(rows(body)) + len(re.findall(r"^- ", body, re.MULTILINE)) for body in collection.values()]
    page = sections(PAGE.read_text(encoding="utf-8"))
    assert [len(rows(body)) for body in page.values()] == [count for count in collected if count]


# --- the check itself can fail ---

_HEAD = "| What went wrong elsewhere | What this system does | Test |\n|---|---|---|\n"


def _planted(row: str, count: int = 1) -> str:
    return f"# Page\n\n{count} lessons: some.\n\n## One\n\n{count} lessons.\n\n{_HEAD}{row}\n"


def test_a_sound_page_has_no_problem(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text('def test_a():\n    """Once it broke."""\n')
    assert problems(_planted("| a | b | `tests/test_x.py::test_a` |"), tmp_path) == []


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("| a | b | `tests/test_x.py::test_none` |", "tests/test_x.py has no test test_none."),
        ("| a | b | `tests/test_y.py::test_a` |", "tests/test_y.py does not exist."),
        ("| a | b | `tests/test_x.py::test_b` |", "tests/test_x.py::test_b has no docstring with its story."),
        ("| a | b | none yet |", "The row 'a' needs 3 columns, the last one with a test."),
        ("| a | `tests/test_x.py::test_a` |", "The row 'a' needs 3 columns, the last one with a test."),
    ],
)
def test_a_planted_row_is_found(tmp_path: Path, row: str, problem: str) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(
        'def test_a():\n    """Once it broke."""\n\ndef test_b():\n    pass\n'
    )
    assert problems(_planted(row), tmp_path) == [problem]


def test_a_planted_count_is_found(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text('def test_a():\n    """Once it broke."""\n')
    assert problems(_planted("| a | b | `tests/test_x.py::test_a` |", 2), tmp_path) == [
        "The page: the number of lessons is 1; declared is 2.",
        "One: the number of lessons is 1; declared is 2.",
    ]
