"""The shape of the house (DESIGN 2): files and folders of a size that a reader can take in, each folder introduced."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STOREYS = ("statemachines", "actors", "orchestrator", "infra", "api", "eternal", "tests", "benchmarks")
MOST_LINES = 450
MOST_MODULES = 16


def oversized(root: Path) -> list[str]:
    """What is too large below `root`, each as a sentence."""
    found = []
    for storey in STOREYS:
        for folder in (root / storey, *sorted(path for path in (root / storey).rglob("*") if path.is_dir())):
            modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
            if len(modules) > MOST_MODULES:
                found.append(f"{folder.relative_to(root)} has {len(modules)} modules; {MOST_MODULES} are allowed")
            for module in modules:
                lines = len(module.read_text(encoding="utf-8").splitlines())
                if lines > MOST_LINES:
                    found.append(f"{module.relative_to(root)} has {lines} lines; {MOST_LINES} are allowed")
    return found


def unintroduced(root: Path) -> list[str]:
    """Packages of the program whose `__init__` does not say what lives there."""
    packages = (path for storey in STOREYS[:6] for path in (root / storey).rglob("__init__.py"))
    return [str(path.parent.relative_to(root)) for path in packages if not path.read_text().startswith('"""')]


def test_no_file_and_no_folder_is_too_large() -> None:
    assert oversized(ROOT) == []


def test_every_package_says_what_lives_there() -> None:
    assert unintroduced(ROOT) == []


@pytest.mark.parametrize("modules", [1, MOST_MODULES + 1])
def test_a_planted_file_and_a_planted_folder_are_found(tmp_path: Path, modules: int) -> None:
    folder = tmp_path / "infra" / "planted"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    for number in range(modules):
        (folder / f"m{number}.py").write_text("x = 1\n" * (MOST_LINES + (modules == 1)))
    assert len(oversized(tmp_path)) == 1
    assert unintroduced(tmp_path) == ["infra/planted"]
