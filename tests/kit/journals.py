"""Decision journals of two runs side by side (P3): the same market must lead to the same decisions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import psycopg

from actors.runtime.memory_store import MemoryStore
from actors.runtime.registry import START_ORDER
from statemachines.values import ENGINES, ActorName

RECOVERING = frozenset(str(name) for name in START_ORDER if name not in ENGINES)
"""Actors whose journals may legally contain a recovery (look-ups, reconciliations): their results are compared."""

_VERSION = re.compile(r"portfolio (version )?\d+")

FOR_EVER = 2**62
"""Market time that no run reaches: compare everything."""


class Line(NamedTuple):
    """One decision without what may differ between runtimes (recording time, identities of messages)."""

    market_ms: int
    machine: str
    trigger: str
    source: str
    dest: str
    reason: str

    def __str__(self) -> str:
        instant = datetime.fromtimestamp(self.market_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return f"{instant} {self.machine}: {self.trigger} {self.source} -> {self.dest} ({self.reason})"


Journals = Mapping[str, Sequence[Line]]


def from_memory(store: MemoryStore) -> Journals:
    """The decisions of a run in process, per actor."""
    return {
        str(actor): [
            Line(
                line.market_ms, line.note.machine, line.note.trigger, line.note.source, line.note.dest, line.note.reason
            )
            for line in store.journal(actor)
            if not line.note.is_bookkeeping
        ]
        for actor in ActorName
    }


def from_database(url: str) -> Journals:
    """The decisions of a run on PostgreSQL, per actor, in the order in which they were committed."""
    found: dict[str, list[Line]] = {str(actor): [] for actor in ActorName}
    query = """SELECT actor, market_ms, machine, trigger, source, dest, reason FROM journal
               WHERE NOT is_bookkeeping ORDER BY id"""
    with psycopg.connect(url) as connection:
        for actor, *line in connection.execute(query):
            found[actor].append(Line(*line))
    return found


def without_versions(journals: Journals) -> Journals:
    """The same without the portfolio's version numbers: a recovery publishes the same portfolio under further ones."""
    return {
        actor: [line._replace(reason=_VERSION.sub("portfolio", line.reason)) for line in lines]
        for actor, lines in journals.items()
    }


def first_difference(
    ours: Journals, theirs: Journals, until_ms: int = FOR_EVER, leave_out: frozenset[str] = frozenset()
) -> str:
    """The earliest decision before `until_ms` (exclusive) that the two do not share, as a sentence with both sides;
    "" when there is none. Actors in `leave_out` are not compared."""
    found: list[tuple[int, str]] = []
    for actor in sorted((set(ours) | set(theirs)) - leave_out):
        left = [line for line in ours.get(actor, ()) if line.market_ms < until_ms]
        right = [line for line in theirs.get(actor, ()) if line.market_ms < until_ms]
        for number in range(max(len(left), len(right))):
            one = left[number] if number < len(left) else None
            other = right[number] if number < len(right) else None
            if one != other:
                at = min(line.market_ms for line in (one, other) if line is not None)
                found.append((at, _sentence(actor, number, one, other)))
                break
    return min(found)[1] if found else ""


def _sentence(actor: str, number: int, one: Line | None, other: Line | None) -> str:
    sides = [str(line) if line is not None else "nothing more" for line in (one, other)]
    return f"Decision {number + 1} of {actor} differs: one run has [{sides[0]}], the other has [{sides[1]}]."
