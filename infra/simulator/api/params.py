"""The one judge of what a request carries: the same rules for a query string (all text) and a JSON body.

Whatever is malformed or beyond what any order or query can mean is refused with 10001; nothing else gets past here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from infra.simulator.venue.errors import VenueError, params_error

LONGEST_TEXT = 256
LONGEST_NUMBER = 40
LONGEST_SHOWN = 60
MAX_INTEGER = 2**63 - 1
MAX_NUMBER = Decimal("1E+12")
MIN_NUMBER = Decimal("1E-18")
_NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]{1,3})?|[+-]?[0-9]+\.")
_INTEGER = re.compile(r"-?[0-9]{1,19}")


class Params:
    """Request parameters. Unknown ones are ignored, as Bybit does; malformed ones are refused with 10001."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def text(self, name: str, default: str = "") -> str:
        """The parameter as text of at most 256 printable characters, or the default when absent or empty."""
        value = self.values.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (float, Decimal)) or (isinstance(value, int) and abs(value) <= MAX_INTEGER):
            return str(value)
        if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isprintable():
            raise self._refused(name, value, f"a text of at most {LONGEST_TEXT} printable characters")
        return value

    def required(self, name: str) -> str:
        """The parameter as text; 10001 when it is missing."""
        value = self.text(name)
        if not value:
            raise params_error(f"params error: {name} is required.")
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """One of the allowed texts; required when there is no default."""
        value = self.required(name) if default is None else self.text(name, default)
        if value not in allowed:
            raise self._refused(name, value, f"one of {', '.join(allowed)}")
        return value

    def category(self, *allowed: str, default: str | None = None) -> str:
        """The product category; 10001 "Illegal category" for another one."""
        value = self.required("category") if default is None else self.text("category", default)
        if value not in allowed:
            raise params_error(f"Illegal category {shown(value)}; allowed here: {', '.join(allowed)}.")
        return value

    def decimal(self, name: str) -> Decimal | None:
        """A number, or None when absent; zero, or from 1E-18 to 1E+12 in size. A JSON float is read by its shortest
        notation."""
        value = self.text(name)
        if not value:
            return None
        number = Decimal(value) if len(value) <= LONGEST_NUMBER and _NUMBER.fullmatch(value) else None
        if number is None or not (number == 0 or MIN_NUMBER <= abs(number) <= MAX_NUMBER):
            raise self._refused(name, value, f"a number of at most {MAX_NUMBER:f}")
        return number or Decimal(0)

    def required_decimal(self, name: str) -> Decimal:
        """A finite decimal number; 10001 when missing."""
        number = self.decimal(name)
        if number is None:
            raise params_error(f"params error: {name} is required.")
        return number

    def integer(self, name: str) -> int | None:
        """An integer of at most 64 bits, or None when absent."""
        value = self.text(name)
        if not value:
            return None
        if not _INTEGER.fullmatch(value) or abs(int(value)) > MAX_INTEGER:
            raise self._refused(name, value, "an integer of at most 64 bits")
        return int(value)

    def limit(self, default: int, maximum: int) -> int:
        """Page size: 1..maximum; a larger one is cut to the maximum, as Bybit does."""
        value = self.integer("limit")
        if value is None:
            return default
        if value < 1:
            raise params_error(f"params error: limit {value} is not in 1..{maximum}.")
        return min(value, maximum)

    def flag(self, name: str) -> bool:
        """A boolean sent as JSON true/false, 1/0 or text."""
        value = self.text(name).lower()
        if value not in ("", "true", "false", "1", "0"):
            raise self._refused(name, value, "true or false")
        return value in ("true", "1")

    def refuse(self, *names: str, but: tuple[str, ...] = ()) -> None:
        """What this exchange does not simulate is refused, never ignored; the values in ``but`` ask for nothing."""
        for name in names:
            value = self.text(name)
            if value and value not in but:
                raise params_error(f"params error: {name} {shown(value)} is not simulated.")

    def _refused(self, name: str, value: object, required: str) -> VenueError:
        return params_error(f"params error: {name} {shown(value)} is not {required}.")


def shown(value: object) -> str:
    """A foreign value for an error text: short and printable."""
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return f"of {value.bit_length()} bits"
    if isinstance(value, (list, dict)):
        return f"of type {'list' if isinstance(value, list) else 'object'}"
    text = ascii(value[: LONGEST_SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= LONGEST_SHOWN + 2 else f"{text[:LONGEST_SHOWN]}...'"
