"""The one judge of what the exchange sends: a value of the right kind and size, or a named error. Never zero.

Every text, number, instant and list of an answer or a frame passes here, so that no value can reach a book, the
database or an actor that a market cannot have produced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_NOTHING = object()

LONGEST_TEXT = 128
"""Ids have 36 characters, symbols and reasons fewer than 64."""

LONGEST_NUMBER = 50
"""Characters of a number as text; the longest fee with 18 decimals has about 30."""

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?")
_COIN = re.compile(r"[A-Z0-9]{1,20}")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,39}")

MIN_NUMBER = Decimal("1E-18")
"""No number of the exchange but zero is nearer to zero."""

MAX_NUMBER = Decimal("1E+15")
"""Amounts of money, profits, volumes: a thousand times the capital of all markets."""

MAX_PRICE = Decimal("1E+9")
MAX_QUANTITY = Decimal("1E+12")
MAX_RATE = Decimal(1)
"""Fee and funding rates are fractions; the exchange caps funding at a few per cent."""

MAX_LEVERAGE = Decimal(1000)

FIRST_INSTANT_MS = 1_230_768_000_000
"""2009-01-01: no market is older than the first coin."""

LAST_INSTANT_MS = 4_102_444_800_000
"""2100-01-01."""

MAX_INTEGER = 2**63 - 1
LONGEST_LIST = 10_000


class UnparsableError(ValueError):
    """A message of the exchange lacks a field or carries a value we cannot read; nothing of it is used (IF-2)."""


class ForeignError(UnparsableError):
    """A row that is sound in itself but of a kind that this system does not trade (an option, an inverse contract)."""


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

    # --- texts ---

    def text(self, key: str) -> str:
        """A text that is not empty."""
        value = self.text_or_empty(key)
        if not value:
            raise self.error(key, value, "a text that is not empty")
        return value

    def text_or_empty(self, key: str) -> str:
        """A text of at most 128 printable characters; Bybit sends "" where a field does not apply."""
        value = self._data.get(key, _NOTHING)
        if not isinstance(value, str):
            raise self.error(key, value, "a text")
        if len(value) > LONGEST_TEXT or not value.isprintable():
            raise self.error(key, value, f"a text of at most {LONGEST_TEXT} printable characters")
        return value

    def symbol(self, key: str = "symbol") -> str:
        """The name of an instrument: capital letters and digits."""
        return self._matching(key, _SYMBOL, "a symbol of capital letters and digits")

    def coin(self, key: str) -> str:
        """The name of a coin: capital letters and digits."""
        return self._matching(key, _COIN, "a coin of capital letters and digits")

    def _matching(self, key: str, pattern: re.Pattern[str], required: str) -> str:
        value = self.text(key)
        if not pattern.fullmatch(value):
            raise self.error(key, value, required)
        return value

    # --- numbers ---

    def decimal(self, key: str) -> Decimal:
        """A finite number as text (or as a JSON integer), of either sign, within the bounds of any amount."""
        return to_decimal(self._data.get(key, _NOTHING), key, self.what)

    def decimal_or_none(self, key: str) -> Decimal | None:
        """A number, or None where Bybit sends ""."""
        return None if self._data.get(key, _NOTHING) == "" else self.decimal(key)

    def within(self, key: str, least: Decimal, most: Decimal) -> Decimal:
        """A number between two bounds, both included."""
        value = self.decimal(key)
        if not least <= value <= most:
            raise self.error(key, self._data[key], f"a number from {least:f} to {most:f}")
        return value

    def price(self, key: str) -> Decimal:
        """A price: above zero and one that a market can have."""
        return self.positive(key, MAX_PRICE)

    def price_or_none(self, key: str) -> Decimal | None:
        """A price, or None where Bybit sends "" or a zero for "no price"."""
        if self._data.get(key, _NOTHING) == "" or self.within(key, Decimal(0), MAX_PRICE) == 0:
            return None
        return self.price(key)

    def quantity(self, key: str) -> Decimal:
        """A quantity, volume or size: unsigned."""
        return self.within(key, Decimal(0), MAX_QUANTITY)

    def rate(self, key: str) -> Decimal:
        """A fee or funding rate: a fraction of either sign."""
        return self.within(key, -MAX_RATE, MAX_RATE)

    def positive(self, key: str, most: Decimal = MAX_NUMBER) -> Decimal:
        """A number above zero: a step, a limit."""
        value = self.decimal(key)
        if not 0 < value <= most:
            raise self.error(key, self._data[key], f"a number above 0, at most {most:f}")
        return value

    def integer(self, key: str, least: int = 0, most: int = MAX_INTEGER) -> int:
        """A whole number within bounds, as JSON integer or as digits in a text."""
        value = self._data.get(key, _NOTHING)
        number: int | None = None
        if isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, str) and len(value) <= LONGEST_NUMBER and value.isascii() and value.isdigit():
            number = int(value)
        if number is None or not least <= number <= most:
            bounds = "" if most == MAX_INTEGER else f" from {least} to {most}"
            raise self.error(key, value, f"a whole number{bounds}")
        return number

    def instant(self, key: str, not_after_ms: int | None = None) -> int:
        """An instant in ms (JSON integer or digits) between 2009 and 2100, and not after `not_after_ms`."""
        value = self.integer(key)
        latest = LAST_INSTANT_MS if not_after_ms is None else min(not_after_ms, LAST_INSTANT_MS)
        if not FIRST_INSTANT_MS <= value <= latest:
            raise self.error(key, self._data[key], f"an instant in ms from {FIRST_INSTANT_MS} to {latest}")
        return value

    def boolean(self, key: str) -> bool:
        value = self._data.get(key, _NOTHING)
        if not isinstance(value, bool):
            raise self.error(key, value, "true or false")
        return value

    # --- what was asked ---

    def repeats(self, key: str, asked: str) -> None:
        """Raise unless the field says what was asked for: an answer to another question says nothing about ours."""
        value = self.text_or_empty(key)
        if value != asked:
            raise self.error(key, value, f"{asked!r}, which was asked for,")

    def repeats_if_told(self, key: str, asked: str) -> None:
        """`repeats`, for a field that not every answer carries."""
        if self.has(key):
            self.repeats(key, asked)

    # --- structures ---

    def rows(self, key: str, what: str) -> list[Row]:
        """A list of objects."""
        return [Row(item, what) for item in self.items(key)]

    def items(self, key: str) -> list[Any]:
        value = self._data.get(key, _NOTHING)
        if not isinstance(value, list):
            raise self.error(key, value, "a list")
        if len(value) > LONGEST_LIST:
            raise UnparsableError(f"{self.what}: field {key!r} has {len(value)} entries; at most {LONGEST_LIST}.")
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
        return UnparsableError(_sentence(self.what, key, value, required))


def to_decimal(value: Any, key: str, what: str) -> Decimal:
    """A Decimal from a text or JSON integer, zero or from 1E-18 to 1E+15 in size. Raises UnparsableError."""
    number: Decimal | None = None
    if isinstance(value, str):
        if len(value) <= LONGEST_NUMBER and _NUMBER.fullmatch(value):
            number = Decimal(value)
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER:
        number = Decimal(value)
    if number is None or not (number == 0 or MIN_NUMBER <= abs(number) <= MAX_NUMBER):
        raise UnparsableError(_sentence(what, key, value, f"a finite number as text, at most {MAX_NUMBER:f} in size,"))
    return number or Decimal(0)  # a zero may carry an exponent of thousands


def plain(value: Decimal) -> str:
    """The number as the exchange takes it: no exponent, no trailing zeros."""
    return format(value.normalize() if value else Decimal(0), "f")


def shown_text(value: object, longest: int = 300) -> str:
    """A foreign text for our own sentences: printable, on one line, cut to a length that can be stored and read."""
    text = value if isinstance(value, str) else _shown(value)
    clean = "".join(sign if sign.isprintable() else "?" for sign in text[: longest + 1])
    return clean if len(clean) <= longest else clean[: longest - 3] + "..."


def _sentence(what: str, key: str, value: object, required: str) -> str:
    found = "is missing" if value is _NOTHING else f"is {_shown(value)}"
    return f"{what}: field {key!r} {found}; {required} is required."


def _shown(value: object) -> str:
    if isinstance(value, str):
        value = value[:81]  # the rest of a text of megabytes is of no use to a reader
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        return f"an integer of {value.bit_length()} bits"
    elif isinstance(value, (list, dict)):
        return f"a {'list' if isinstance(value, list) else 'JSON object'} of {len(value)} entries"
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."
