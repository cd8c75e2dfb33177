"""Any content of the configuration (case 16, DE-3) is taken, or refused in sentences; nothing else is raised."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.config import ConfigurationError, EternalConfig, load_config

VALUES: tuple[Any, ...] = (
    *("", " ", "x", "none", "NaN", "1e400", "-1", "9" * 400, "2020-02-30", "9999-12-31", "\u202e", "🛑"),
    *("/dev/null", "a\nb"),
    *(0, 1, -1, 2**63, 10**40, 0.5, -0.0, 1e308, True, False, [], [1], ["x", None], {}, {"a": 1}, {"": {"": ""}}, None),
)  # fmt: skip
ROUNDS = 600


def fields(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every field and section of the configuration."""
    for name, value in tree.items():
        yield (*path, name)
        if isinstance(value, Mapping):
            yield from fields(value, (*path, name))


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    tree: Any = value
    for name in reversed(path):
        tree = {name: tree}
    return dict(tree) if isinstance(tree, dict) else {}


def judged(overrides: Mapping[str, Any]) -> bool:
    """Whether it was taken; a refusal names the field in a sentence."""
    try:
        load_config(overrides)
    except ConfigurationError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.endswith("."), problem
            assert len(problem) < 4_000
        return False
    return True


@pytest.fixture(autouse=True)
def _no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_any_value_in_any_field_is_taken_or_refused_in_a_sentence() -> None:
    chance = random.Random(3)
    places = sorted(fields(EternalConfig().public()))
    assert len(places) > 100
    taken = 0
    for _ in range(ROUNDS):
        path = list(chance.choice(places))
        if chance.random() < 0.1:
            path[-1] = chance.choice(("", "nobody", path[-1].upper(), path[-1] + "s"))
        if chance.random() < 0.1:
            path.append("further")
        taken += judged(nested(tuple(path), chance.choice(VALUES)))
    assert 0 < taken < ROUNDS


def test_any_file_and_environment_is_taken_or_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(4)
    places = sorted(fields(EternalConfig().public()))
    file = tmp_path / "any.toml"
    for _ in range(80):
        path, value = chance.choice(places), chance.choice(VALUES)
        name = "ETERNAL__" + "__".join(path).upper()
        with monkeypatch.context() as context:
            if chance.random() < 0.5:
                context.setenv(name, value if isinstance(value, str) else json.dumps(value))
            else:
                text = json.dumps(value, ensure_ascii=False) if value is not None else "nan"
                file.write_text(
                    f"[{'.'.join(path[:-1])}]\n{path[-1]} = {text}\n" if path[1:] else f"{path[0]} = {text}"
                )
                context.setenv("ETERNAL_CONFIG", str(file))
            judged({})
