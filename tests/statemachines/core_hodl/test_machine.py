"""CORE-HODL's machine against the specification's diagram (CH-5)."""

from __future__ import annotations

import pytest

from statemachines.core_hodl.machine import TABLE, CoreHodlMachine, CoreState
from statemachines.fsm import IllegalTransitionError

DIAGRAM = {
    ("INITIALIZATION", "ACCUMULATION"),
    ("ACCUMULATION", "REBALANCING"),
    ("REBALANCING", "EARN_OPTIMIZATION"),
    ("EARN_OPTIMIZATION", "ACCUMULATION"),
    ("ACCUMULATION", "INITIALIZATION"),
}


def test_ch5_every_arrow_of_the_diagram_is_there_and_each_further_one_has_its_reason() -> None:
    arrows = {(row.source.name, row.dest.name) for row in TABLE.rows}
    assert arrows >= DIAGRAM
    assert arrows - DIAGRAM == {("ACCUMULATION", "EARN_OPTIMIZATION")}
    assert all(row.why for row in TABLE.rows)


def test_ch5_russian_names_are_the_specifications() -> None:
    assert list(TABLE.russian.values()) == ["ИНИЦИАЛИЗАЦИЯ", "НАКОПЛЕНИЕ", "РЕБАЛАНСИРОВКА", "ОПТИМИЗАЦИЯ_EARN"]


def test_ch5_a_rebalance_walks_through_earn_back_to_accumulation() -> None:
    machine = CoreHodlMachine.restored("ENGINE", CoreState.ACCUMULATION.value)
    notes = [*machine.rebalance("drift", {}), machine.rebalanced("done", {}), machine.optimised("nothing", {})]
    assert [note.dest for note in notes] == ["REBALANCING", "EARN_OPTIMIZATION", "ACCUMULATION"]


def test_c6_a_rebalance_while_a_plan_is_open_goes_through_accumulation() -> None:
    machine = CoreHodlMachine.restored("ENGINE", CoreState.INITIALIZATION.value)
    assert [note.dest for note in machine.rebalance("drift", {})] == ["ACCUMULATION", "REBALANCING"]


def test_ch5_what_the_table_does_not_have_is_refused_and_changes_nothing() -> None:
    machine = CoreHodlMachine.restored("ENGINE", CoreState.INITIALIZATION.value)
    with pytest.raises(IllegalTransitionError):
        machine.rebalanced("nonsense", {})
    assert machine.state is CoreState.INITIALIZATION
