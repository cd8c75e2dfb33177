"""Strict access to the fields of an exchange message: a value of the right kind, or a named error. Never zero."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

_NOTHING = object()


class UnparsableError(ValueError):
    """A message of the exchange lacks a field or carries a value we cannot read; nothing of it is used (IF-2)."""


class Row:
    """One JSON object of the exchange with typed, strict access. `what` names it in errors."""

    __slots__ = ("_data", "what")

    def __init__(self, data: Any, what: str) -> None:
        if not isinstance(data, Mapping):
            raise UnparsableError(f"{what}: a JSON object is required, got {_shown(data)}.")
        self._data = data
        self.what = what

    def has(self, key: str) -> bool:
        """Whether the field is there at all (delta messages carry changed fields only)."""
        return key in self._data

    def text(self, key: str) -> str:
        """A text that is not empty."""
        value = self.text_or_empty(key)
        if not value:
            raise self.error(key, value, "a text that is not empty")
        return value

    def text_or_empty(self, key: str) -> str:
        """A text; Bybit sends "" where a field does not apply."""
        value = self._data.get(key, _NOTHING)
        if not isinstance(value, str):
            raise self.error(key, value, "a text")
        return value

    def decimal(self, key: str) -> Decimal:
        """A finite number as text (or as a JSON integer)."""
        return to_decimal(self._data.get(key, _NOTHING), key, self.what)

    def decimal_or_none(self, key: str) -> Decimal | None:
        """A number, or None where Bybit sends ""."""
        return None if self._data.get(key, _NOTHING) == "" else self.decimal(key)

    def price_or_none(self, key: str) -> Decimal | None:
        """A price, or None where Bybit sends "" or a zero for "no price"."""
        return self.decimal_or_none(key) or None

    def positive(self, key: str) -> Decimal:
        """A number above zero: a price or a step."""
        value = self.decimal(key)
        if value <= 0:
            raise self.error(key, self._data[key], "a number above 0")
        return value

    def integer(self, key: str) -> int:
        """A whole number, as JSON integer or as digits in a text (instants come both ways)."""
        value = self._data.get(key, _NOTHING)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
        raise self.error(key, value, "a whole number")

    def boolean(self, key: str) -> bool:
        value = self._data.get(key, _NOTHING)
        if not isinstance(value, bool):
            raise self.error(key, value, "true or false")
        return value

    def rows(self, key: str, what: str) -> list[Row]:
        """A list of objects."""
        return [Row(item, what) for item in self.items(key)]

    def items(self, key: str) -> list[Any]:
        value = self._data.get(key, _NOTHING)
        if not isinstance(value, list):
            raise self.error(key, value, "a list")
        return value

    def is_list(self, key: str) -> bool:
        return isinstance(self._data.get(key), list)

    def raw(self, key: str) -> Any:
        """The value as it came; None when missing."""
        return self._data.get(key)

    def row(self, key: str) -> Row:
        """A nested object."""
        return Row(self._data.get(key), f"{self.what}, field {key!r}")

    def error(self, key: str, value: object, required: str) -> UnparsableError:
        """The sentence for a field that cannot be used."""
        found = "is missing" if value is _NOTHING else f"is {_shown(value)}"
        return UnparsableError(f"{self.what}: field {key!r} {found}; {required} is required.")


def to_decimal(value: Any, key: str, what: str) -> Decimal:
    """A finite Decimal from a text or JSON integer. Raises UnparsableError."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = None
        if number is not None and number.is_finite():
            return number
    found = "is missing" if value is _NOTHING else f"is {_shown(value)}"
    raise UnparsableError(f"{what}: field {key!r} {found}; a finite number as text is required.")


def plain(value: Decimal) -> str:
    """The number as the exchange takes it: no exponent, no trailing zeros."""
    return format(value.normalize() if value else Decimal(0), "f")


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."
