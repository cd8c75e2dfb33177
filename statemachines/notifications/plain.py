"""Text of others on one line: what a receiver answers goes into rows, the journal and messages to people."""

from __future__ import annotations

CONTROLS = {code: " " for code in (*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029)}
"""Line breaks and control characters: a title is one line on every channel, and the database takes no NUL."""

BIDI = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), None)
"""Characters that turn the direction of text around: what is shown would not be what is there."""

SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
"""Halves of a character, which some readers of JSON let through: no database and no channel takes them."""

_REPLACED = CONTROLS | BIDI | SURROGATES


def one_line(text: str) -> str:
    """The text without line breaks and control characters."""
    return " ".join(text.translate(_REPLACED).split())


def shortened(text: str, most: int) -> str:
    """The text within a number of characters, with a mark where it was cut."""
    return text if len(text) <= most else f"{text[: max(most - 1, 0)].rstrip()}…"
