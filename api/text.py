"""The one judge of text that people send: what may be stored, shown and logged without harm."""

from __future__ import annotations

import unicodedata

from statemachines.limits.operator_actions import LEAST_REASON

_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories: control, format (invisible, or reversing the direction), half of a pair, private, unassigned,
line and paragraph separators. PostgreSQL refuses NUL, UTF-8 refuses halves, a terminal obeys controls."""

MAX_SHOWN = 80


def first_refused(text: str) -> str:
    """The first character that is not allowed, named like `U+0000`; "" when there is none."""
    for position, character in enumerate(text):
        if unicodedata.category(character) in _REFUSED:
            return f"U+{ord(character):04X} at position {position + 1}"
    return ""


_EMPTY = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that are drawn as nothing: fillers of Hangul, the Braille pattern without dots."""


def is_blank(text: str) -> bool:
    """Whether nothing of it can be seen: spaces of any kind, fillers, marks without a letter to stand on."""
    return all(
        character in _EMPTY or character.isspace() or unicodedata.category(character)[0] in "ZMC" for character in text
    )


def is_reason(text: str) -> bool:
    """Whether it says enough to be a reason: spaces around it do not count."""
    return len(text.strip()) >= LEAST_REASON and not is_blank(text)


def printable(text: str) -> str:
    """`text`, if every character of it is printable.

    Raises:
        ValueError: it has another one; the sentence names it and its place.
    """
    refused = first_refused(text)
    if refused:
        raise ValueError(f"the character {refused} is not allowed; printable characters are")
    return text


def quoted(value: object) -> str:
    """`shown` between quotation marks (repr would escape what is escaped already)."""
    return f"'{shown(value)}'"


def shown(value: object) -> str:
    """A refused value as a sentence may show it: short, and without a character that would do harm."""
    text = str(value)
    cut = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    return "".join(
        f"\\u{ord(character):04x}" if unicodedata.category(character) in _REFUSED else character for character in cut
    )
