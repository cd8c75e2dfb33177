"""Checks that parameter models state as data: which values a name may have, what stands once, what must be ordered.

They stand in the annotation of a field, or in `ParameterModel.RELATIONS` where two fields belong together, so that
defaults, file, environment and command line meet the same check, and the documents can state it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidatorFunctionWrapHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_DECIMAL_PLACES = 12
"""Finer than any price, quantity or rate of the exchange; what is finer is a slip of the pen."""

NOT_ALLOWED = "not_allowed"
"""The kind of an error whose sentence follows from the field: what is allowed there."""


class ContradictionError(ValueError):
    """Settings that contradict each other: a clause per pair, each of which names both with their values."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class OneOf:
    """Of an enumeration only these members may stand here, for example the engines among all actors."""

    members: tuple[Enum, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The enumeration's own check first, then this one."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The members that editors offer."""
        values = [one.value for one in self.members]
        return {"type": "integer" if isinstance(values[0], int) else "string", "enum": values}

    def _checked(self, value: Enum) -> Enum:
        if value not in self.members:
            raise PydanticCustomError(NOT_ALLOWED, "it is not one of the values that are allowed here")
        return value


@dataclass(frozen=True, slots=True)
class Distinct:
    """No entry of the list stands twice. `by`: fields of the entries, each of which is unique."""

    by: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Also a set is checked as it was written."""
        return core_schema.no_info_wrap_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Marks the list for editors."""
        return {**handler(schema), "uniqueItems": True}

    def _checked(self, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        entries = validate(value)
        written = value if isinstance(entries, frozenset) and isinstance(value, list | tuple) else entries
        for field in self.by or ("",):
            found = [getattr(one, field) if field else one for one in written]
            repeated = next((one for index, one in enumerate(found) if one in found[:index]), None)
            if repeated is not None:
                raise ValueError(f"{in_words(repeated)} stands there twice; each entry may stand once")
        return entries


@dataclass(frozen=True, slots=True)
class Growing:
    """Each entry of the list is at least as large as the one before it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Checked after the entries themselves."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def _checked(self, entries: tuple[Any, ...]) -> tuple[Any, ...]:
        for before, after in pairwise(entries):
            if after < before:
                raise ValueError(
                    f"{in_words(after)} stands after {in_words(before)}; no entry may be below the one before"
                )
        return entries


@dataclass(frozen=True, slots=True)
class Order:
    """Two fields of one model that belong together: `Order("min_slippage", "at most", "max_slippage", "EX-3")`.

    Of a list the largest entry counts; a field that is not set is not compared.
    """

    lower: str
    relation: Literal["below", "at most"]
    upper: str
    rule: str

    @property
    def names(self) -> frozenset[str]:
        """Both fields."""
        return frozenset({self.lower, self.upper})

    def problem(self, values: Mapping[str, Any], names: Mapping[str, str]) -> str:
        """The sentence when the two contradict each other, naming both with their values; "" when they do not. `names`
        has the settings of fields that are set elsewhere."""
        lower, upper = (names.get(one, one) for one in (self.lower, self.upper))
        low, high = values[self.lower], values[self.upper]
        if low is None or high is None:
            return ""
        told = f"{lower} {in_words(low)}"
        if isinstance(low, tuple):
            low = max(low)
            told = f"the largest of {lower}, {in_words(low)},"
        if low < high or (low == high and self.relation == "at most"):
            return ""
        return f"{told} must be {self.relation} {upper} {in_words(high)} ({self.rule})"

    def told_of(self, field: str, names: Mapping[str, str]) -> str:
        """What it says about one of its two fields; "" about any other."""
        if field == self.lower:
            return f"{self.relation} `{names.get(self.upper, self.upper)}`"
        if field == self.upper:
            return f"{'above' if self.relation == 'below' else 'at least'} `{names.get(self.lower, self.lower)}`"
        return ""


def in_words(value: Any) -> str:
    """A value as people write it, in no programming language's notation."""
    if isinstance(value, Enum):
        return in_words(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "nothing"
    if isinstance(value, Decimal):
        # A figure of a thousand places is shown by its exponent, not written out.
        return f"{value:f}" if value.is_finite() and abs(value.adjusted()) <= MAX_DECIMAL_PLACES * 2 else str(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{in_words(key)} {in_words(one)}" for key, one in value.items()) or "nothing"
    if isinstance(value, frozenset | set):
        return in_words(sorted(value))
    if isinstance(value, list | tuple):
        return ", ".join(in_words(one) for one in value) or "nothing"
    return str(value)


def demand_plain(value: Any) -> Any:
    """No truth value stands where a number, a text or a list of them is meant. Returns the value.

    Raises:
        PydanticCustomError: there is one.
    """
    if isinstance(value, bool):
        raise PydanticCustomError(NOT_ALLOWED, "a truth value is not allowed here")
    for one in _inner(value):
        demand_plain(one)
    return value


_TRUTH_VALUES = {"true": True, "false": False}
"""As an environment variable has them."""


def demand_truth_value(value: Any) -> bool:
    """The truth value.

    Raises:
        PydanticCustomError: it is none: neither 1 nor "yes" stands for true.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _TRUTH_VALUES:
        return _TRUTH_VALUES[value]
    raise PydanticCustomError(NOT_ALLOWED, "a truth value is required")


def demand_few_places(value: Any) -> Any:
    """No decimal is finer than `MAX_DECIMAL_PLACES`. Returns the value.

    Raises:
        ValueError: one is.
    """
    if isinstance(value, Decimal):
        _, digits, exponent = value.as_tuple()
        written = "".join(map(str, digits))
        zeros = len(written) - len(written.rstrip("0"))
        if isinstance(exponent, int) and value and -exponent - zeros > MAX_DECIMAL_PLACES:
            raise ValueError(f"it has {-exponent - zeros} decimal places; at most {MAX_DECIMAL_PLACES} are allowed")
    for one in _inner(value):
        demand_few_places(one)
    return value


def _inner(value: Any) -> tuple[Any, ...]:
    if isinstance(value, Mapping):
        return tuple(value.values())
    return tuple(value) if isinstance(value, list | tuple | set | frozenset) else ()
