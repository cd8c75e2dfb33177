"""What all models of parameters share: each field carries its meaning, its unit and what is allowed, so that the
documented configuration (`docs/eternal.example.toml`) and its JSON Schema are generated from the models.

The text below a field is its meaning and names the rules behind it, for example `(TR-3, T1)`. Units come from the
field's name (`_ms`, `_usdt`, ...) or from a `Unit`; what is allowed comes from the type and its bounds, for text from
an `Allowed`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from statemachines.values import Frozen


class ParameterModel(Frozen):
    """Base of the parameters that can be configured: immutable, refuses unknown fields, documents each field."""

    model_config = ConfigDict(use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number counts, where its field's name does not say it."""

    name: str


SET_BY_KEY = "x-set-by"
"""Marks a field in a JSON Schema that is a `SetBy`."""


@dataclass(frozen=True, slots=True)
class SetBy:
    """A limit that two parts apply has one setting: this field cannot be set and takes its value from there.

    `setting` is the dotted name of that setting; `{engine}` in it stands for the engine whose limits these are, and an
    engine without it keeps the field's default. `read`: the property of the same section that gives the value, where
    it follows from the setting by a formula or has another unit.
    """

    setting: str
    read: str = ""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Marks the field, so that the schema of the configuration file can leave it out."""
        return {**handler(schema), SET_BY_KEY: self.setting}


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a text may be, in words for people; a pattern or validator enforces it."""

    text: str


Coin = Annotated[str, Field(pattern=r"^[A-Z0-9]+$"), Allowed("a coin in capitals, for example BTC")]
Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9-]+$"), Allowed("a symbol in capitals, for example BTCUSDT")]
SeriesName = Annotated[
    str, Field(pattern=r"^(spot|linear):[A-Z0-9-]+$"), Allowed('category and symbol, for example "spot:BTCUSDT"')
]
FeeRate = Annotated[Decimal, Field(ge=0, lt=Decimal("0.1")), Unit("fraction of the traded value")]
PositiveUsdt = Annotated[Decimal, Field(gt=0), Unit("USDT")]

_Model = TypeVar("_Model", bound=BaseModel)


def set_by(field: FieldInfo) -> SetBy | None:
    """The setting that a field takes its value from; None for a field that is set itself."""
    return next((one for one in field.metadata if isinstance(one, SetBy)), None)


def with_shared(parameters: _Model, look_up: Callable[[SetBy], object | None]) -> _Model:
    """The parameters with every `SetBy` field as `look_up` answers; None leaves the field as it is."""
    found = {name: look_up(one) for name, field in type(parameters).model_fields.items() if (one := set_by(field))}
    return parameters.model_copy(update={name: value for name, value in found.items() if value is not None})


def section_of(engine: str) -> str:
    """The name of an engine's section in the configuration: `trend_1` for `trend-1`."""
    return engine.replace("-", "_")
