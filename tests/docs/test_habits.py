"""The commands of everyday work: `make help` lists them all, and what runs before a commit is what `make lint` runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pre_commit.clientlib import load_config

from tests import coverage_by_package
from tests.budget import BUDGET_S, FAST_S, ONE_AFTER_ANOTHER, WHOLE_S, add_to, folder_of, over_wall_time, told
from tests.conftest import refusal
from tests.mutation.plan import PARTS, Part, modules

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_lists_every_command() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shown = {line.split()[0]: " ".join(line.split()[1:]) for line in listed.splitlines() if line.startswith("  ")}
    (commands,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert [name for name in commands.split() if not shown.get(name)] == []


def test_hooks_are_local_and_those_of_make_lint() -> None:
    """No hook downloads anything, and none that `make lint` has is missing."""
    config = load_config(str(ROOT / ".pre-commit-config.yaml"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} <= {"system", "unsupported"}  # two names for a program that is there
    (lint,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    used = {re.sub(r"^\$\(BIN\)/| --check| \.$", "", line.strip()) for line in lint.splitlines()}
    assert {re.sub(r"^\.venv/bin/| --force-exclude$", "", hook["entry"]) for hook in hooks} == {
        re.sub(r" (--check )?\.$", "", one) for one in used
    }


def test_every_folder_of_tests_has_a_budget() -> None:
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(BUDGET_S) == folders


def test_the_budgets_fit_into_the_time_of_make_test() -> None:
    """Tests of the whole system run beside the others and use less than a core; together they use two at most."""
    alone = sum(BUDGET_S[name] for name in ONE_AFTER_ANOTHER)
    assert max(alone, sum(BUDGET_S.values()) / 2) <= WHOLE_S


def test_what_only_the_soak_runs_is_where_make_soak_looks() -> None:
    """A test that was moved out of `make test` into a folder that `make soak` does not name would run nowhere."""
    (command,) = re.findall(r"--soak ([^$]*) \$\(ARGS\)", MAKEFILE)
    places = [ROOT / one for one in command.split() if one.startswith("tests/")]
    assert places and all(place.exists() for place in places)
    words = ("mark." + "soak", "eighth_unless" + "_soaking:", "settings()" + ".max_examples")
    marked = [path for path in (ROOT / "tests").rglob("test_*.py") if any(word in path.read_text() for word in words)]
    assert marked
    assert [path for path in marked if not any(path.is_relative_to(place) for place in places)] == []


def test_a_fast_test_that_starts_a_service_is_told_which_mark_it_lacks() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"called ray\.init: mark it with pytest\.mark\.ray"):
        refusal("ray.init", "ray")()


def test_a_folder_over_its_budget_is_told() -> None:
    """The story: a property test grew by one case at a time until `make test` took half an hour."""
    most = BUDGET_S["docs"]
    seconds = {"tests/docs/test_a.py::test_slow": most + 1.0, "tests/docs/test_a.py::test_quick": 0.5}
    assert list(told(seconds))[-1] == (
        f"tests/docs took {most + 1.5:.0f} s, more than its budget of {most} s: its longest tests should move to "
        f"`make soak`: tests/docs/test_a.py::test_slow ({most + 1:.1f} s), tests/docs/test_a.py::test_quick (0.5 s)."
    )
    assert not any("more than" in line for line in told({"tests/docs/test_a.py::test_quick": 0.5}))
    assert list(told({"tests/new/test_a.py::test_it": 1.0}))[-1].startswith("tests/new has no budget")
    assert folder_of("tests/infra/config/test_config.py::test_it[a/b]") == "infra"


def test_two_runs_add_their_seconds_to_one_file(tmp_path: Path) -> None:
    file = tmp_path / "build" / "seconds.json"
    add_to(file, {"tests/docs/test_a.py::test_it": 1.0})
    add_to(file, {"tests/docs/test_a.py::test_it": 0.5, "tests/api/test_b.py::test_it": 2.0})
    assert json.loads(file.read_text()) == {"tests/docs/test_a.py::test_it": 1.5, "tests/api/test_b.py::test_it": 2.0}


def test_a_fast_run_that_is_not_fast_is_told() -> None:
    assert over_wall_time(FAST_S, {}) == f"{FAST_S} s of {FAST_S} s."
    assert "mark as slow: tests/a.py::b (9.0 s)" in over_wall_time(FAST_S + 1.0, {"tests/a.py::b": 9.0})


def test_coverage_is_added_by_package() -> None:
    def file(covered: int, lines: int, taken: int, branches: int) -> dict[str, dict[str, int]]:
        names = ("covered_lines", "num_statements", "covered_branches", "num_branches")
        return {"summary": dict(zip(names, (covered, lines, taken, branches), strict=True))}

    report = {"files": {"infra/a.py": file(1, 2, 1, 4), "infra/b/c.py": file(2, 2, 0, 0), "api/d.py": file(0, 4, 0, 0)}}
    shown = [line.split() for line in coverage_by_package.by_package(report)]
    assert shown[1:] == [
        ["api", "0", "of", "4", "0.0%", "0", "of", "0", "-"],
        ["infra", "3", "of", "4", "75.0%", "1", "of", "4", "25.0%"],
        ["all", "3", "of", "8", "37.5%", "1", "of", "4", "25.0%"],
    ]


def test_the_plan_of_mutation_names_what_is_there() -> None:
    """`make mutate` ran on empty parts after folders had been moved; a planted name that is not there is refused."""
    assert all(modules(ROOT, part) for part in PARTS)
    with pytest.raises(FileNotFoundError, match="statemachines/nowhere"):
        modules(ROOT, Part(("statemachines/nowhere",), ()))
