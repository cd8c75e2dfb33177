"""FU-10: the table against the specification's diagram."""

from __future__ import annotations

import pytest

from statemachines.fsm import IllegalTransitionError
from statemachines.funding.machine import TABLE, FundingMachine, FundingState
from statemachines.funding.rules import ExitReason

DIAGRAM = {
    ("MONITORING", "OPPORTUNITY_DETECTED"),
    ("OPPORTUNITY_DETECTED", "ENTRY"),
    ("ENTRY", "FUNDING_COLLECTION"),
    ("FUNDING_COLLECTION", "EXIT"),
    ("EXIT", "MONITORING"),
    ("FUNDING_COLLECTION", "MAX_HOLD_DAYS"),
    ("MAX_HOLD_DAYS", "EXIT"),
    ("FUNDING_COLLECTION", "FUNDING_NEGATIVE"),
    ("FUNDING_NEGATIVE", "EXIT"),
}
ADDED = {
    ("OPPORTUNITY_DETECTED", "MONITORING"),
    ("ENTRY", "MONITORING"),
    ("ENTRY", "EXIT"),
    ("MAX_HOLD_DAYS", "FUNDING_COLLECTION"),
    ("MONITORING", "EXIT"),
}
RUSSIAN = {
    "MONITORING": "МОНИТОРИНГ",
    "OPPORTUNITY_DETECTED": "ВОЗМОЖНОСТЬ_ОБНАРУЖЕНА",
    "ENTRY": "ВХОД",
    "FUNDING_COLLECTION": "СБОР_ФИНАНСИРОВАНИЯ",
    "MAX_HOLD_DAYS": "МАКС_ДНЕЙ_УДЕРЖАНИЯ",
    "FUNDING_NEGATIVE": "ФИНАНСИРОВАНИЕ_ОТРИЦАТЕЛЬНОЕ",
    "EXIT": "ВЫХОД",
}


def test_the_table_is_the_diagram_and_what_reality_adds() -> None:
    """FU-10: every arrow of the diagram is there; every other one is a known addition with its reason."""
    arrows = {(row.source.name, row.dest.name) for row in TABLE.rows}
    assert arrows == DIAGRAM | ADDED
    assert all(row.why for row in TABLE.rows)
    assert {state.name: name for state, name in TABLE.russian.items()} == RUSSIAN
    assert TABLE.initial is FundingState.MONITORING


@pytest.mark.parametrize("state", list(FundingState))
def test_every_other_trigger_is_refused(state: FundingState) -> None:
    """EX-2: an illegal transition changes nothing."""
    every = {row.trigger for row in TABLE.rows}
    for trigger in every - TABLE.triggers(state):
        with pytest.raises(IllegalTransitionError):
            FundingMachine.restored("BTC", state.value).fire(trigger, "", {})


def test_ways_out_go_through_the_states_of_the_diagram() -> None:
    """FU-3, FU-10: 14 days and a negative rate have states of their own on the way to EXIT."""
    for why, through in ((ExitReason.MAX_HOLD, "MAX_HOLD_DAYS"), (ExitReason.NEGATIVE, "FUNDING_NEGATIVE")):
        machine = FundingMachine.restored("BTC", FundingState.FUNDING_COLLECTION.value)
        notes = machine.leave(why, "because")
        assert [(note.source, note.dest) for note in notes] == [("FUNDING_COLLECTION", through), (through, "EXIT")]
    machine = FundingMachine.restored("BTC", FundingState.FUNDING_COLLECTION.value)
    assert [note.trigger for note in machine.leave(ExitReason.BASIS, "because")] == ["leave"]
