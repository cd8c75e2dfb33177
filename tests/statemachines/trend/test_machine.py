"""TR-15: the table of TREND against the specification's diagram."""

from __future__ import annotations

import pytest

from statemachines.fsm import IllegalTransitionError
from statemachines.trend.machine import TREND_TABLE, TrendMachine, TrendState

SPEC = {
    ("SCANNING", "SIGNAL_DETECTED"),
    ("SIGNAL_DETECTED", "ENTRY"),
    ("ENTRY", "IN_POSITION"),
    ("IN_POSITION", "EXIT"),
    ("EXIT", "SCANNING"),
    ("SIGNAL_DETECTED", "NO_TRADE"),
    ("NO_TRADE", "SCANNING"),
    ("ENTRY", "STOP_TRIGGERED"),
    ("IN_POSITION", "STOP_TRIGGERED"),
    ("STOP_TRIGGERED", "EXIT"),
    ("IN_POSITION", "TRAILING_STOP"),
    ("TRAILING_STOP", "EXIT"),
}
REAL_WORLD = {
    ("ENTRY", "NO_TRADE"): "denied",
    ("ENTRY", "EXIT"): "stop cannot be held",
    ("SCANNING", "EXIT"): "fill after the entry's end",
}
RUSSIAN = {
    "SCANNING": "СКАНИРОВАНИЕ",
    "SIGNAL_DETECTED": "СИГНАЛ_ОБНАРУЖЕН",
    "ENTRY": "ВХОД",
    "IN_POSITION": "В_ПОЗИЦИИ",
    "EXIT": "ВЫХОД",
    "NO_TRADE": "НЕТ_СДЕЛКИ",
    "STOP_TRIGGERED": "СТОП_СРАБОТАЛ",
    "TRAILING_STOP": "TRAILING_STOP",
}


def test_the_table_is_the_diagram_plus_what_the_real_world_forces() -> None:
    arrows = {(row.source.value, row.dest.value) for row in TREND_TABLE.rows}
    assert arrows == SPEC | set(REAL_WORLD)
    for row in TREND_TABLE.rows:
        assert REAL_WORLD.get((row.source.value, row.dest.value), "") in row.why


def test_the_states_carry_the_specifications_names() -> None:
    assert {state.value: name for state, name in TREND_TABLE.russian.items()} == RUSSIAN
    assert TREND_TABLE.initial is TrendState.SCANNING


@pytest.mark.parametrize("state", list(TrendState))
def test_every_trigger_outside_the_table_is_refused_and_changes_nothing(state: TrendState) -> None:
    """EX-2 for the machine: an illegal arrow raises and leaves the state alone."""
    machine = TrendMachine.restored("BTC", state)
    for trigger in {row.trigger for row in TREND_TABLE.rows} - TREND_TABLE.triggers(state):
        with pytest.raises(IllegalTransitionError, match=trigger):
            machine.fire(trigger, "", {})
    assert machine.state is state


def test_a_decision_returns_its_journal_line() -> None:
    """P5: source, destination, reason and numbers of every transition."""
    machine = TrendMachine("BTC")
    note = machine.detect("TR-3: long", {"close": "100"})
    assert (note.machine, note.source, note.dest, note.trigger) == ("BTC", "SCANNING", "SIGNAL_DETECTED", "detect")
    assert note.reason == "TR-3: long" and note.data == {"close": "100"}
    assert machine.remark("cut", "TR-13", {}).source == machine.state.value


def test_every_state_can_get_back_to_scanning() -> None:
    reach = {TrendState.SCANNING}
    while True:
        more = reach | {row.source for row in TREND_TABLE.rows if row.dest in reach}
        if more == reach:
            break
        reach = more
    assert reach == set(TrendState)
