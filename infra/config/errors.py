"""A wrong configuration, in sentences: which field, which value, what is allowed, and where it was set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from infra.config.shared import model_at
from infra.faults import ConfigurationError, continued
from statemachines.parameters import set_by

LONGEST_VALUE = 80
SECRET_NAMES = ("url", "secret", "token", "password", "key")


def explain(
    error: ValidationError, model: type[BaseModel], layers: Sequence[tuple[str, Mapping[str, Any]]]
) -> ConfigurationError:
    """The error in sentences. `layers` are the sources by name, first wins; they tell where a value was set."""
    return ConfigurationError([_sentence(dict(problem), model, layers) for problem in error.errors()])


def _sentence(
    problem: Mapping[str, Any], model: type[BaseModel], layers: Sequence[tuple[str, Mapping[str, Any]]]
) -> str:
    path: tuple[Any, ...] = problem["loc"]
    where, value, found = _origin(path, layers)
    name = ".".join(str(part) for part in path if not _is_branch(part)) or "the configuration"
    shown = "" if not found or isinstance(value, Mapping) else f" = {_shown(path, value)}"
    origin = f" (set in {where})" if found else ""
    if problem["type"] == "extra_forbidden":
        allowed = ", ".join(sorted(_names_at(model, path[:-1])))
        return f"{name}{shown}{origin} is refused: there is no such field; allowed: {allowed}."
    reason = str(problem["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{name}{shown}{origin} is refused: {continued(reason)}."


def _origin(path: Sequence[Any], layers: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[str, Any, bool]:
    for name, layer in layers:
        value: Any = layer
        deep = 0
        for part in path:
            if not _has(value, part):
                break
            value = value[part]
            deep += 1
        if path and deep and deep >= len([part for part in path if not _is_branch(part)]):
            return name, value, True
    return "", None, False


def _has(value: Any, part: Any) -> bool:
    if isinstance(value, Mapping):
        return part in value
    return isinstance(value, (list, tuple)) and isinstance(part, int) and part < len(value)


def _is_branch(part: Any) -> bool:
    """Parts that pydantic adds for the branches of a union are no names of ours."""
    return isinstance(part, str) and ("[" in part or part in ("decimal", "none"))


def _shown(path: Sequence[Any], value: Any) -> str:
    if isinstance(value, SecretStr) or any(word in str(path[-1]).lower() for word in SECRET_NAMES):
        return "(secret)"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _names_at(model: type[BaseModel], path: Sequence[Any]) -> list[str]:
    """The fields of the section that `path` leads to."""
    here = model_at(model, path)
    return [] if here is None else [name for name, field in here.model_fields.items() if set_by(field) is None]
