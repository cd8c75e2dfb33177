"""The one state machine owns its state, moves along its table only, and no firing escapes the journal (EX-2, P3)."""

from __future__ import annotations

import ast
import gc
import weakref
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from transitions import MachineError

from actors.runtime.registry import MACHINES, table_of
from statemachines.fsm import IllegalTransitionError, Row, StateMachine, Table, UnknownStateError

TABLES = {name: table_of(name) for name in MACHINES}

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("statemachines", "actors", "orchestrator", "api", "infra")


class Door(StrEnum):
    OPEN = "OPEN"
    SHUT = "SHUT"


DOOR_TABLE: Table[Door] = Table(
    "door",
    Door.SHUT,
    [Row("pull", Door.SHUT, Door.OPEN, "a test"), Row("push", Door.OPEN, Door.SHUT, "a test")],
    {Door.OPEN: "Открыта", Door.SHUT: "Закрыта"},
)


class DoorMachine(StateMachine[Door]):
    __slots__ = ()
    TABLE = DOOR_TABLE


def test_a_firing_answers_the_journal_entry_with_reason_and_numbers() -> None:
    door = DoorMachine("front")
    entry = door.fire("pull", "2 people wait", {"people": 2})
    assert door.state is Door.OPEN
    assert (entry.KIND, entry.table, entry.machine) == ("transition", "door", "front")
    assert (entry.trigger, entry.source, entry.dest) == ("pull", "SHUT", "OPEN")
    assert (entry.reason, entry.data) == ("2 people wait", {"people": 2})


@pytest.mark.parametrize("arguments", [("pull",), ("pull", "a reason without its numbers")])
def test_a_firing_without_reason_or_numbers_is_no_firing(arguments: tuple[str, ...]) -> None:
    door = DoorMachine("front")
    fire: Any = door.fire
    with pytest.raises(TypeError):
        fire(*arguments)
    assert door.state is Door.SHUT


@pytest.mark.parametrize("trigger", ["push", "no such trigger"])
def test_a_trigger_outside_the_table_changes_nothing(trigger: str) -> None:
    door = DoorMachine("front")
    with pytest.raises(IllegalTransitionError, match=trigger):
        door.fire(trigger, "", {})
    assert door.state is Door.SHUT


@pytest.mark.parametrize("name", TABLES)
def test_a_table_leads_where_the_library_leads(name: str) -> None:
    """The library is asked once, when the table is built: every pair of trigger and state has its answer."""
    table = TABLES[name]

    class Model:
        state: Any = None

    for trigger in table.machine.events:
        for source in table.states:
            model = Model()
            model.state = source
            try:
                table.machine.events[trigger].trigger(model)
            except MachineError:
                assert table.after(trigger, source) is None
            else:
                assert table.after(trigger, source) is model.state
    assert table.after("no such trigger", table.initial) is None


def test_the_state_cannot_be_assigned() -> None:
    door: Any = DoorMachine("front")
    with pytest.raises(AttributeError):
        door.state = Door.OPEN
    assert door.state is Door.SHUT


def test_a_durable_row_is_taken_back_only_with_a_state_of_the_table() -> None:
    assert DoorMachine.restored("front", "OPEN").state is Door.OPEN
    with pytest.raises(UnknownStateError, match=r"'AJAR'.*OPEN"):
        DoorMachine.restored("front", "AJAR")


def test_a_remark_is_no_transition() -> None:
    remark = DoorMachine("front").remark("knock", "3 times", {"times": 3})
    assert (remark.KIND, remark.table, remark.source, remark.dest) == ("remark", "", "SHUT", "SHUT")


def test_objects_of_one_table_do_not_share_a_state_and_are_not_kept_by_it() -> None:
    """A backtest makes hundreds of thousands of orders: the shared machine must not hold a single one."""
    one, other = DoorMachine("one"), DoorMachine("other")
    entry = one.fire("pull", "", {})
    assert (one.state, other.state, entry.machine) == (Door.OPEN, Door.SHUT, "one")
    watch = weakref.ref(one)
    del one
    gc.collect()
    assert watch() is None and not DOOR_TABLE.machine.models


def test_a_table_with_two_rows_for_one_trigger_and_state_is_refused() -> None:
    rows = [Row("pull", Door.SHUT, Door.OPEN, ""), Row("pull", Door.SHUT, Door.SHUT, "")]
    with pytest.raises(ValueError, match="pull"):
        Table("door", Door.SHUT, rows, {Door.OPEN: "Открыта", Door.SHUT: "Закрыта"})


def test_every_kind_of_machine_is_documented_under_its_own_name() -> None:
    def kinds(of: type[StateMachine[Any]]) -> Iterator[type[StateMachine[Any]]]:
        for kind in of.__subclasses__():
            yield kind
            yield from kinds(kind)

    ours = [kind for kind in kinds(StateMachine) if not kind.__module__.startswith("tests.")]
    assert len(ours) >= 18
    assert {kind.TABLE.name for kind in ours} == {table.name for table in TABLES.values()}
    assert len({table.name for table in TABLES.values()}) == len(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_every_table_says_why_and_every_state_has_a_text_and_can_be_reached(name: str) -> None:
    table = TABLES[name]
    assert all(row.why for row in table.rows)
    assert all(isinstance(state.value, str) and table.russian[state] for state in table.states)
    assert {table.initial} | {row.dest for row in table.rows} == set(table.states.__members__.values())


@cache
def modules() -> Mapping[str, ast.Module]:
    files = [path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py"))]
    return {str(path.relative_to(REPOSITORY)): ast.parse(path.read_text()) for path in files}


def called(call: ast.expr) -> str:
    """The name of what is called; "" for anything else."""
    function = call.func if isinstance(call, ast.Call) else None
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def dropped(tree: ast.Module, answering: set[str]) -> list[int]:
    """Lines on which what one of these functions answers is thrown away."""
    return [one.lineno for one in ast.walk(tree) if isinstance(one, ast.Expr) and called(one.value) in answering]


def test_no_journal_entry_is_dropped() -> None:
    """Every call of something that answers with journal entries is used: returned, kept or handed on."""
    trees = modules()
    answers: dict[str, set[bool]] = {}
    for one in (one for tree in trees.values() for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)):
        if one.returns is not None:
            answers.setdefault(one.name, set()).add("Journal" in ast.unparse(one.returns))
    answering = {name for name, found in answers.items() if found == {True}}
    assert {"fire", "next_stage", "detect", "decline", "begin_day"} <= answering
    found = {path: lines for path, tree in trees.items() if (lines := dropped(tree, answering))}
    assert found == {}


def test_a_dropped_entry_would_be_found() -> None:
    """The check above bites: a firing that stands alone is one that the journal never hears of."""
    assert dropped(ast.parse("machine.fire('a', 'b', {})\nentry = machine.fire('a', 'b', {})"), {"fire"}) == [1]


def test_only_the_state_machine_makes_entries_and_touches_its_state() -> None:
    """A transition in the journal that no table has, or a state set past its table, cannot be written elsewhere."""
    makers = {
        p
        for p, tree in modules().items()
        for one in ast.walk(tree)
        if isinstance(one, ast.Call) and called(one) == "JournalEntry"
    }
    assert makers == {"statemachines/fsm.py"}
    setters = {
        path
        for path, tree in modules().items()
        for one in ast.walk(tree)
        if isinstance(one, ast.Attribute) and one.attr == "_state" and isinstance(one.ctx, ast.Store)
        if path.startswith("statemachines/")
    }
    assert setters == {"statemachines/fsm.py", "statemachines/risk/machine.py"}
