"""What all models of parameters share: each field carries its meaning, its unit and what is allowed, so that the
documented configuration (`docs/eternal.example.toml`) and its JSON Schema are generated from the models.

The text below a field is its meaning and names the rules behind it, for example `(TR-3, T1)`. Units come from the
field's name (`_ms`, `_usdt`, ...) or from a `Unit`; what is allowed comes from the type and its bounds, for text from
an `Allowed`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from statemachines.limits.parameter_checks import (
    ContradictionError,
    Distinct,
    OneOf,
    Order,
    demand_few_places,
    demand_plain,
    demand_truth_value,
    in_words,
)
from statemachines.values import ENGINES, ActorName, Frozen

SHARED = "with shared limits"
"""The context in which parameters are checked that have got their shared limits."""


class ParameterModel(Frozen):
    """Base of the parameters that can be configured: immutable, refuses unknown fields, documents each field."""

    model_config = ConfigDict(use_attribute_docstrings=True, hide_input_in_errors=True)

    RELATIONS: ClassVar[tuple[Order, ...]] = ()
    """Which of its fields must be ordered."""

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        # The library takes true for 1, and 1 for true. Sections further in check their own fields.
        annotation = None if info.field_name is None else cls.model_fields[info.field_name].annotation
        if annotation is bool:
            return demand_truth_value(value)
        is_section = annotation is not None and holds_model(annotation)
        return value if is_section and not isinstance(value, bool) else demand_plain(value)

    @field_validator("*", mode="after")
    @classmethod
    def _has_few_places(cls, value: Any, info: ValidationInfo) -> Any:
        # What follows from other settings by a formula may have more.
        is_shared = info.field_name is not None and set_by(cls.model_fields[info.field_name]) is not None
        return value if is_shared else demand_few_places(value)

    @model_validator(mode="after")
    def _is_in_order(self, info: ValidationInfo) -> Self:
        names = shared_names(type(self))
        # A field that is set elsewhere is compared when it has its value from there, not with its default.
        compared = (
            self.RELATIONS if info.context == SHARED else [one for one in self.RELATIONS if not one.names & {*names}]
        )
        values = {name: getattr(self, name) for name in type(self).model_fields}
        if problems := [told for one in compared if (told := one.problem(values, names))]:
            raise ContradictionError(problems)
        return self

    @property
    def traded(self) -> Mapping[str, frozenset[str]]:
        """The series that an engine with these parameters trades, as `category:SYMBOL`, by the field that names them:
        the risk manager must let it, and market data must read them."""
        return {}


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


EngineName = Annotated[ActorName, OneOf(ENGINES)]
"""An engine that is registered, and no other actor."""
EngineNames = Annotated[tuple[EngineName, ...], Field(min_length=1), Distinct()]
"""At least one engine, none twice."""
Coin = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}$"), Allowed("a coin in capitals, for example BTC")]
Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,40}$"), Allowed("a symbol in capitals, for example BTCUSDT")]
SeriesName = Annotated[
    str, Field(pattern=r"^(spot|linear):[A-Z0-9-]{1,40}$"), Allowed('category and symbol, for example "spot:BTCUSDT"')
]
FeeRate = Annotated[Decimal, Field(ge=0, lt=Decimal("0.1")), Unit("fraction of the traded value")]
PositiveUsdt = Annotated[Decimal, Field(gt=0, le=10**12), Unit("USDT")]
"""At most a million millions, more than all coins of the world are worth."""

_Model = TypeVar("_Model", bound=BaseModel)


def holds_model(annotation: Any) -> bool:
    """Whether a section stands in a field of this type, or a list or table of sections."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(holds_model(one) for one in get_args(annotation))


def set_by(field: FieldInfo) -> SetBy | None:
    """The setting that a field takes its value from; None for a field that is set itself."""
    return next((one for one in field.metadata if isinstance(one, SetBy)), None)


def shared_names(model: type[BaseModel]) -> dict[str, str]:
    """The settings of the fields that are set elsewhere."""
    return {name: one.setting for name, field in model.model_fields.items() if (one := set_by(field))}


def with_shared(parameters: _Model, look_up: Callable[[SetBy], object | None], engine: str = "") -> _Model:
    """The parameters with every `SetBy` field as `look_up` answers; None leaves the field as it is.

    The result is checked as if it had been given so: a limit that one part allows and the other refuses is refused.
    `engine` is the section that `{engine}` stands for.

    Raises:
        ValueError: a value breaks a bound of this field; the sentence names the setting that it came from.
    """
    shared = {name: one for name, field in type(parameters).model_fields.items() if (one := set_by(field))}
    found = {name: value for name, one in shared.items() if (value := look_up(one)) is not None}
    if not found:
        return parameters
    given = {name: getattr(parameters, name) for name in type(parameters).model_fields}
    try:
        return type(parameters).model_validate(given | found, context=SHARED)
    except ValidationError as error:
        raise ValueError(
            "; ".join(_shared_problem(dict(one), shared, found, engine) for one in error.errors())
        ) from None


def _shared_problem(
    problem: Mapping[str, Any], shared: Mapping[str, SetBy], found: Mapping[str, object], engine: str
) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    reason = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if name not in found:
        return reason
    return f"{shared[name].setting.format(engine=engine)} gives {name} {in_words(found[name])}, and that {reason}"


def section_of(engine: str) -> str:
    """The name of an engine's section in the configuration: `trend_1` for `trend-1`."""
    return engine.replace("-", "_")
