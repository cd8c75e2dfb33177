"""English texts of the system in Russian, by the catalogue `russian.json` beside this file.

The core composes English and has no languages; journalled texts stay as they are. The console translates what it shows
by the same rules (`api/console/src/lib/translate.ts`), and a test compares both. No way out of the Python side
translates today: this module is what the catalogue is tested with, and what a way out to a person would import.

The rule. A text is put into Russian only where all of it is known:

- it is an entry of the catalogue, or a template of it each gap of which is known, or such texts joined by `SEPARATORS`;
- a gap is known that holds values alone (numbers, amounts, times, ids, symbols, states in capitals, paths, names of
  settings), a word of the catalogue's list as the whole of it, or a text that is itself known, `DEEPEST` deep at most;
- words of the list alone do not make a template that is not specific known: "position is open" may be a person's;
- what stands in backticks, or directly in quotation marks, is always kept as it is.

Anything else may be what a person wrote and is kept to the letter. It may stand in a gap only of a template that is
`specific`: whose own text has `FEWEST_WORDS` words of four letters or more, so that no sentence of a person is taken
for it by chance. Where not even that holds, joined sentences are judged one by one, and what is left stays English.
The search is bounded by `DEEPEST` and by `MOST_WORK`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

CATALOGUE = Path(__file__).with_name("russian.json")

GAP = re.compile(r"\{(\d+)\}")
WORD = re.compile(r"[A-Za-z]{3,}")
SEPARATORS = {". ": ". ", "; ": "; ", ": ": ": ", " (": " (", ", ": ", ", " and ": " и ", " or ": " или "}
"""Where sentences and lists are cut, with what joins the parts in Russian."""
LEFT = re.compile(r"(?<![A-Za-z0-9_`'\"./@-])[a-z]{2,}(?![A-Za-z0-9_`'\"/@-]|\.[A-Za-z0-9_])")
"""English words of a text: no names of settings, numbers or quoted commands."""
SAME = frozenset({"ms", "maker", "taker", "spot", "linear", "eternal"})
VALUE = re.compile(
    r"[(\['\"]*(?:"
    r"[ -@\[-`{-~\u00b0-\u00b7\u00d7\u2000-\u2bff]*"  # no letters
    r"|[!-~]*[0-9][!-~]*"  # with a digit: amounts, times, ids, rules
    r"|[A-Z][A-Z&/_-]+"  # symbols and states
    r"|[a-z]+(?:[A-Z][a-z]*)+|(?:[A-Z][a-z]+){2,}"  # fields and kinds of the exchange
    r"|[A-Za-z/~.-]*[A-Za-z](?:[._/][A-Za-z_-]+)+/?"  # settings and paths
    r"|`[^`]*`|'[^']*'|[sh%]|ms|maker|taker|spot|linear|eternal"
    r")[)\]'\".,;:]*"
)
"""One part of a gap, between blanks, that is the same in every language."""
FEWEST_WORDS = 3
FEWEST_LETTERS = 16
LONG_WORD = re.compile(r"[A-Za-z]{4,}")
ANY_WORD = re.compile(r"[A-Za-z]{2,}")
"""How much text of its own a template has that may stand around words that are not known."""
DEEPEST = 8
"""How deep a known text may stand in the gap of another one."""
MOST_WORK = 16_000
"""Characters read for one text, those in its gaps counted again."""
EACH = 40
"""What reading a text costs beside its length."""
LONGEST = 4000
KEPT = 20_000
TOGETHER = 4
"""Sentences in a row that are looked up as one entry."""
AT_AN_END = re.compile(r"^[,;.:]? +| +$")
"""What joins a piece of a text to the piece before or after it."""
JOINS = (" ", ",", ";", ".", ":")


class Language(StrEnum):
    """What the operator reads."""

    ENGLISH = "en"
    RUSSIAN = "ru"


class Pattern(NamedTuple):
    """A template with gaps between its literals; `weight`: how much of it is text, and the one that says most is tried
    first."""

    weight: int
    literals: Sequence[str]
    gaps: Sequence[int]
    russian: str
    quoted: Sequence[bool]
    """By gap: whether it stands in backticks or quotation marks, as a command does."""
    specific: bool
    """Whether it may stand around words that are not known."""

    def shortest(self, text: str) -> list[str] | None:
        """What stands in the gaps, each as short as can be, from the first on; None: the text is another one. Linear in
        the text, where a regular expression would try every division of it."""
        first, *inner, last = self.literals
        at, end, found = len(first), len(text) - len(last), []
        if at > end or not (text.startswith(first) and text.endswith(last)):
            return None
        for literal in inner:
            place = text.find(literal, at, end)
            if place < 0:
                return None
            found.append(text[at:place])
            at = place + len(literal)
        return [*found, text[at:end]]

    def longest(self, text: str) -> list[str] | None:
        """The same with the first gaps as long as can be."""
        first, *inner, last = self.literals
        begin, at, found = len(first), len(text) - len(last), []
        if begin > at or not (text.startswith(first) and text.endswith(last)):
            return None
        for literal in reversed(inner):
            place = text.rfind(literal, begin, at)
            if place < 0:
                return None
            found.append(text[place + len(literal) : at])
            at = place
        return [text[begin:at], *reversed(found)]


class Translator:
    """Says texts in Russian by the rule of this module."""

    def __init__(self, texts: Mapping[str, str], words: Mapping[str, str]) -> None:
        self._words = frozenset(words)
        self._exact: dict[str, str] = {}
        self._by_word: dict[str, list[Pattern]] = {}
        for english, russian in {**words, **dict(_pieces(texts)), **texts}.items():
            if GAP.search(english):
                anchor = max(WORD.findall(GAP.sub("\n", english)) or [""], key=len)
                self._by_word.setdefault(anchor, []).append(_pattern(english, russian))
            else:
                self._exact[english] = russian
        self._said: dict[str, str] = {}
        self._known: dict[str, str | None] = {}
        self._work_left = 0

    def say(self, text: str) -> str:
        """The text in Russian; what the catalogue does not hold stays as it is."""
        if not text or len(text) > LONGEST:
            return text
        if text not in self._said:
            self._known, self._work_left = {}, MOST_WORK
            if len(self._said) > KEPT:
                self._said.clear()
            self._said[text] = self._best(text)
        return self._said[text]

    def _best(self, text: str) -> str:
        return (
            self._whole(text, 0)
            or self._framed(text, _is_one_sentence)
            or self._by_sentence(text)
            or self._framed(text, _is_any)
            or text
        )

    def knows(self, text: str) -> bool:
        """Whether all of the text is known."""
        self._known, self._work_left = {}, MOST_WORK
        return self._whole(text, 0) is not None

    def _whole(self, text: str, depth: int) -> str | None:
        """The text in Russian, if all of it is known."""
        if text in self._exact:
            return self._exact[text]
        if is_value(text):
            return text
        if text in self._known:
            return self._known[text]
        self._work_left -= len(text) + EACH
        if depth > DEEPEST or self._work_left < 0:
            return None
        self._known[text] = None  # while it is being read
        self._known[text] = next((one for one in self._readings(text, depth) if one is not None), None)
        return self._known[text]

    def _readings(self, text: str, depth: int) -> Iterator[str | None]:
        for pattern in self._candidates(text):
            for values in _divisions(pattern, text):
                yield self._fill(pattern, values, depth)
        for other, back in _other_ends(text):
            said = self._whole(other, depth + 1)
            yield None if said is None else back(said)
        for separator, russian in SEPARATORS.items():
            for before, found, after in dict.fromkeys((text.partition(separator), text.rpartition(separator))):
                if found and before.count("`") % 2 == 0:
                    yield self._joined(before, russian, after, depth + 1)
                    if separator in (". ", ": "):
                        yield self._joined(before + separator[0], " ", after, depth + 1)

    def _joined(self, before: str, russian: str, after: str, depth: int) -> str | None:
        first = self._whole(before, depth)
        second = None if first is None else self._whole(after, depth)
        return None if first is None or second is None else first + russian + second

    def _candidates(self, text: str) -> list[Pattern]:
        found = list(self._by_word.get("", ()))
        for word in dict.fromkeys(WORD.findall(text)):
            found.extend(self._by_word.get(word, ()))
        return sorted((one for one in found if one.shortest(text) is not None), key=lambda one: -one.weight)

    def _fill(
        self, pattern: Pattern, values: Sequence[str], depth: int, free: Callable[[str], bool] | None = None
    ) -> str | None:
        """The template's Russian with what stands in its gaps; `free`: which text may stand there unknown."""
        said: dict[int, str] = {}
        if not pattern.specific and self._words.issuperset(values):
            return None
        for gap, value, is_quoted in zip(pattern.gaps, values, pattern.quoted, strict=True):
            known = value if is_quoted else None if value.count("`") % 2 else self._whole(value, depth + 1)
            if known is None and (free is None or value.count("`") % 2 or not free(value)):
                return None
            said[gap] = value if known is None else known
        return GAP.sub(lambda found: said[int(found[1])], pattern.russian)

    def _framed(self, text: str, free: Callable[[str], bool]) -> str | None:
        """The text by a specific template around words that are not known."""
        ends: list[tuple[str, Callable[[str], str]]] = [(text, str), *_other_ends(text)]
        for other, back in ends:
            self._work_left -= len(text) + EACH
            for pattern in self._candidates(other) if self._work_left > 0 else ():
                for values in _divisions(pattern, other) if pattern.specific else ():
                    self._work_left -= len(text)
                    said = self._fill(pattern, values, 0, free)
                    if said is not None:
                        return back(said)
        return None

    def _by_sentence(self, text: str) -> str | None:
        """Joined sentences, each or a few together judged by itself; None where none of them is known."""
        parts = text.split(". ")
        ends = [f"{one}." for one in parts[:-1]] + parts[-1:]
        said, at, is_known = [], 0, False
        while at < len(ends):
            group, found, count = ends[at], None, 1
            for count in range(min(TOGETHER, len(ends) - at), 0, -1):
                group = " ".join(ends[at : at + count])
                found = None if group == text else self._whole(group, 1) or self._framed(group, _is_one_sentence)
                if found is not None:
                    is_known = is_known or found != group
                    break
            said.append(group if found is None else found)
            at += count
        return " ".join(said) if is_known else None


def is_value(text: str) -> bool:
    """Whether a text is values alone, the same in every language."""
    return all(VALUE.fullmatch(one) for one in text.split(" "))


def _is_one_sentence(text: str) -> bool:
    return ". " not in text


def _is_any(_: str) -> bool:
    return True


def _divisions(pattern: Pattern, text: str) -> Iterator[list[str]]:
    yield pattern.shortest(text) or []
    if len(pattern.gaps) > 1:
        yield pattern.longest(text) or []


def _other_ends(text: str) -> Iterator[tuple[str, Callable[[str], str]]]:
    """The text as it stands within another one, with the way back."""
    if re.match(r"[A-Z][a-z]", text):
        yield text[0].lower() + text[1:], lambda said: said[:1].upper() + said[1:]
    if text.endswith((".", ")")):
        yield text[:-1], lambda said: said + text[-1]


def _pieces(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A piece that is joined to another one is known by itself and with what it is joined to; a template of its own
    comes before that."""
    for english, russian in texts.items():
        if AT_AN_END.search(english):
            yield AT_AN_END.sub("", english), AT_AN_END.sub("", russian)
            before, after = "{0}" * english.startswith(JOINS), "{0}" * (english[-1] == " " and english[0] not in JOINS)
            yield before + english + after, before + russian + after


def _pattern(english: str, russian: str) -> Pattern:
    parts = GAP.split(english)
    literals, quoted, own = parts[::2], [], ""
    for before, after in pairwise(literals):
        own += before
        is_command = own.count("`") % 2 == 1
        quoted.append(is_command or before[-1:] == after[:1] in ("'", '"'))
    gaps = [int(one) for one in parts[1::2]]
    return Pattern(sum(map(len, literals)), literals, gaps, russian, quoted, _is_specific(literals))


def _is_specific(literals: Sequence[str]) -> bool:
    own = "\n".join(literals)
    words = LONG_WORD.findall(own)
    if len(words) >= FEWEST_WORDS:
        return True
    begins = LONG_WORD.search(literals[0]) is not None and len(ANY_WORD.findall(own)) >= FEWEST_WORDS
    return begins and len(words) > 1 and sum(map(len, words)) >= FEWEST_LETTERS


@cache
def russian() -> Translator:
    """The translator of the shipped catalogue."""
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return Translator(catalogue["texts"], catalogue["words"])


def in_language(text: str, language: Language) -> str:
    """A text of the system as a person reads it."""
    return russian().say(text) if language is Language.RUSSIAN else text
