"""The journal of a whole run: every transition is a row of its machine's table, everything else is a remark (P3)."""

from __future__ import annotations

from collections import Counter

import pytest

from actors.runtime.memory_store import MemoryStore
from actors.runtime.registry import MACHINES, table_of
from statemachines.commands import JournalEntry, Remark
from statemachines.values import ActorName
from tests.simulation.whole import run, synthetic

TABLE_OF_NAME = {name: table_of(name) for name in MACHINES}
BUSY = {
    "core-hodl", "core-hodl-day", "trend", "trend-cycle", "funding", "funding-evaluation", "tactical", "intent",
    "parent-order", "order", "transfer", "movement", "market-data", "daily-cycle", "regime",
}  # fmt: skip
"""Machines that move in any run that trades."""


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    """What a run of 62 days left behind: the first build, interrupted by capital that comes and goes, has ended."""
    return run(synthetic(62))[0]


def test_every_journalled_transition_of_a_run_is_a_row_of_its_machines_table(store: MemoryStore) -> None:
    lines = [line.note for actor in ActorName for line in store.journal(actor)]
    entries = [note for note in lines if isinstance(note, JournalEntry)]
    rows = {
        (name, row.trigger, row.source.value, row.dest.value)
        for name, table in TABLE_OF_NAME.items()
        for row in table.rows
    }
    strays = Counter(
        found for note in entries if (found := (note.table, note.trigger, note.source, note.dest)) not in rows
    )
    assert not strays
    assert {note.table for note in entries} >= BUSY
    remarks = [note for note in lines if not isinstance(note, JournalEntry)]
    assert remarks and all(isinstance(note, Remark) and note.source == note.dest for note in remarks)


def test_each_order_transfer_and_position_goes_through_its_states_without_a_gap(store: MemoryStore) -> None:
    """The next transition of a machine begins where its last one ended: none is missing from the journal."""
    many_under_one_key = {"intent", "usability"}
    stands: dict[tuple[str, str, str], str] = {}
    gaps = []
    for actor in ActorName:
        for line in store.journal(actor):
            note = line.note
            if not isinstance(note, JournalEntry) or note.table in many_under_one_key:
                continue
            key = (actor, note.table, note.machine)
            starts_anew = note.source == TABLE_OF_NAME[note.table].initial.value
            if key in stands and stands[key] != note.source and not starts_anew:
                gaps.append((key, stands[key], note.source, note.trigger))
            stands[key] = note.dest
    assert gaps == []
    assert len(stands) > 100
