"""The core is pure by what it may use, not by what it must not: a list of names never ends (DESIGN 1).

The same messages in the same order give the same commands, always. So `statemachines` imports from the list below
alone, and calls nothing that reads a clock, chance, a file, or code by name. import-linter's contract says which
packages of the outside it must not reach through other modules; this test looks at every line.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ALLOWED = frozenset(
    {
        "__future__",
        "collections",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "functools",
        "heapq",
        "itertools",
    }
    | {"json", "math", "re", "types", "typing", "uuid"}
    | {"numpy", "pydantic", "pydantic_core", "statemachines", "talib", "transitions"}
)
"""What computes only. Of `datetime` and `uuid` the calls below are refused."""

FINDS_ENGINES = Path("statemachines/engines.py")
"""The one module that reads the folders of the package, to find the engines' identities when it is imported."""
ALLOWED_THERE = ALLOWED | {"importlib", "pathlib", "pkgutil"}

REFUSED_CALLS = frozenset(
    {"open", "__import__", "eval", "exec", "compile", "input", "print", "id", "hash", "uuid1", "uuid4"}
)
REFUSED_METHODS = frozenset(
    {
        "now",
        "utcnow",
        "today",
        "uuid1",
        "uuid4",
        "import_module",
        "read_text",
        "read_bytes",
        "write_text",
        "write_bytes",
    }
)
REFUSED_ATTRIBUTES = frozenset({"random"})
"""`numpy.random`."""


def impurities(source: str, allowed: frozenset[str] = ALLOWED) -> Iterator[str]:
    """Everything in a module's text that could make two runs differ, each as a clause with its line."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                used = [alias.name for alias in node.names]
            case ast.ImportFrom():
                used = [node.module or ""]
            case _:
                used = []
        for name in used:
            if name.partition(".")[0] not in allowed:
                yield f"line {node.lineno} imports {name}"  # type: ignore[attr-defined]
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in REFUSED_CALLS:
                yield f"line {node.lineno} calls {name}"
            case ast.Call(func=ast.Attribute(attr=name)) if name in REFUSED_METHODS and allowed is ALLOWED:
                yield f"line {node.lineno} calls {name}"
            case ast.Attribute(attr=name) if name in REFUSED_ATTRIBUTES:
                yield f"line {node.lineno} uses {name}"


def test_the_core_uses_what_computes_and_nothing_else() -> None:
    found = []
    for path in sorted((ROOT / "statemachines").rglob("*.py")):
        where = path.relative_to(ROOT)
        allowed = ALLOWED_THERE if where == FINDS_ENGINES else ALLOWED
        found += [f"{where} {one}" for one in impurities(path.read_text(encoding="utf-8"), allowed)]
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        "import threading",
        "import time",
        "def f():\n    import ray",
        "from importlib import import_module\nimport_module('threading')",
        "__import__('ray')",
        "from datetime import UTC, datetime\nat = datetime.now(UTC)",
        "open('/etc/hostname')",
        "from pathlib import Path",
        "import sqlite3",
        "import select",
        "import sched",
        "import socketserver",
        "from uuid import uuid4\nuuid4()",
        "import uuid\nuuid.uuid4()",
        "import polars",
        "import pandas as pd",
        "import rich",
        "import websockets",
        "import anyio",
        "import numpy as np\nnp.random.default_rng()",
        "if True:\n    import os as quiet",
    ],
)
def test_a_planted_impurity_is_found(planted: str) -> None:
    assert list(impurities(planted))
