"""EX-1: the table of orders against the specification's diagram and its Decision."""

from __future__ import annotations

import pytest

from statemachines.execution.orders.child_order_machine import ROWS, RUSSIAN, TABLE, ChildOrderMachine, OrderState
from statemachines.fsm import IllegalTransitionError

S = OrderState


def test_ex1_russian_names_of_the_specification() -> None:
    path = [S.CREATED, S.VALIDATED, S.SENT, S.ACKNOWLEDGED, S.OPEN, S.FILLED, S.REJECTED, S.CANCELLED]
    names = ["СОЗДАН", "ПРОВЕРЕН", "ОТПРАВЛЕН", "ПОДТВЕРЖДЕН", "ОТКРЫТ", "ИСПОЛНЕН", "ОТКЛОНЕН", "ОТМЕНЕН"]
    assert [RUSSIAN[state] for state in path] == names


def test_ex1_states_are_those_of_the_decision() -> None:
    added = {"DENIED", "PARTIALLY_FILLED", "PENDING_CANCEL", "PENDING_AMEND", "EXPIRED", "UNKNOWN"}
    source = {"CREATED", "VALIDATED", "SENT", "ACKNOWLEDGED", "OPEN", "FILLED", "REJECTED", "CANCELLED"}
    assert {state.name for state in S} == source | added


def after(state: OrderState, trigger: str) -> OrderState:
    machine = ChildOrderMachine.restored("trend-1-1/1", state)
    entry = machine.fire(trigger, "", {})
    assert (entry.source, entry.dest) == (state, machine.state)
    return machine.state


def test_ex1_straight_path() -> None:
    machine = ChildOrderMachine("trend-1-1/1")
    entries = [machine.fire(one, "", {}) for one in ("validate", "send", "acknowledge", "open", "fill_all")]
    assert machine.state is S.FILLED and len(entries) == 5


def test_ex1_acknowledged_is_not_open() -> None:
    assert after(S.SENT, "acknowledge") is S.ACKNOWLEDGED


def test_ex1_every_row_says_why_and_no_two_contradict() -> None:
    assert all(row.why for row in ROWS)
    starts = [(row.trigger, row.source) for row in ROWS]
    assert len(starts) == len(set(starts))


def test_ex1_every_state_is_reachable_and_every_live_state_can_end() -> None:
    assert {row.dest for row in ROWS} | {TABLE.initial} == set(S)
    for state in S:
        if not state.is_terminal:
            reached, edge = {state}, {state}
            while edge:
                edge = {row.dest for row in ROWS if row.source in edge} - reached
                reached |= edge
            assert any(end.is_terminal for end in reached)


def test_ex1_a_fill_after_cancelled_is_legal_and_nothing_revives_an_ended_order() -> None:
    assert after(S.CANCELLED, "fill_part") is S.CANCELLED
    assert after(S.CANCELLED, "fill_all") is S.FILLED
    for row in ROWS:
        if row.source.is_terminal:
            assert row.dest.is_terminal, row


@pytest.mark.parametrize(
    ("state", "trigger"),
    [(S.CREATED, "send"), (S.FILLED, "open"), (S.OPEN, "send"), (S.UNKNOWN, "send"), (S.DENIED, "fill_part")],
)
def test_ex2_illegal_transitions_are_refused(state: OrderState, trigger: str) -> None:
    with pytest.raises(IllegalTransitionError):
        after(state, trigger)


def test_ex1_an_unknown_order_is_sent_again_only_by_resend() -> None:
    to_sent = {(row.trigger, row.source) for row in ROWS if row.dest is S.SENT}
    assert to_sent == {("send", S.VALIDATED), ("resend", S.UNKNOWN), ("resend", S.SENT)}
