"""STYLE, "English": plain, modern, no personified parts. A word that has a better replacement is refused."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.citations import Named, without_code

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("statemachines", "actors", "orchestrator", "infra", "api", "eternal", "benchmarks")
"""Packages whose comments, docstrings and messages are checked; the others follow as their texts are revised."""
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    if path.name not in ("rulings.md", "specification.md", "specification.ru.md")
)
"""Without the requirements and rulings, which are quoted as they were given."""

BETTER: dict[str, str] = {
    "whoever": "name the component or the reader",
    "somebody|everybody|anybody|nobody": "name the component, or 'no component'",
    "forgets?|forgotten|forgive[sn]?": "discards, resets, clears",
    "tells?|told": "reports, passes, states, informs",
    "wants|wish|wishes": "needs, requires, requests",
    "knows": "has, holds, is given",
    "hears?|heard": "receives",
    "goes on|go on|went on": "continues, resumes",
    "says so": "reports it",
    "for ever": "permanently, never",
    "conductor": "lockstep driver",
    "courier": "outbox dispatcher",
    "lanes?": "request queue",
    "brains?": "logic",
    "scouts?": "upcoming deployment",
    "hearing": "reception, start of the message flow",
    "happenings?": "event",
    "revenants?": "resurrected order",
    "storeys?": "layer",
    "an earlier life|this life|its present life": "a previous incarnation, this incarnation",
    "mends?|mended": "fixes, repairs",
    "fell out": "was skipped",
}
"""What is refused, as a regular expression of whole words, and what to write instead."""

DURABLE = frozenset({"told", "revenant", "nobody"})
"""Keys of rows and former keys of requests: renaming one would change stored data. `nobody` is a user of the system."""

_REFUSED = re.compile(rf"\b(?:{'|'.join(BETTER)})\b", re.IGNORECASE)
_CODE = re.compile(r"`[^`\n]*`")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_QUOTES = "\"'"
_TEXTS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def refused_words(text: str) -> Iterator[Named]:
    """Refused words of a text without its code, with their lines."""
    for number, line in enumerate(text.split("\n"), 1):
        for match in _REFUSED.finditer(line):
            yield Named(match[0], number)


def refused_words_of_code(source: str) -> Iterator[Named]:
    """Refused words in comments, docstrings and other texts of a Python module; code in backticks, names in the
    placeholders of an f-string and `DURABLE` keys are not prose."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _TEXTS and token.string.strip(_QUOTES) not in DURABLE:
            prose = _PLACEHOLDER.sub("", _CODE.sub("", token.string))
            for found in refused_words(prose):
                yield Named(found.what, token.start[0] + found.line - 1)


def advice(word: str) -> str:
    """What to write instead of a refused word."""
    return next(better for words, better in BETTER.items() if re.fullmatch(words, word, re.IGNORECASE))


@pytest.mark.parametrize("package", PACKAGES)
def test_code_uses_no_refused_word(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{word.line}: {word.what!r}; better: {advice(word.what)}"
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.parent.name != "versions"  # what a migration has written stays as it is
        for word in refused_words_of_code(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_use_no_refused_word(document: Path) -> None:
    text = without_code(document.read_text(encoding="utf-8"))
    assert [f"{word.what!r}; better: {advice(word.what)}" for word in refused_words(text)] == []


# --- the check itself can fail ---


def test_a_planted_word_is_found() -> None:
    """The story: actors that "want" and "forget" came back with each new module."""
    source = (
        '"""The Brain tells\nwhoever `wants` it."""\n'
        "forgotten = told = 1  # the lane goes on\n"
        'KEY = "told"\n'
        'TEXT = f"nobody {wants} {told!r}"\n'
    )
    assert list(refused_words_of_code(source)) == [
        ("Brain", 1),
        ("tells", 1),
        ("whoever", 2),
        ("lane", 3),
        ("goes on", 3),
        ("nobody", 5),
    ]
    assert [word.what for word in refused_words(without_code("a `courier` and\na conductor\n"))] == ["conductor"]
    assert advice("Goes on") == "continues, resumes"


def test_words_that_only_contain_a_refused_one_pass() -> None:
    assert list(refused_words("planet, unwanted, wished, retold stories, a brainstorm, knowledge, known")) == []
