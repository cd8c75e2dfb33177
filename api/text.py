"""The one judge of text that people send: what may be stored, shown and logged without harm."""

from __future__ import annotations

import unicodedata

_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories: control, format (invisible, or reversing the direction), half of a pair, private, unassigned,
line and paragraph separators. PostgreSQL refuses NUL, UTF-8 refuses halves, a terminal obeys controls."""

MOST_SHOWN = 80


def first_refused(text: str) -> str:
    """The first character that is not allowed, named like `U+0000`; "" when there is none."""
    for position, character in enumerate(text):
        if unicodedata.category(character) in _REFUSED:
            return f"U+{ord(character):04X} at position {position + 1}"
    return ""


def printable(text: str) -> str:
    """`text`, if every character of it is printable.

    Raises:
        ValueError: it has another one; the sentence names it and its place.
    """
    refused = first_refused(text)
    if refused:
        raise ValueError(f"the character {refused} is not allowed; printable characters are")
    return text


def shown(value: object) -> str:
    """A refused value as a sentence may show it: short, and without a character that would do harm."""
    text = str(value)
    cut = text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
    return "".join(
        f"\\u{ord(character):04x}" if unicodedata.category(character) in _REFUSED else character for character in cut
    )
