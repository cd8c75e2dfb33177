"""Decision journals of two runs side by side (P3): the same market must lead to the same decisions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import psycopg

from actors.memory_store import MemoryStore
from statemachines.values import ActorName

_VERSION = re.compile(r"portfolio (version )?\d+")


class Line(NamedTuple):
    """One decision without what may differ between runtimes (recording time, identities of messages)."""

    market_ms: int
    machine: str
    trigger: str
    source: str
    dest: str
    reason: str


Journals = Mapping[str, Sequence[Line]]


def from_memory(store: MemoryStore) -> Journals:
    """The decisions of a run in process, per actor."""
    return {
        str(actor): [
            Line(
                line.market_ms, line.note.machine, line.note.trigger, line.note.source, line.note.dest, line.note.reason
            )
            for line in store.journal(actor)
            if line.note.kind == "decision"
        ]
        for actor in ActorName
    }


def from_database(url: str) -> Journals:
    """The decisions of a run on PostgreSQL, per actor, in the order in which they were committed."""
    found: dict[str, list[Line]] = {str(actor): [] for actor in ActorName}
    query = """SELECT actor, market_ms, machine, trigger, source, dest, reason FROM journal
               WHERE kind = 'decision' ORDER BY id"""
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


def first_difference(ours: Journals, theirs: Journals, until_ms: int, leave_out: frozenset[str] = frozenset()) -> str:
    """The earliest decision before `until_ms` that the two do not share, as a sentence; "" when there is none."""
    found: list[tuple[int, str]] = []
    for actor in sorted(set(ours) | set(theirs) - leave_out):
        if actor in leave_out:
            continue
        left = [line for line in ours.get(actor, ()) if line.market_ms < until_ms]
        right = [line for line in theirs.get(actor, ()) if line.market_ms < until_ms]
        for number in range(max(len(left), len(right))):
            one = left[number] if number < len(left) else None
            other = right[number] if number < len(right) else None
            if one != other:
                at = min(line.market_ms for line in (one, other) if line is not None)
                found.append((at, f"{actor}, decision {number}: {one} against {other}"))
                break
    return min(found)[1] if found else ""
