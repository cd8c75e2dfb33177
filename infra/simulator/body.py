"""Reading what a request carries: a JSON object that can be written to the log of inputs, and its fields by name.

Bad input is one sentence with field, value and what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from infra.simulator.api.faithful_json import NotJsonError, UnfaithfulError, read_json
from infra.simulator.api.params import Params, shown
from infra.simulator.venue.errors import VenueError

DECIMALS = 18


class BodyError(ValueError):
    """A body or a field of it that cannot be read; the message is one sentence."""


def read_object(raw: bytes, *, number: Callable[[str], Any] = float) -> dict[str, Any]:
    """The JSON object of these bytes; ``number`` reads what is no integer. Raises ``BodyError``."""
    if not raw.strip():
        raise BodyError("The request body is empty; it must be a JSON object.")
    try:
        body = read_json(raw, number=number)
    except NotJsonError:
        raise BodyError("The request body is not JSON; it must be a JSON object.") from None
    except UnfaithfulError as error:
        raise BodyError(str(error)) from None
    if not isinstance(body, dict):
        kind = {list: "a list", str: "a text", type(None): "null", bool: "true or false"}.get(type(body), "a number")
        raise BodyError(f"The request body is {kind}; it must be a JSON object.")
    return body


def text_of(body: Mapping[str, Any], name: str) -> str:
    """A text that must be given. Raises ``BodyError``."""
    value = body.get(name)
    if value is None or value == "":
        raise BodyError(f"{name} is missing; it is required.")
    if not isinstance(value, str):
        raise BodyError(f"{name} is {shown(value)}; it must be a text.")
    return value


def decimal_of(body: Mapping[str, Any], name: str) -> Decimal:
    """A number, or its text, that must be given. Raises ``BodyError``."""
    value = body.get(name)
    if value is None or value == "":
        raise BodyError(f"{name} is missing; it is required.")
    try:
        if isinstance(value, bool):
            raise BodyError(f"{name} is {shown(value)}; it must be a number.")
        return Params({name: value}).required_decimal(name)
    except VenueError:
        raise BodyError(
            f"{name} is {shown(value)}; it must be a number of at most 1,000,000,000,000 in size with at most "
            f"{DECIMALS} decimals."
        ) from None


def integer_of(body: Mapping[str, Any], name: str, what: str = "an integer") -> int:
    """An integer that must be given. Raises ``BodyError``."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        given = "missing" if name not in body else shown(value)
        raise BodyError(f"{name} is {given}; it must be {what}.")
    return value
