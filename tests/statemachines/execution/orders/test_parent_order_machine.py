"""EX-1: the life of an approved intent has a table of its own; rows of the version without it are taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from statemachines.actor_logic import StateRow
from statemachines.commands import JournalEntry
from statemachines.execution.context import DIALECT, ExecutionContext
from statemachines.execution.orders.parent_order import ParentOrder
from statemachines.execution.orders.parent_order_machine import ENDED, PARENT_TABLE, ParentOrderState
from statemachines.execution.parameters import OrderParameters
from statemachines.messages.orders import Withdraw
from statemachines.state_store import UnreadableRowError, restore
from statemachines.values import ActorName
from tests.statemachines.execution.rig import Rig, maker

S = ParentOrderState


def test_an_ended_intent_moves_no_more_and_every_live_one_can_end() -> None:
    assert not {row.source for row in PARENT_TABLE.rows} & ENDED
    for state in set(S) - ENDED:
        assert {row.dest for row in PARENT_TABLE.rows if row.source is state} & ENDED


def test_the_journal_tells_the_life_of_a_withdrawn_quote() -> None:
    """HELD until the account is reconciled, WORKING at the exchange, STOPPING until the exchange has cancelled it."""
    rig = Rig()
    rig.approve(**maker())
    rig.start().settle()
    rig.tell(Withdraw(intent_id="core-hodl-1", engine=ActorName.CORE_HODL, reason="the plan has changed"))
    rig.settle()
    entries = [note for note in rig.notes if isinstance(note, JournalEntry) and note.table == "parent-order"]
    assert [(one.trigger, one.source, one.dest) for one in entries] == [
        ("place", "HELD", "WORKING"),
        ("withdraw", "WORKING", "STOPPING"),
        ("cancelled", "STOPPING", "CANCELLED"),
    ]
    assert "the plan has changed" in entries[1].reason and entries[2].data["filled"] == "0"
    assert rig.rows["parent:0"].state == "CANCELLED"


@dataclass
class Old:
    """A row of schema 1: the state was a text that followed from the data."""

    state: str
    changes: dict[str, Any]
    now: ParentOrderState


OLD = [
    Old("HELD", {"order": None, "wants_child": True}, S.HELD),
    Old("CANCELLED", {"wants_child": True}, S.HELD),
    Old("OPEN", {}, S.WORKING),
    Old("PENDING_CANCEL", {"withdrawn": "the plan has changed"}, S.STOPPING),
    Old("PENDING_CANCEL", {"is_expired": True}, S.STOPPING),
    Old("HELD", {"order": None, "wants_child": True, "withdrawn": "no more"}, S.STOPPING),
    Old("ENDED FILLED", {"ended_number": 3, "outcome": "FILLED"}, S.FILLED),
    Old("ENDED EXPIRED", {"ended_number": 3, "outcome": "EXPIRED", "is_expired": True}, S.EXPIRED),
    Old("ENDED DENIED", {"ended_number": 3, "outcome": "DENIED", "order": None}, S.DENIED),
]


def row_of(old: Old) -> StateRow:
    rig = Rig().start()
    rig.approve(**maker())
    rig.settle()
    data = {**rig.rows["parent:0"].data, "outcome": ""} | old.changes
    return StateRow("parent:0", old.state, 1, data)


def restored(row: StateRow) -> ParentOrder:
    context = ExecutionContext("abc123", OrderParameters())
    restore("order-manager", context, {row.key: row}, DIALECT)
    parents = context.parents
    (parent,) = parents.known()
    assert list(parents.live()) == ([] if parent.is_ended else [parent])
    return parent


@pytest.mark.parametrize("old", OLD, ids=lambda old: f"{old.state}-{old.now}")
def test_a_row_of_the_version_without_the_table_is_taken_back(old: Old) -> None:
    parent = restored(row_of(old))
    assert parent.state is old.now
    again = restored(StateRow("parent:0", parent.state.value, 2, parent.as_data()))
    assert again.state is old.now and again.as_data() == parent.as_data()


def test_a_row_of_a_later_version_or_with_a_state_outside_the_table_is_refused() -> None:
    row = row_of(OLD[2])
    with pytest.raises(UnreadableRowError, match="schema 3"):
        restored(row._replace(schema=3))
    data = dict(row.data)
    del data["outcome"]
    with pytest.raises(UnreadableRowError, match=r"row 'parent:0' of order-manager cannot be read .*'OPEN' is not one"):
        restored(StateRow("parent:0", "OPEN", 2, data))
