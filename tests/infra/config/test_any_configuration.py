"""Any content of the configuration (case 16, DE-3) is taken, or refused in plain sentences; nothing else is raised.

Two kinds: any value in any place, in file, environment and command line; and mutations of settings that are right: of
another type, out of range, misspelt, contradicting each other. The latter are refused always.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.config import ConfigurationError, EternalConfig, load_config
from infra.config.fields import FieldFacts, facts_of
from infra.config.names import keys_of
from infra.config.places import place_at
from tests.infra.config.sentences import demand_plain

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
    """Whether it was taken; a refusal is plain sentences."""
    try:
        load_config(overrides)
    except ConfigurationError as error:
        assert error.problems
        for problem in error.problems:
            demand_plain(problem)
        return False
    return True


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


# --- mutations of what is right ---

Mutation = Callable[[random.Random, FieldFacts], dict[str, Any]]


def _of_another_type(chance: random.Random, field: FieldFacts) -> dict[str, Any]:
    truth_values: tuple[Any, ...] = (1, 0, "yes") if field.allowed == "true or false" else (True, False)
    return nested(field.path, chance.choice((*truth_values, [[[]]], {"": 1}, [{"a": []}], [None])))


def _out_of_range(chance: random.Random, field: FieldFacts) -> dict[str, Any]:
    beyond: tuple[Any, ...] = (10**30, -(10**30), "1e300", "-1e300", "NaN", "Infinity", "1e-300")
    is_list = isinstance(field.default if field.default is not None else field.example, tuple | frozenset)
    value = chance.choice(beyond)
    return nested(field.path, [value] if is_list else value)


def _misspelt(chance: random.Random, field: FieldFacts) -> dict[str, Any]:
    """One letter of one name is missing, doubled or replaced. A name of a table's new entry may be right by chance."""
    at = chance.randrange(len(field.path))
    name = field.path[at]
    place = chance.randrange(len(name))
    wrong = chance.choice((name[:place] + name[place + 1 :], name[:place] + name[place] + name[place:], name + "q"))
    there = place_at(EternalConfig, field.path[:at])
    names = [] if there is None else keys_of(there.annotation, {}) or []
    path = (*field.path[:at], f"{wrong}Q" if wrong in names else wrong, *field.path[at + 1 :])
    return nested(path, field.example if field.default is None else _plain(field.default))


def _contradicting(chance: random.Random, _: FieldFacts) -> dict[str, Any]:
    """Two fields of one section that a relation orders, in the wrong order."""
    path, model = chance.choice(_RELATED)
    relation = chance.choice(model.RELATIONS)
    values = {name: getattr(model, name) for name in (relation.lower, relation.upper)}
    high = values[relation.upper]
    above = high + (Decimal("0.0001") if isinstance(high, Decimal) else 1)
    wrong = [above] if isinstance(values[relation.lower], tuple) else above
    return nested((*path, relation.lower), _plain(wrong))


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=lambda one: sorted(one) if isinstance(one, frozenset) else str(one)))


def _related() -> list[tuple[tuple[str, ...], Any]]:
    config, found = EternalConfig(), []
    for section in facts_of(config).walk():
        here: Any = config
        for part in section.path:
            here = here[part] if isinstance(here, Mapping) else getattr(here, part)
        relations = getattr(here, "RELATIONS", ())
        if relations and all(getattr(here, one.lower) and getattr(here, one.upper) for one in relations):
            found.append((section.path, here))
    return found


_RELATED = [(path, model) for path, model in _related() if path != ("risk",)]
"""The sections with relations; those of `risk` compare a setting of another section (`test_refusals`)."""


@pytest.mark.parametrize("mutation", [_of_another_type, _out_of_range, _misspelt, _contradicting])
def test_a_mutated_setting_is_always_refused_in_plain_sentences(mutation: Mutation) -> None:
    chance = random.Random(mutation.__name__)
    places = [field for section in facts_of(EternalConfig()).walk() for field in section.fields]
    if mutation is _out_of_range:
        places = [one for one in places if "number" in one.allowed and not one.allowed.startswith("a table")]
    for _ in range(150):
        mutated = mutation(chance, chance.choice(places))
        assert not judged(mutated), mutated
