"""Raw values in recorded sentences as people read them: instants as UTC text, numbers rounded.

The journal keeps what was computed, digit for digit; a person reads it through here, and has the whole with `--json`.
"""

from __future__ import annotations

import re
from decimal import Decimal

from api.json_values import time_of

INSTANT = re.compile(r"(?<![\w.:@-])(\d{13})( ms)?(?![\w.:@-]*\d)\b")
"""Milliseconds since 1970, standing alone: a part of an identity is none."""

NUMBER = re.compile(r"(?<![\w.:@-])-?\d+\.\d+(?![\w.:@-]*\d)\b|(?<=[\s(:])-\d+\.\d+\b")

LARGE, LARGE_PLACES = Decimal(1_000), 2
PLAIN, PLAIN_PLACES = Decimal(1), 4
SMALL_DIGITS = 6
"""Of a number below 1 so many digits from the first that is not 0."""


def readable(text: str) -> str:
    """The sentence with its instants as UTC and its numbers rounded: from 1,000 on to 2 places, from 1 on to 4, below
    that to 6 significant digits."""
    return NUMBER.sub(lambda found: rounded(found[0]), INSTANT.sub(lambda found: time_of(int(found[1])), text))


def rounded(text: str) -> str:
    """A decimal number as people read it, without zeros at its end beyond the second place."""
    number = Decimal(text)
    size = abs(number)
    if not number:
        return "0"
    if size >= LARGE:
        places = LARGE_PLACES
    elif size >= PLAIN:
        places = PLAIN_PLACES
    else:
        places = SMALL_DIGITS - 1 - size.adjusted()
    if -int(number.as_tuple().exponent) <= places:
        return text
    shown = f"{number.quantize(Decimal(1).scaleb(-places)):f}"
    whole, _, digits = shown.partition(".")
    kept = digits.rstrip("0")
    return f"{whole}.{kept:0<2}" if kept else whole


def share(fraction: Decimal) -> str:
    """A fraction as per cent with two places."""
    return f"{fraction * 100:.2f} %"
