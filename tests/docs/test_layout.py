"""The shape of the house (DESIGN 2): files and folders of a size that a reader can take in, each folder introduced."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("statemachines", "actors", "orchestrator", "infra", "api", "eternal", "tests", "benchmarks")
MAX_LINES = 450
MAX_MODULES = 16
GENERATED = frozenset({"api/client/models.py", "api/client/operations.py"})
"""Made by `make client`, to be read by programs; `tests.api.client` compares them with what makes them."""

NO_PACKAGES = ("tests/house/toy/actors",)
"""Laid over a package of the same name."""


def oversized(root: Path) -> list[str]:
    """What is too large below `root`, each as a sentence."""
    found = []
    for layer in LAYERS:
        for folder in (root / layer, *sorted(path for path in (root / layer).rglob("*") if path.is_dir())):
            files = list(folder.glob("*.py"))
            modules = [path for path in files if path.name != "__init__.py"]
            if len(modules) > MAX_MODULES:
                found.append(f"{folder.relative_to(root)} has {len(modules)} modules; {MAX_MODULES} are allowed")
            if modules and len(modules) == len(files) and str(folder.relative_to(root)) not in NO_PACKAGES:
                found.append(f"{folder.relative_to(root)} has no __init__.py that says what lives there")
            for module in files:
                lines = len(module.read_text(encoding="utf-8").splitlines())
                if lines > MAX_LINES and str(module.relative_to(root)) not in GENERATED:
                    found.append(f"{module.relative_to(root)} has {lines} lines; {MAX_LINES} are allowed")
    return found


def unintroduced(root: Path) -> list[str]:
    """Packages of the program whose `__init__` does not say what lives there."""
    packages = (path for layer in LAYERS[:6] for path in (root / layer).rglob("__init__.py"))
    return [str(path.parent.relative_to(root)) for path in packages if not path.read_text().startswith('"""')]


LANGUAGES = frozenset({".py", ".mako", ".toml"})
"""Python, the template of a migration, which is Python too, and data."""
PAGES = frozenset({".html", ".js", ".css"})
"""What a browser shows. It decides and stores nothing."""
PAGE_FOLDERS = ("api/http/static", "infra/backtest/report/page")
CONSOLE = "api/console"
"""The console's sources and what they are built to: a page in a language of its own, with its packages while it is
built."""


def foreign_sources(root: Path) -> list[str]:
    """Files of the program in a language other than Python, apart from its pages."""
    found = []
    for layer in LAYERS[:6]:
        for path in sorted((root / layer).rglob("*")):
            is_page = path.is_relative_to(root / CONSOLE)
            is_page |= path == root / "api" / "texts" / "russian.json"  # texts, no program
            is_page |= path.suffix in PAGES and str(path.parent.relative_to(root)) in PAGE_FOLDERS
            if path.is_file() and path.parent.name != "__pycache__" and path.suffix not in LANGUAGES and not is_page:
                found.append(str(path.relative_to(root)))
    return found


def test_de5_the_program_is_python_throughout() -> None:
    """DE-5: Python for all of it, the execution layer too; data is read and written with SQL."""
    assert foreign_sources(ROOT) == []


@pytest.mark.parametrize("name", ["infra/bybit/fast.go", "statemachines/core.rs", "api/page.js", "actors/run.sh"])
def test_a_planted_source_in_another_language_is_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert foreign_sources(tmp_path) == [name]


def test_no_file_and_no_folder_is_too_large() -> None:
    assert oversized(ROOT) == []


def test_every_package_says_what_lives_there() -> None:
    assert unintroduced(ROOT) == []


@pytest.mark.parametrize("modules", [1, MAX_MODULES + 1])
def test_a_planted_file_and_a_planted_folder_are_found(tmp_path: Path, modules: int) -> None:
    folder = tmp_path / "infra" / "planted"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    for number in range(modules):
        (folder / f"m{number}.py").write_text("x = 1\n" * (MAX_LINES + (modules == 1)))
    assert len(oversized(tmp_path)) == 1
    assert unintroduced(tmp_path) == ["infra/planted"]
    (folder / "__init__.py").unlink()
    assert len(oversized(tmp_path)) == 2


def test_the_contract_of_independence_names_every_engine() -> None:
    """It is a list by hand: an engine that was missing there could use another one unseen."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (named,) = (one["modules"] for one in contracts if one["name"] == "An engine does not use another engine")
    folders = {path.parent.name for path in (ROOT / "statemachines").glob("*/identity.py")}
    assert sorted(named) == sorted(f"statemachines.{folder}" for folder in folders)
