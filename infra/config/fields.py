"""What the models say about each field of the configuration: meaning, unit, what is allowed, default, rules.

The documented example and the JSON Schema are made of it, so a field that says less is refused here.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from statemachines.limits.parameter_checks import Distinct, Growing, OneOf, Order
from statemachines.parameters import Allowed, Unit, set_by, shared_names

RULE = re.compile(
    r"(?<![\w.%])(?:(?:CH|TR|FU|TA|OR|DA|EX|RM|IF|DE)-\d+|[PLDTFCAOXR]\d{1,2}(?!:\d))(?!\w)",
)
"""The ID of a requirement or a ruling: `TR-9`, `T8`; neither an hour (`T00:00`) nor an escaped byte (`%F0`)."""

UNIT_OF_NAME = {
    "_ms": "milliseconds",
    "_s": "seconds",
    "_h": "hours",
    "_hours": "hours",
    "_days": "days",
    "_months": "months",
    "_usdt": "USDT",
    "_pct": "per cent",
}
"""Endings of names that say the unit."""

NUMBERS = (int, float, Decimal)


class UndocumentedFieldError(Exception):
    """A field of the configuration lacks a meaning, a unit or a range. A mistake in the code: it is fixed there."""


@dataclass(frozen=True)
class FieldFacts:
    """One field of one section. `default` None: it is not set; then `example` is a value that is allowed."""

    path: tuple[str, ...]
    meaning: str
    unit: str | None
    allowed: str
    rules: tuple[str, ...]
    default: Any
    example: Any

    @property
    def name(self) -> str:
        """The field's own name."""
        return self.path[-1]


@dataclass(frozen=True)
class SectionFacts:
    """One table of the file: its values first, then the tables in it."""

    path: tuple[str, ...]
    meaning: str
    model: type[BaseModel]
    fields: tuple[FieldFacts, ...]
    sections: tuple[SectionFacts, ...]

    def walk(self) -> Iterator[SectionFacts]:
        """This section and all within it, in the order of the file."""
        yield self
        for section in self.sections:
            yield from section.walk()


def facts_of(instance: BaseModel, path: tuple[str, ...] = (), meaning: str = "") -> SectionFacts:
    """What is documented about a section and all within it; the values of `instance` are the defaults.

    Raises:
        UndocumentedFieldError: a field lacks a description, a number lacks its unit or a bound, a text what it may be,
            or a field without a default an example.
    """
    fields: list[FieldFacts] = []
    sections: list[SectionFacts] = []
    for name, field in type(instance).model_fields.items():
        if set_by(field) is not None:
            continue  # it has its setting elsewhere
        value, here = getattr(instance, name), (*path, name)
        said = _meaning(here, field)
        if isinstance(value, BaseModel):
            sections.append(facts_of(value, here, said))
        elif is_table_of_models(field.annotation):
            sections += [facts_of(one, (*here, str(key)), said) for key, one in value.items()]
        else:
            facts = _facts(here, field, said, value)
            related = [
                words
                for one in _relations(type(instance))
                if (words := one.told_of(name, shared_names(type(instance))))
            ]
            fields.append(replace(facts, allowed=", ".join((facts.allowed, *related))))
    return SectionFacts(path, meaning, type(instance), tuple(fields), tuple(sections))


def _relations(model: type[BaseModel]) -> tuple[Order, ...]:
    return getattr(model, "RELATIONS", ())


def _facts(path: tuple[str, ...], field: FieldInfo, meaning: str, value: Any) -> FieldFacts:
    examples = field.examples or []
    if value is None and not examples:
        raise _lacking(path, "an example (`Field(examples=[...])`), since it has no default")
    return FieldFacts(
        path=path,
        meaning=meaning,
        unit=_unit(path, field.annotation, field.metadata),
        allowed=allowed_in_words(path, field.annotation, field.metadata),
        rules=tuple(dict.fromkeys(match[0] for match in RULE.finditer(meaning))),
        default=value,
        example=examples[0] if examples else value,
    )


def _meaning(path: tuple[str, ...], field: FieldInfo) -> str:
    if not field.description:
        raise _lacking(path, "a description (a text below the field)")
    return " ".join(field.description.split())


def _unit(path: tuple[str, ...], annotation: Any, metadata: list[Any]) -> str | None:
    """The unit of the numbers in a field; None where there are none, or where they stand in tables of their own."""
    own = next((one.name for one in metadata if isinstance(one, Unit)), None)
    plain, inner = unwrapped(annotation)
    if inner:
        return own or _unit(path, plain, inner)
    if _is_number(plain):
        return own or _unit_of_name(path)
    units = [own or _unit(path, argument, []) for argument in parts_of(plain)]
    return next((unit for unit in units if unit is not None), None)


def unit_of_ending(name: str) -> str | None:
    """The unit that a field's name ends with."""
    endings = sorted(UNIT_OF_NAME, key=len, reverse=True)
    return next((UNIT_OF_NAME[ending] for ending in endings if name.endswith(ending)), None)


def _unit_of_name(path: tuple[str, ...]) -> str:
    found = unit_of_ending(path[-1])
    if found is None:
        raise _lacking(path, "a unit, in its name or as a `Unit`")
    return found


def allowed_in_words(path: tuple[str, ...], annotation: Any, metadata: list[Any]) -> str:
    """What may stand there, in words."""
    plain, inner = unwrapped(annotation)
    if inner:
        return allowed_in_words(path, plain, [*metadata, *inner])
    origin, arguments = get_origin(plain), parts_of(plain)
    said = next((one.text for one in metadata if isinstance(one, Allowed)), None)
    if said is not None:
        return said
    members = next((one.members for one in metadata if isinstance(one, OneOf)), None)
    if members is not None:
        return _choice([_member(one) for one in members])
    if origin is Literal:
        return _choice([_quoted(one) for one in get_args(plain)])
    if origin in (Union, types.UnionType):
        return _choice([allowed_in_words(path, argument, metadata) for argument in arguments])
    if origin in (tuple, list, frozenset, set):
        return _allowed_in_list(path, plain, metadata)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, value = arguments
        return f"a table; each key is {allowed_in_words(path, key, [])}, each value {allowed_in_words(path, value, [])}"
    if isinstance(plain, type):
        return _allowed_of_type(path, plain, metadata)
    raise _lacking(path, f"a type that can be documented, not {plain!r}")


def _allowed_in_list(path: tuple[str, ...], plain: Any, metadata: list[Any]) -> str:
    arguments = get_args(plain)
    if get_origin(plain) is tuple and arguments[-1] is not Ellipsis:
        return f"a pair of {' and '.join(allowed_in_words(path, argument, []) for argument in arguments)}"
    least = next((one.min_length for one in metadata if hasattr(one, "min_length")), 0)
    most = next((one.max_length for one in metadata if hasattr(one, "max_length")), 0)
    sizes = [f"of at least {least}"] * bool(least) + [f"at most {most}"] * bool(most)
    manner = ", none twice" * any(isinstance(one, Distinct) for one in metadata)
    manner += ", none below the one before" * any(isinstance(one, Growing) for one in metadata)
    size = f" {' and '.join(sizes)}" if sizes else ""
    return f"a list{size}{manner}; each entry is {allowed_in_words(path, arguments[0], [])}"


def _allowed_of_type(path: tuple[str, ...], plain: type, metadata: list[Any]) -> str:
    if issubclass(plain, Enum):
        return _choice([_member(one) for one in plain])
    if plain is bool:
        return "true or false"
    if _is_number(plain):
        return f"a {'whole ' if plain is int else ''}number {_bounds(path, metadata)}"
    if issubclass(plain, BaseModel):
        fields = []
        for name, field in plain.model_fields.items():
            allowed = allowed_in_words((*path, name), field.annotation, field.metadata)
            fields.append(f"`{name}` ({allowed}), {_meaning((*path, name), field).rstrip('.')}")
        return f"a table of {' and of '.join(fields)}"
    if issubclass(plain, date):
        return "a day as YYYY-MM-DD"
    if issubclass(plain, Path):
        return "a path"
    if issubclass(plain, SecretStr | str):
        raise _lacking(path, "what is allowed (an `Allowed`), since it is a text")
    raise _lacking(path, f"a type that can be documented, not {plain.__name__}")


def _bounds(path: tuple[str, ...], metadata: list[Any]) -> str:
    bounds = {
        name: getattr(one, name) for one in flat(metadata) for name in ("gt", "ge", "lt", "le") if hasattr(one, name)
    }
    words = {"gt": "greater than", "ge": "of at least", "lt": "less than", "le": "at most"}
    if not bounds:
        raise _lacking(path, "a range, since it is a number")
    if {"ge", "le"} == set(bounds):
        return f"from {bounds['ge']} to {bounds['le']}"
    return " and ".join(f"{words[name]} {bounds[name]}" for name in words if name in bounds)


def flat(metadata: list[Any]) -> Iterator[Any]:
    """`Field(gt=0)` inside an `Annotated` holds its bounds as metadata of its own."""
    for one in metadata:
        if isinstance(one, FieldInfo):
            yield from one.metadata
        else:
            yield one


def unwrapped(annotation: Any) -> tuple[Any, list[Any]]:
    """A type without its `Annotated`, and what that says."""
    if get_origin(annotation) is Annotated:
        plain, *metadata = get_args(annotation)
        return plain, list(flat(metadata))
    return annotation, []


def parts_of(plain: Any) -> list[Any]:
    """The types that a type is made of."""
    if get_origin(plain) is Literal:
        return []
    return [argument for argument in get_args(plain) if argument not in (Ellipsis, type(None))]


def _is_number(plain: Any) -> bool:
    return isinstance(plain, type) and issubclass(plain, NUMBERS) and not issubclass(plain, Enum | bool)


def is_table_of_models(annotation: Any) -> bool:
    """Whether it is a table whose values are sections."""
    plain, _ = unwrapped(annotation)
    origin = get_origin(plain)
    if not (isinstance(origin, type) and issubclass(origin, Mapping)):
        return False
    value, _ = unwrapped(get_args(plain)[1])
    return isinstance(value, type) and issubclass(value, BaseModel)


def _member(one: Enum) -> str:
    return f"{one.value} ({one.name})" if isinstance(one, IntEnum) else _quoted(one.value)


def _quoted(value: Any) -> str:
    return f'"{value}"'


def _choice(options: list[str]) -> str:
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"


def _lacking(path: tuple[str, ...], what: str) -> UndocumentedFieldError:
    return UndocumentedFieldError(f"The field {'.'.join(path)} of the configuration lacks {what}.")
