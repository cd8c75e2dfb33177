"""What the console's sources say, read as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from api.http.console import BUILT

CONSOLE = BUILT.parent
SOURCES = CONSOLE / "src"
DICTIONARY = SOURCES / "lib" / "russian.ts"
SPOKEN = re.compile(r"\bt\('((?:[^'\\]|\\.)*)'")
"""A text that a page shows; what is chosen at run time stands as a string in the same file."""


def pages() -> Iterator[Path]:
    """The files that speak."""
    yield from (path for path in sorted(SOURCES.rglob("*")) if path.suffix in (".svelte", ".ts") and path != DICTIONARY)


def spoken(text: str) -> set[str]:
    """The texts that a source hands to the dictionary."""
    return {found.replace("\\'", "'") for found in SPOKEN.findall(text)}


def known() -> set[str]:
    """The texts that have their Russian."""
    found = re.findall(r"^  (?:'((?:[^'\\]|\\.)*)'|(\w+)): '", DICTIONARY.read_text(encoding="utf-8"), re.MULTILINE)
    return {(quoted or word).replace("\\'", "'") for quoted, word in found}
