"""What texts name, as pure functions: requirement and ruling IDs, links, places of a machine, commands."""

from __future__ import annotations

import io
import re
import shlex
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from infra.config.fields import RULE

_ROW = re.compile(r"^\| (?P<id>[A-Z]+-?\d+(?:-[A-Z]+\d+)?) \|", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_MACHINE_PLACE = re.compile(r"(?<![\w.~-])/(?:work|home|root|tmp|Users|mnt|workspace)\b|\.\./shared\b")
_STRINGS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


class Named(NamedTuple):
    """Something that a text names, and where."""

    what: str
    line: int


def defined_ids(text: str) -> set[str]:
    """The IDs that a specification's tables define; a row `L1-L5` defines all five."""
    found: set[str] = set()
    for row in _ROW.finditer(text):
        first, _, last = row["id"].partition("-")
        if last[:1].isalpha():
            letter = first[0]
            found |= {f"{letter}{number}" for number in range(int(first[1:]), int(last[1:]) + 1)}
        else:
            found.add(row["id"])
    return found


def cited_ids(text: str) -> Iterator[Named]:
    """The IDs that a plain text cites."""
    for match in RULE.finditer(text):
        yield Named(match[0], text.count("\n", 0, match.start()) + 1)


def cited_ids_of_code(source: str) -> Iterator[Named]:
    """The IDs in comments, docstrings and other texts of a Python module; names of variables are none."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _STRINGS:
            for named in cited_ids(token.string):
                yield Named(named.what, token.start[0] + named.line - 1)


def without_code(text: str) -> str:
    """The text without its code blocks and code spans."""
    return _CODE.sub("", _FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """The anchors of a Markdown text's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        kept = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        number = 0
        while (anchor := kept if number == 0 else f"{kept}-{number}") in found:
            number += 1
        found.add(anchor)
    return found


def broken_links(file: Path, text: str) -> list[str]:
    """Links of a Markdown file to files or headings that do not exist."""
    found = []
    for match in _LINK.finditer(without_code(text)):
        target = match["target"]
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue  # another site
        place, _, anchor = target.partition("#")
        there = file if not place else (file.parent / unquote(place)).resolve()
        if not there.exists() or (anchor and anchor not in _anchors_of(there)):
            found.append(target)
    return found


def _anchors_of(file: Path) -> set[str]:
    return anchors(file.read_text(encoding="utf-8")) if file.suffix == ".md" else set()


def machine_places(text: str, own: Iterable[str] = ()) -> list[str]:
    """Paths that exist on one machine only; `own` are further ones that must not appear."""
    return [match[0] for match in _MACHINE_PLACE.finditer(text)] + [place for place in own if place in text]


def spans(text: str) -> list[str]:
    """The code spans of a Markdown text."""
    return _CODE.findall(_FENCE.sub("", text))


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The words after `program` of every command that a Markdown text shows, in blocks and in code spans."""
    shown = [line for language, block in _FENCE.findall(text) if language in ("", "sh") for line in block.splitlines()]
    shown += spans(text)
    for line in shown:
        words = shlex.split(line.strip(), comments=True) if line.count('"') % 2 == 0 and "'" not in line else []
        if words[:1] == [program]:
            yield words[1:]
