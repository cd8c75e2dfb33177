"""Reading request parameters: the same rules for a query string (all text) and a JSON body."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from infra.simulator.venue.errors import params_error


class Params:
    """Request parameters. Unknown ones are ignored, as Bybit does; malformed ones are refused with 10001."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def text(self, name: str, default: str = "") -> str:
        """The parameter as text, or the default when absent or empty."""
        value = self.values.get(name)
        if value is None or value == "":
            return default
        return str(value)

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
            raise params_error(f"params error: {name} {value!r} is not one of {', '.join(allowed)}.")
        return value

    def category(self, *allowed: str, default: str | None = None) -> str:
        """The product category; 10001 "Illegal category" for another one."""
        value = self.required("category") if default is None else self.text("category", default)
        if value not in allowed:
            raise params_error(f"Illegal category {value!r}; allowed here: {', '.join(allowed)}.")
        return value

    def decimal(self, name: str) -> Decimal | None:
        """A finite decimal number, or None when absent. A JSON float is read by its shortest notation."""
        value = self.text(name)
        if not value:
            return None
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise params_error(f"params error: {name} {value!r} is not a number.")
        return number

    def required_decimal(self, name: str) -> Decimal:
        """A finite decimal number; 10001 when missing."""
        number = self.decimal(name)
        if number is None:
            raise params_error(f"params error: {name} is required.")
        return number

    def integer(self, name: str) -> int | None:
        """An integer, or None when absent."""
        value = self.text(name)
        if not value:
            return None
        try:
            return int(value)
        except ValueError:
            raise params_error(f"params error: {name} {value!r} is not an integer.") from None

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
        return self.text(name).lower() in ("true", "1")
