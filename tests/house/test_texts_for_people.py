"""Texts for people name commands and pages, not routes of the interface: who reads an alert, a report or an answer of
the bot has no HTTP client at hand."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEAKING = [
    *(ROOT / name for name in ("statemachines", "actors", "orchestrator", "api/cli", "api/telegram", "api/reports")),
    *(ROOT / "api" / name for name in ("wording", "acknowledging", "control.py", "policy_changes.py", "policies.py")),
    *(ROOT / "api" / name for name in ("policy_trial.py", "health.py", "live_table.py", "views")),
]
ROUTE = "/api/v1"


def files() -> list[Path]:
    return sorted(path for one in SPEAKING for path in ([one] if one.is_file() else one.rglob("*.py")))


def texts(source: str) -> Iterator[str]:
    """Every text of a module that is no docstring."""
    tree = ast.parse(source)
    stray = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in stray:
            yield node.value


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_names_a_route(path: Path) -> None:
    named = [text for text in texts(path.read_text(encoding="utf-8")) if ROUTE in text]
    assert not named, named


def test_a_planted_route_is_found() -> None:
    source = '"""See /api/v1/alerts."""\nTEXT = f"look at {1} /api/v1/alerts"\n'
    assert [ROUTE in text for text in texts(source)].count(True) == 1
