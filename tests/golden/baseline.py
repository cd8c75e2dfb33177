"""The baseline: digests of a run's lines, kept in the repository in place of the lines (which hold market prices)."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.golden.projection import Group, Projection

FOLDER = Path(__file__).parent / "baseline"
_LINE_BYTES = 3
_LINE_CHARACTERS = 4
"""Of a line's digest 3 bytes are kept (4 characters of base64): enough to find the line, while the digest of the
whole group decides whether anything differs."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """One engine's year: the digest of all its lines and, to find the first difference, a short one of each."""

    digest: str
    lines: str

    def line(self, number: int) -> str:
        return self.lines[number * _LINE_CHARACTERS : (number + 1) * _LINE_CHARACTERS]

    def __len__(self) -> int:
        return len(self.lines) // _LINE_CHARACTERS


Baseline = Mapping[Group, Pinned]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first line of an engine's year that is not the baseline's. `line` is "" where the baseline has more lines."""

    group: Group
    number: int
    line: str
    differing: int
    ours: int
    pinned: int

    def __str__(self) -> str:
        engine, year = self.group
        line = self.line or "(no line: the baseline has more)"
        return (
            f"{engine} {year}: {self.differing:,} of {max(self.ours, self.pinned):,} lines differ, the first is line "
            f"{self.number + 1}:\n    {line}"
        )


def pin(lines: Sequence[str]) -> Pinned:
    """The digests of an engine's year."""
    whole = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return Pinned(whole, "".join(_short(line) for line in lines))


def compare(projection: Projection, baseline: Baseline, is_whole: bool = True) -> list[Difference]:
    """Differences by engine and year, earliest line first. With `is_whole` False the run may have ended early: the
    lines it has must be the first of the baseline's."""
    groups = set(projection) | (set(baseline) if is_whole else set())
    found = [_first(group, projection.get(group, ()), baseline.get(group, pin(())), is_whole) for group in groups]
    differences = [one for one in found if one is not None]
    return sorted(differences, key=lambda one: (one.line or "~", one.group))


def _first(group: Group, lines: Sequence[str], pinned: Pinned, is_whole: bool) -> Difference | None:
    if is_whole and pin(lines).digest == pinned.digest:
        return None
    compared = max(len(lines), len(pinned)) if is_whole else len(lines)
    numbers = [
        number
        for number in range(compared)
        if (_short(lines[number]) if number < len(lines) else "") != pinned.line(number)
    ]
    if not numbers and not is_whole:
        return None
    number = numbers[0] if numbers else 0
    line = lines[number] if number < len(lines) else ""
    return Difference(group, number, line, len(numbers), len(lines), len(pinned))


def load(name: str) -> Baseline:
    """The baseline of this name. Raises FileNotFoundError where none was written yet."""
    rows = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {(row["engine"], row["year"]): Pinned(row["digest"], row["lines"]) for row in rows}


def save(name: str, projection: Projection) -> Path:
    """Write the projection's digests as the baseline of this name."""
    rows = [
        {"engine": engine, "year": year, **_fields(pin(lines))} for (engine, year), lines in sorted(projection.items())
    ]
    path = FOLDER / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")
    return path


def _fields(pinned: Pinned) -> dict[str, str]:
    return {"digest": pinned.digest, "lines": pinned.lines}


def _short(line: str) -> str:
    return b64encode(hashlib.sha256(line.encode()).digest()[:_LINE_BYTES]).decode()
