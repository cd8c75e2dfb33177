"""English texts of the system in Russian, by the catalogue `russian.json` beside this file.

The core composes English and has no languages; journalled texts stay as they are. A way out to a person translates
what it shows. The console reads the same catalogue by the same rules (`console/src/lib/translate.ts`); a test compares
both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple

CATALOGUE = Path(__file__).with_name("russian.json")

GAP = re.compile(r"\{(\d+)\}")
WORD = re.compile(r"[A-Za-z]{3,}")
SEPARATORS = {". ": ". ", "; ": "; ", ": ": ": ", " (": " (", ", ": ", ", " and ": " и ", " or ": " или "}
"""Where sentences and lists are cut, with what joins the parts in Russian."""
LEFT = re.compile(r"(?<![A-Za-z0-9_`'\"./@-])[a-z]{2,}(?![A-Za-z0-9_`'\"/@-]|\.[A-Za-z0-9_])")
"""English words that are still to be translated: no names of settings, numbers or quoted commands."""
SAME = frozenset({"ms", "maker", "taker", "spot", "linear", "eternal"})
MOST_WORK = 400
"""Readings of one text; a longer search finds no better one."""
LONGEST = 4000
KEPT = 20_000
AT_AN_END = re.compile(r"^[,;.:]? +| +$")
"""What joins a piece of a text to the piece before or after it."""
JOINS = (" ", ",", ";", ".", ":")
SPLIT = 0.1
"""What a reading costs by which a sentence begins or ends within a gap that is not the last."""


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

    @property
    def is_open(self) -> bool:
        """Whether it ends in a gap."""
        return not self.literals[-1]

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


class Reading(NamedTuple):
    """A text in Russian; `left`: how many words of it are still English."""

    text: str
    left: float


class Translator:
    """A text is matched as a whole, what stands in its gaps is translated in turn, and of several readings the one that
    leaves the fewest English words is taken."""

    def __init__(self, texts: Mapping[str, str], words: Mapping[str, str]) -> None:
        self._exact: dict[str, str] = {}
        self._by_word: dict[str, list[Pattern]] = {}
        for english, russian in {**words, **dict(_pieces(texts)), **texts}.items():
            if GAP.search(english):
                anchor = max(WORD.findall(GAP.sub("\n", english)) or [""], key=len)
                self._by_word.setdefault(anchor, []).append(_pattern(english, russian))
            else:
                self._exact[english] = russian
        self._said: dict[str, str] = {}
        self._known: dict[str, Reading] = {}
        self._work_left = 0

    def say(self, text: str) -> str:
        """The text in Russian; what the catalogue does not hold stays as it is."""
        if not text or len(text) > LONGEST:
            return text
        if text not in self._said:
            self._known, self._work_left = {}, MOST_WORK
            if len(self._said) > KEPT:
                self._said.clear()
            self._said[text] = self._read(text).text
        return self._said[text]

    def left(self, text: str) -> int:
        """How many words of the text stay English."""
        self._known, self._work_left = {}, MOST_WORK
        return int(self._read(text).left)

    def _read(self, text: str) -> Reading:
        if text not in self._known:
            self._known[text] = Reading(text, _left(text))  # while it is being read
            self._known[text] = self._best(text)
        return self._known[text]

    def _best(self, text: str) -> Reading:
        if text in self._exact:
            return Reading(self._exact[text], 0)
        best = Reading(text, _left(text))
        self._work_left -= 1
        if not best.left or self._work_left < 0:
            return best
        for found in self._readings(text):
            if found.left < best.left:
                best = found
            if not best.left:
                break
        return best

    def _readings(self, text: str) -> Iterator[Reading]:
        for pattern in self._candidates(text):
            yield self._fill(pattern, pattern.shortest(text) or [])
            if len(pattern.gaps) > 1:
                yield self._fill(pattern, pattern.longest(text) or [])
        yield from self._cuts(text)

    def _candidates(self, text: str) -> list[Pattern]:
        found = list(self._by_word.get("", ()))
        for word in dict.fromkeys(WORD.findall(text)):
            found.extend(self._by_word.get(word, ()))
        return sorted((one for one in found if one.shortest(text) is not None), key=lambda one: -one.weight)

    def _fill(self, pattern: Pattern, values: Sequence[str]) -> Reading:
        readings = {gap: self._read(value) for gap, value in zip(pattern.gaps, values, strict=True)}
        said = GAP.sub(lambda found: readings[int(found[1])].text, pattern.russian)
        inner = values[: -1 if pattern.is_open else None]
        return Reading(said, sum(one.left for one in readings.values()) + SPLIT * sum(": " in one for one in inner))

    def _cuts(self, text: str) -> Iterator[Reading]:
        """The text cut where sentences and lists are cut, each part for itself."""
        if re.match(r"[A-Z][a-z]", text):
            small = self._read(text[0].lower() + text[1:])
            yield Reading(small.text[:1].upper() + small.text[1:], small.left)
        if text.endswith((".", ")")):
            inner = self._read(text[:-1])
            yield Reading(inner.text + text[-1], inner.left)
        for separator, russian in SEPARATORS.items():
            for before, found, after in dict.fromkeys((text.partition(separator), text.rpartition(separator))):
                if found:
                    first, second = self._read(before), self._read(after)
                    yield Reading(first.text + russian + second.text, first.left + second.left)


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
    literals = parts[::2]
    return Pattern(sum(len(one) for one in literals), literals, [int(one) for one in parts[1::2]], russian)


def _left(text: str) -> int:
    return sum(word not in SAME for word in LEFT.findall(text))


@cache
def russian() -> Translator:
    """The translator of the shipped catalogue."""
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return Translator(catalogue["texts"], catalogue["words"])


def in_language(text: str, language: Language) -> str:
    """A text of the system as a person reads it."""
    return russian().say(text) if language is Language.RUSSIAN else text
