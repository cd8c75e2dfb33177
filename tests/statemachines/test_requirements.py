"""Every rule of the four engines is found by its ID: in the code that decides it and in a test that proves it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = {"CH": ("core_hodl", 11), "TR": ("trend", 15), "FU": ("funding", 10), "TA": ("tactical", 11)}
RULES = [
    (f"{chapter}-{number}", engine) for chapter, (engine, last) in CHAPTERS.items() for number in range(1, last + 1)
]


def _files_that_name(rule: str, folder: Path) -> list[str]:
    name = re.compile(rf"\b{rule}\b")
    files = (path for path in folder.rglob("*.py") if path != Path(__file__))
    return [path.name for path in files if name.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("rule", "engine"), RULES)
def test_a_rule_is_named_by_its_code_and_by_a_test(rule: str, engine: str) -> None:
    assert _files_that_name(rule, ROOT / "statemachines" / engine), f"no module of {engine} names {rule}"
    proofs = [name for name in _files_that_name(rule, ROOT / "tests") if name.startswith("test_")]
    assert proofs, f"no test names {rule}"
