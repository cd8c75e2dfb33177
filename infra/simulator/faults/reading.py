"""Reading faults from data: bad input becomes one sentence with field, value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from infra.simulator.faults.catalogue import CATALOGUE, Fault

LONGEST_SHOWN = 60
_SUBJECT = re.compile(r"^\w+ should ")
T = TypeVar("T", bound=BaseModel)


class FaultError(ValueError):
    """A fault or a scenario that cannot be read; the message is one sentence with field, value and what is allowed."""


def fault_of(data: object) -> Fault:
    """The fault that ``data`` describes. Raises ``FaultError``."""
    if not isinstance(data, Mapping):
        raise FaultError(f"fault is {shown(data)}; it must be an object with a kind and the kind's fields.")
    kind = data.get("kind")
    model = CATALOGUE.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise FaultError(f"fault.kind is {shown(kind)}; it must be one of {', '.join(CATALOGUE)}.")
    return read(model, data, f"fault {kind}: ")


def read(model: type[T], data: object, place: str = "") -> T:
    """The model of this data; ``place`` says in the message where the data stands. Raises ``FaultError``."""
    if not isinstance(data, (Mapping, model)):
        raise FaultError(f"{place}it is {shown(data)}; it must be a table.")
    if isinstance(data, Mapping):
        # No field of a fault or scenario is a boolean; pydantic would read one as the number 1 or 0.
        for name, value in data.items():
            if isinstance(value, bool) and name in model.model_fields:
                raise FaultError(f"{place}{name} is {value}; it must not be a boolean.")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise FaultError(place + _sentence(model, first["loc"], first)) from None


def _sentence(model: type[BaseModel], at: Sequence[int | str], error: Mapping[str, Any]) -> str:
    field = ".".join(str(part) for part in at)
    if error["type"] == "extra_forbidden":
        return f"{field} is no field of it; allowed are {', '.join(model.model_fields)}."
    if error["type"] == "missing":
        return f"{field} is missing; it is required."
    if error["type"] == "value_error":
        reason = str(error["ctx"]["error"])
        return reason if reason.endswith(".") else f"{reason}."
    rest = _SUBJECT.sub("it must ", str(error["msg"])).replace(" after validation", "")
    return f"{field or 'it'} is {shown(error['input'])}; {rest}."


def shown(value: object) -> str:
    """A foreign value for an error text: short and printable."""
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # more digits, or more levels, than Python writes
        return "a value too large to show"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
