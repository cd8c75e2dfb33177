"""What stands at a path of the configuration: the type there, what is allowed in words, whether it is secret."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from infra.config.fields import (
    UndocumentedFieldError,
    allowed_in_words,
    flat,
    is_table_of_models,
    parts_of,
    unit_of_ending,
    unwrapped,
)
from statemachines.parameters import Unit


@dataclass(frozen=True, slots=True)
class Place:
    """What stands at a path of the configuration: its type with what is said about it."""

    annotation: Any
    metadata: tuple[Any, ...]
    name: str = ""
    """The field's, whose ending may say the unit."""

    @property
    def allowed(self) -> str:
        """What may stand there, in words."""
        try:
            return allowed_in_words((), self.annotation, list(self.metadata))
        except UndocumentedFieldError:  # of an engine that is being written; the documented file names what it lacks
            return "another value"

    @property
    def unit(self) -> str | None:
        """The unit of its numbers; None where they have none."""
        stated = (one.name for one in _all_metadata(self.annotation, self.metadata) if isinstance(one, Unit))
        return next(stated, None) or unit_of_ending(self.name)

    @property
    def model(self) -> type[BaseModel] | None:
        """The section that stands there."""
        plain = _without_none(self.annotation)
        return plain if isinstance(plain, type) and issubclass(plain, BaseModel) else None

    @property
    def table_of(self) -> type[BaseModel] | None:
        """The sections of a table of sections."""
        plain = _without_none(self.annotation)
        return Place(get_args(plain)[1], ()).model if is_table_of_models(plain) else None

    @property
    def holds_secret(self) -> bool:
        """Whether a secret may stand there or further in."""
        return _holds_secret(self.annotation)


KEY = "[key]"
"""How the library marks in a path that the key is meant, and not its value."""


def place_at(model: type[BaseModel], path: Sequence[Any]) -> Place | None:
    """What `path` leads to; None when it leads out of the model."""
    here = Place(model, ())
    for index, part in enumerate(path):
        plain = _without_none(here.annotation)
        arguments = get_args(plain)
        if isinstance(plain, type) and issubclass(plain, BaseModel):
            if part not in plain.model_fields:
                return None
            field = plain.model_fields[part]
            here = Place(field.annotation, tuple(flat(field.metadata)), part)
        elif part == KEY:
            continue
        elif _is_mapping(plain):
            here = Place(arguments[0 if tuple(path[index + 1 : index + 2]) == (KEY,) else 1], (), here.name)
        elif arguments:
            is_pair = get_origin(plain) is tuple and arguments[-1] is not Ellipsis
            here = Place(arguments[part] if is_pair and isinstance(part, int) else arguments[0], (), here.name)
        else:
            return None
    return here


def _without_none(annotation: Any) -> Any:
    plain, inner = unwrapped(annotation)
    if inner:
        return _without_none(plain)
    if get_origin(plain) in (Union, types.UnionType):
        kinds = [one for one in get_args(plain) if one is not type(None)]
        return _without_none(kinds[0]) if len(kinds) == 1 else plain
    return plain


def _holds_secret(annotation: Any) -> bool:
    plain, _ = unwrapped(annotation)
    if isinstance(plain, type) and issubclass(plain, BaseModel):
        return any(_holds_secret(field.annotation) for field in plain.model_fields.values())
    if isinstance(plain, type):
        return issubclass(plain, SecretStr)
    return any(_holds_secret(one) for one in parts_of(plain))


def _all_metadata(annotation: Any, metadata: Sequence[Any]) -> Iterator[Any]:
    yield from metadata
    plain, inner = unwrapped(annotation)
    if inner:
        yield from _all_metadata(plain, inner)
        return
    for one in parts_of(plain):
        yield from _all_metadata(one, ())


def _is_mapping(plain: Any) -> bool:
    origin = get_origin(plain)
    return isinstance(origin, type) and issubclass(origin, Mapping)
