"""JSON of clients, and of the log of inputs: what is read can be logged, and what is logged reads back equal.

An input whose line in the log says something else than what was carried out would make another exchange at restart.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

from infra.simulator.venue.errors import params_error


class UnfaithfulError(ValueError):
    """A text that is not JSON, or a value that the log of inputs cannot hold; the message is one sentence."""


class NotJsonError(UnfaithfulError):
    """A text that no reader takes for JSON."""


def read_json(raw: str | bytes, *, number: Callable[[str], Any] = str) -> Any:
    """The value of a client's JSON text; ``number`` reads what is no integer (its text: a float would lose digits).

    Raises ``UnfaithfulError`` for what is no JSON (also NaN and Infinity, which Python's reader takes) and for what
    the log cannot hold.
    """
    try:
        value = json.loads(raw, parse_float=number, parse_constant=_refuse_constant)
    except UnfaithfulError:
        raise
    except (ValueError, RecursionError):
        raise NotJsonError("The request body is not JSON.") from None
    logged(value)
    return value


def _refuse_constant(name: str) -> Any:
    raise UnfaithfulError(f"The request body is not JSON: {name} is no JSON value; numbers must be finite.")


def logged(value: Any) -> bytes:
    """The value as the log of inputs holds it. Raises ``UnfaithfulError`` for one that would not be read back equal:
    integers above 64 bits, lone surrogates, NaN and infinity (written as null)."""
    try:
        line = orjson.dumps(value)
        is_faithful = bool(orjson.loads(line) == value)
    except (TypeError, ValueError, RecursionError):
        is_faithful = False
    if not is_faithful:
        raise UnfaithfulError(
            "The request body holds an integer above 64 bits, a number that is not finite, a text that is not Unicode "
            "or more than 254 levels; the log of inputs cannot hold it."
        )
    return line


def logged_request(value: Any) -> bytes:
    """``logged``; raises ``VenueError`` 10001 instead, the refusal of a request."""
    try:
        return logged(value)
    except UnfaithfulError as error:
        raise params_error(str(error)) from None
