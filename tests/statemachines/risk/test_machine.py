"""RM-2, RM-5: the risk states."""

from __future__ import annotations

import pytest

from statemachines.fsm import IllegalTransitionError
from statemachines.risk.machine import RISK_TABLE, Level, RiskMachine, RiskStateName
from statemachines.values import DAY_MS, HOUR_MS

N, C, R, H, P = (
    RiskStateName.NORMAL,
    RiskStateName.CAUTION,
    RiskStateName.REDUCE_ONLY,
    RiskStateName.HALTED,
    RiskStateName.PAUSED,
)


def machine() -> RiskMachine:
    return RiskMachine("trend-1", DAY_MS)


def test_rm2_the_table_is_the_specification() -> None:
    arrows = {(row.source, row.dest) for row in RISK_TABLE.rows}
    escalations = {(N, C), (N, R), (N, H), (C, R), (C, H), (R, H)}
    returns = {(C, N), (R, N), (R, C), (H, N), (H, R)}
    pauses = {(N, P), (C, P), (R, P), (P, N), (P, C), (P, R), (P, H)}
    assert arrows == escalations | returns | pauses
    assert {row.trigger for row in RISK_TABLE.rows if row.source is H} == {"operator_normal", "operator_reduce_only"}
    assert RISK_TABLE.russian[R] == "Только сокращение"


def test_rm2_escalates_at_once_and_may_jump() -> None:
    m = machine()
    (note,) = m.demand("drawdown", Level.REDUCE_ONLY, "fell 26 %", 5)
    assert (note.source, note.dest, m.state) == (N, R, R)


def test_rm2_a_weaker_demand_never_lowers_the_state() -> None:
    m = machine()
    m.demand("a", Level.REDUCE_ONLY, "", 0)
    assert m.demand("b", Level.CAUTION, "", 1) == []
    assert m.state is R


def test_rm2_returns_after_24_hours_of_calm_not_before() -> None:
    m = machine()
    m.demand("drawdown", Level.CAUTION, "", 0)
    assert m.deadline() is None
    m.release("drawdown", HOUR_MS)
    assert m.deadline() == HOUR_MS + DAY_MS
    assert m.tick(HOUR_MS + DAY_MS - 1) == []
    (note,) = m.tick(HOUR_MS + DAY_MS)
    assert (note.source, note.dest) == (C, N)
    assert m.deadline() is None


def test_rm2_a_bad_reading_within_the_24_hours_starts_them_anew() -> None:
    m = machine()
    m.demand("drawdown", Level.CAUTION, "", 0)
    m.release("drawdown", HOUR_MS)
    m.demand("drawdown", Level.CAUTION, "", 2 * HOUR_MS)
    assert m.deadline() is None
    m.release("drawdown", 3 * HOUR_MS)
    assert m.deadline() == 3 * HOUR_MS + DAY_MS


def test_rm2_returns_to_what_is_still_demanded() -> None:
    m = machine()
    m.demand("drawdown", Level.REDUCE_ONLY, "", 0)
    m.demand("drawdown", Level.CAUTION, "", HOUR_MS)
    assert m.state is R
    m.tick(HOUR_MS + DAY_MS)
    assert m.state is C
    assert m.deadline() is None


def test_rm2_halted_is_left_by_the_operator_only() -> None:
    m = machine()
    m.demand_once("x", Level.HALTED, "", 0)
    assert m.state is H and m.deadline() is None
    m.tick(100 * DAY_MS)
    assert m.state is H
    m.operator("normal", "alice", "checked", 100 * DAY_MS)
    assert m.state is N


def test_rm5_pause_keeps_what_the_rules_demand_underneath() -> None:
    m = machine()
    m.operator("pause", "alice", "lunch", 0)
    assert m.state is P
    (note,) = m.demand("drawdown", Level.REDUCE_ONLY, "fell", 1)
    assert (note.source, note.dest) == (P, P)
    m.operator("resume", "alice", "back", 2)
    assert m.state is R


def test_rm5_resume_without_pause_is_refused_visibly() -> None:
    m = machine()
    m.operator("halt", "alice", "stop", 0)
    (note,) = m.operator("resume", "alice", "go", 1)
    assert note.source == note.dest == H
    assert "refused" in note.reason


def test_rm5_a_fault_waits_for_the_operator() -> None:
    """OR-8: a demand nobody releases never calms down by itself."""
    m = machine()
    m.demand("component", Level.REDUCE_ONLY, "FAULTED", 0)
    assert m.deadline() is None and m.tick(50 * DAY_MS) == []
    m.operator("normal", "bob", "fixed", 50 * DAY_MS)
    assert m.state is N and not m.demands


def test_rm2_illegal_arrows_are_refused() -> None:
    with pytest.raises(IllegalTransitionError):
        RiskMachine.from_row("trend-1", DAY_MS, H, machine().to_data()).fire("calm", "", {})


def test_rm2_restores_exactly() -> None:
    m = machine()
    m.demand("drawdown", Level.REDUCE_ONLY, "fell", 3)
    m.demand("drawdown", Level.CAUTION, "less", 4)
    twin = RiskMachine.from_row("trend-1", DAY_MS, m.state, m.to_data())
    assert twin.to_data() == m.to_data()
    assert [n.dest for n in twin.tick(4 + DAY_MS)] == [n.dest for n in m.tick(4 + DAY_MS)] == [C]
