"""A wrong configuration, in sentences: which field, which value, what is allowed, and where it was set.

The library's own words are not shown: what is allowed is stated from the field's type, bounds and unit, as in the
documented file. Only our own checks (`ValueError`) speak for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from infra.config.names import SHORT_NAMES, defaults, keys_of, nearest
from infra.config.places import KEY, Place, place_at
from infra.faults import ConfigurationError, continued
from statemachines.limits.parameter_checks import ContradictionError, in_words
from statemachines.parameters import set_by

LONGEST_VALUE = 80
SECRET_WORDS = ("url", "secret", "token", "password", "key")
"""In a name that is none of ours: there is no type that says whether its value is secret."""

_NAMES = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_PLAIN_PART = re.compile(r"[\w:.-]{1,60}")

Layers = Sequence[tuple[str, Mapping[str, Any]]]


def explain(error: ValidationError, model: type[BaseModel], layers: Layers) -> ConfigurationError:
    """The error in sentences. `layers` are the sources by name, first wins; they show where a value was set."""
    problems = [dict(one) for one in error.errors(include_url=False)]
    sentences = [
        sentence
        for one in problems
        if not _follows_from_another(one, problems)
        for sentence in _Problem(one, model, layers).sentences()
    ]
    return ConfigurationError(list(dict.fromkeys(sentences)))


def _follows_from_another(problem: Mapping[str, Any], problems: Sequence[Mapping[str, Any]]) -> bool:
    """A list is too short because an entry of it is refused; an entry lacks a field because its name is refused."""
    path = problem["loc"]
    for other in problems:
        inner = other["loc"]
        if problem["type"] == "too_short" and len(inner) > len(path) and inner[: len(path)] == path:
            return True
        if inner[-1:] == (KEY,) and inner != path and path[: len(inner) - 1] == inner[:-1]:
            return True
    return False


class _Problem:
    """One complaint of the library with all that its sentence needs."""

    def __init__(self, problem: Mapping[str, Any], model: type[BaseModel], layers: Layers) -> None:
        self._kind = str(problem["type"])
        self._words = str(problem["msg"])
        self._error = problem.get("ctx", {}).get("error")
        path: tuple[Any, ...] = problem["loc"]
        self._place = place_at(model, path)
        self._is_key = path[-1:] == (KEY,)
        self._path = path[:-1] if self._is_key else path
        self._model, self._layers = model, layers
        self._origin, self._value, self._is_set = _set_in(self._path, layers)

    def sentences(self) -> list[str]:
        """What is refused, and what is allowed."""
        if isinstance(self._error, ContradictionError):
            return [self._in_own_words(one) for one in self._error.problems]
        return [self._sentence()]

    def _sentence(self) -> str:
        if self._kind == "value_error":
            return self._in_own_words(self._words.removeprefix("Value error, "))
        if self._kind == "missing":
            return self._of_new_entry()
        if self._is_key:
            return f"{_dotted(self._path)}{self._told_origin()} is refused: {self._no_such(self._place)}."
        reason = self._no_such(None) if self._kind == "extra_forbidden" else self._allowed()
        return f"{_dotted(self._path)}{self._told_value()}{self._told_origin()} is refused: {reason}."

    def _in_own_words(self, words: str) -> str:
        reason = continued(words.rstrip("."))
        if not self._path:
            return f"The configuration{self._origins_of_names(reason)} is refused: {reason}."
        is_section = self._place is not None and self._place.model is not None
        origin = self._origins_of_names(reason) if is_section else ""  # a rule between the fields of a section
        return f"{_dotted(self._path)}{self._told_value()}{origin or self._told_origin()} is refused: {reason}."

    def _of_new_entry(self) -> str:
        """A table entry that is not there yet lacks what has no default: its name is misspelt, or it is a new one."""
        *table, name, field = self._path
        place, needed = place_at(self._model, table), place_at(self._model, self._path)
        origin, _, is_set = _set_in((*table, name), self._layers)
        where = f" (set in {origin})" if is_set else ""
        if place is None or place.table_of is None:
            what = "" if needed is None else f": {needed.allowed}"
            lacking = f"entry {field + 1}" if isinstance(field, int) else field
            return f"{_dotted((*table, name))}{where} is refused: {lacking} is required{what}."
        there = keys_of(place.annotation, _default_at(table)) or []
        hint = _meant(str(name), there)
        return (
            f"{_dotted((*table, name))}{where} is refused: {_dotted(table)} has no {_part(name)}{hint}; there are "
            f"{', '.join(there)}, and a new one needs {_dotted(self._path)}"
            f"{'' if needed is None else f' ({needed.allowed})'}."
        )

    def _no_such(self, key: Place | None) -> str:
        name = str(self._path[-1])
        if key is not None:
            table = place_at(self._model, self._path[:-1])
            names = [] if table is None else keys_of(table.annotation, _default_at(self._path[:-1])) or []
            return f"{_part(name)} is not allowed there{_meant(name, names)}; allowed is {key.allowed}"
        place = place_at(self._model, self._path[:-1])
        section = None if place is None else place.model
        fields = {} if section is None else section.model_fields
        allowed = sorted(one for one, field in fields.items() if set_by(field) is None)
        if len(self._path) == 1:
            allowed += sorted(SHORT_NAMES)
        return f"there is no such setting{_meant(name, allowed)}; allowed: {', '.join(allowed)}"

    def _allowed(self) -> str:
        place = self._place
        if place is None:
            return "it is not allowed there"
        if place.model is not None:
            return f"a table of settings is required, such as {_dotted(self._path)}.{_first_name(place.model)}"
        if place.table_of is not None:
            keys = keys_of(place.annotation, _default_at(self._path)) or ["NAME"]
            example = f"{_dotted((*self._path, keys[0]))}.{_first_name(place.table_of)}"
            return f"a table of tables is required, such as {example}"
        words = place.allowed
        is_number = words.startswith(("a number", "a whole number"))
        return f"allowed is {words}{f' ({place.unit})' if is_number and place.unit else ''}"

    def _told_value(self) -> str:
        if not self._is_set or isinstance(self._value, Mapping):
            return ""
        return f" = {self._shown()}"

    def _shown(self) -> str:
        if isinstance(self._value, SecretStr) or (self._place is not None and self._place.holds_secret):
            return "(secret)"
        if self._place is None and _may_be_secret(str(self._path[-1]), self._value):
            return "(secret)"
        text = shown(self._value)
        return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"

    def _told_origin(self) -> str:
        return f" (set in {self._origin})" if self._is_set else ""

    def _origins_of_names(self, reason: str) -> str:
        """Where the settings that a sentence names were set; in the whole configuration their names have a dot."""
        names = [tuple(name.split(".")) for name in _NAMES.findall(reason) if self._path or "." in name]
        found = [_set_in((*start, *name), self._layers) for name in names for start in {self._path, ()}]
        origins = list(dict.fromkeys(origin for origin, value, is_set in found if is_set))
        return f" (set in {' and '.join(origins)})" if origins else ""


def shown(value: Any) -> str:
    """A value as the file has it, in one line."""
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key} = {shown(one)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown(one) for one in value)}]"
    return in_words(value)


def _set_in(path: Sequence[Any], layers: Layers) -> tuple[str, Any, bool]:
    for origin, layer in layers:
        value: Any = layer
        for part in path:
            if not _has(value, part):
                break
            value = value[part]
        else:
            if path:
                return origin, value, True
    return "", None, False


def _has(value: Any, part: Any) -> bool:
    if isinstance(value, Mapping):
        return part in value
    return isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)


def _dotted(path: Sequence[Any]) -> str:
    """A path as people write it; entries of lists are counted from 1."""
    text = ""
    for part in path:
        text += f" (entry {part + 1})" if isinstance(part, int) else f".{_part(part)}" if text else _part(part)
    return text or "the configuration"


def _part(part: Any) -> str:
    text = str(part)
    if _PLAIN_PART.fullmatch(text):
        return text
    return repr(text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…")


def _meant(name: str, names: Sequence[str]) -> str:
    found = nearest(name, names)
    return "" if found is None else f"; {found} may be meant"


def _may_be_secret(name: str, value: Any) -> bool:
    return "://" in str(value) or any(word in name.lower() for word in SECRET_WORDS)


def _first_name(section: type[BaseModel]) -> str:
    return next((name for name, field in section.model_fields.items() if set_by(field) is None), "name")


def _default_at(path: Sequence[Any]) -> Any:
    here: Any = defaults()
    for part in path:
        here = here.get(part) if isinstance(here, Mapping) else getattr(here, str(part), None)
    return here
