"""The names of settings, alike in the file, the environment and on the command line.

A name is matched against the real ones (fields of a section, keys of a table) without regard to capitals and to `-` or
`_`, so that `ETERNAL__RISK__DRAWDOWN__CORE_HODL__ALERT` and `--set risk.drawdown.core-hodl.alert=0.4` reach
`CORE-HODL`. Engines have short names: `trend_1` is `engines.trend_1`, and `trend` means all engines of that kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from enum import Enum
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from infra.config.engines import EnginesConfig
from infra.config.model import EternalConfig
from infra.config.sources import DELIMITER, PREFIX, merged, plain_name
from infra.faults import ConfigurationError
from statemachines.limits.parameter_checks import OneOf

_NUMBERED = re.compile(r"(.+)_\d+")


@cache
def defaults() -> EternalConfig:
    """The configuration without any setting, which names the keys of the tables that are there.

    Raises:
        ValidationError: the engines that exist contradict each other or the rest of the defaults.
    """
    return EternalConfig()


def _short_names() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {name: (name,) for name in EnginesConfig.model_fields}
    for name in EnginesConfig.model_fields:
        if match := _NUMBERED.fullmatch(name):
            found[match[1]] = (*found.get(match[1], ()), name)
    return {name: engines for name, engines in found.items() if name not in EternalConfig.model_fields}


SHORT_NAMES: Mapping[str, tuple[str, ...]] = _short_names()
"""What may stand instead of `engines.NAME`: `trend_1`, and `trend` for `trend_1` and `trend_2` alike."""


def canonical(tree: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """The values under their real names; what has none stays as it is, and is refused later on. The more specific name
    wins: `engines.trend_1` over `trend_1` over `trend`.

    Raises:
        ConfigurationError: two spellings of the same name stand beside each other.
    """
    result: dict[str, Any] = {}
    full: dict[str, Any] = {}
    short: list[tuple[tuple[str, ...], Any]] = []
    for name, value in tree.items():
        engines = SHORT_NAMES.get(plain_name(name))
        if engines is None:
            full[name] = value
        else:
            short.append((engines, value))
    there = defaults()
    for engines, value in sorted(short, key=lambda one: -len(one[0])):
        for engine in engines:
            named = _named(EternalConfig, there, {"engines": {engine: value}}, origin, ())
            result = merged(result, named)
    return merged(result, _named(EternalConfig, there, full, origin, ()))


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that was probably meant."""
    names = {plain_name(one): one for one in allowed}
    found = get_close_matches(plain_name(name), names, n=1, cutoff=0.7)
    return names[found[0]] if found else None


def variables(model: type[BaseModel] = EternalConfig, start: str = PREFIX) -> Iterator[str]:
    """The environment variable of each setting, tables by their own name."""
    for name, field in model.model_fields.items():
        here = f"{start}{name.upper()}"
        yield here
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from variables(kind, f"{here}{DELIMITER}")


def keys_of(annotation: Any, defaults: Any) -> list[str] | None:
    """The names that a section or table has; None for what is neither."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return list(annotation.model_fields)
    if not isinstance(defaults, Mapping):
        return None
    known = [str(one.value if isinstance(one, Enum) else one) for one in defaults]
    allowed = next((one for one in _metadata_of_key(annotation) if isinstance(one, OneOf)), None)
    return list(dict.fromkeys([*known, *(str(one.value) for one in allowed.members)] if allowed else known))


def _metadata_of_key(annotation: Any) -> tuple[Any, ...]:
    arguments = get_args(annotation)
    is_annotated = bool(arguments) and get_origin(arguments[0]) is Annotated
    return get_args(arguments[0])[1:] if is_annotated else ()


def _named(annotation: Any, defaults: Any, tree: Any, origin: str, path: tuple[str, ...]) -> Any:
    names = keys_of(annotation, defaults)
    if names is None or not isinstance(tree, Mapping):
        return tree
    real = {plain_name(name): name for name in names}
    result: dict[str, Any] = {}
    written: dict[str, str] = {}
    for given, value in tree.items():
        name = given if given in names else real.get(plain_name(str(given)), str(given))
        if name in written:
            both = " and ".join(".".join((*path, one)) for one in (written[name], str(given)))
            raise ConfigurationError([f"{both} (set in {origin}) are refused: both name the same setting; give one."])
        written[name] = str(given)
        inner, default = _inner(annotation, defaults, name)
        result[name] = _named(inner, default, value, origin, (*path, name))
    return result


def _inner(annotation: Any, defaults: Any, name: str) -> tuple[Any, Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(name)
        return (None, None) if field is None else (field.annotation, getattr(defaults, name, None))
    value = {str(key.value if isinstance(key, Enum) else key): one for key, one in defaults.items()}.get(name)
    kind = get_args(annotation)[-1]
    return kind, value
