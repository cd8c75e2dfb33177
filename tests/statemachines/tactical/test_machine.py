"""TA-11: the table against the specification's diagram."""

from __future__ import annotations

import pytest

from statemachines.fsm import IllegalTransitionError
from statemachines.tactical.machine import TABLE, TacticalMachine, TacticalState

DIAGRAM = {
    ("CASH_ACCUMULATION", "MARKET_MONITORING"),
    ("MARKET_MONITORING", "TRIGGER_DETECTED"),
    ("TRIGGER_DETECTED", "DEPLOYMENT"),
    ("DEPLOYMENT", "PROFIT_TARGET_REACHED"),
    ("PROFIT_TARGET_REACHED", "RETURN_TO_CORE"),
    ("RETURN_TO_CORE", "CASH_ACCUMULATION"),
    ("DEPLOYMENT", "RETURN_TO_CORE"),
}
ADDED = {
    ("MARKET_MONITORING", "CASH_ACCUMULATION"),
    ("TRIGGER_DETECTED", "MARKET_MONITORING"),
    ("DEPLOYMENT", "MARKET_MONITORING"),
    ("MARKET_MONITORING", "DEPLOYMENT"),
}
RUSSIAN = {
    "CASH_ACCUMULATION": "НАКОПЛЕНИЕ_НАЛИЧНЫХ",
    "MARKET_MONITORING": "МОНИТОРИНГ_РЫНКОВ",
    "TRIGGER_DETECTED": "ТРИГГЕР_ОБНАРУЖЕН",
    "DEPLOYMENT": "РАЗВЕРТЫВАНИЕ",
    "PROFIT_TARGET_REACHED": "ЦЕЛЬ_ПРИБЫЛИ_ДОСТИГНУТА",
    "RETURN_TO_CORE": "ВОЗВРАТ_В_CORE",
}


def test_the_table_is_the_diagram_and_what_reality_adds() -> None:
    """TA-11: every arrow of the diagram is there; every other one is a known addition with its reason."""
    assert {(row.source.name, row.dest.name) for row in TABLE.rows} == DIAGRAM | ADDED
    assert all(row.why for row in TABLE.rows)
    assert {state.name: name for state, name in TABLE.russian.items()} == RUSSIAN
    assert TABLE.initial is TacticalState.CASH_ACCUMULATION


@pytest.mark.parametrize("state", list(TacticalState))
def test_every_other_trigger_is_refused(state: TacticalState) -> None:
    """EX-2: an illegal transition changes nothing."""
    for trigger in {row.trigger for row in TABLE.rows} - TABLE.triggers(state):
        with pytest.raises(IllegalTransitionError):
            TacticalMachine.restored("D1", state.value).fire(trigger, "", {})
