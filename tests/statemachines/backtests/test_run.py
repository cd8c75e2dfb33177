"""IF-3: the life of a run, what the end of its process means, and the rules of the queue."""

from __future__ import annotations

import pytest

from statemachines.backtests.run import (
    ENDED,
    MAX_KEPT,
    MAX_WAITING,
    RUN_TABLE,
    Ended,
    RunMachine,
    RunState,
    end_of,
    next_to_begin,
    refusal_of_another,
)
from statemachines.fsm import IllegalTransitionError

S = RunState


def test_an_end_is_final() -> None:
    assert frozenset(state for state in S if not RUN_TABLE.triggers(state)) == ENDED


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("trigger", ["begin", "finish", "cancel", "fail"])
def test_what_is_not_in_the_table_changes_nothing(state: RunState, trigger: str) -> None:
    machine = RunMachine.restored("r", state)
    if trigger in RUN_TABLE.triggers(state):
        assert machine.fire(trigger, "", {}).source == state
    else:
        with pytest.raises(IllegalTransitionError):
            machine.fire(trigger, "", {})
        assert machine.state is state


@pytest.mark.parametrize(
    ("code", "words", "has_report", "canceller", "trigger", "told"),
    [
        (0, "", True, "", "finish", "The whole period was run."),
        (0, "", True, "anna", "finish", "The whole period was run."),  # the wish came after the last day
        (0, "", False, "", "fail", "left no report"),
        (0, "", False, "anna", "cancel", "Cancelled by anna. There is no report."),
        (1, "", True, "", "fail", "The books do not balance"),
        (1, "No space left on device", False, "", "fail", "No space left on device"),
        (2, "--from 'x' is refused", False, "", "fail", "--from 'x' is refused"),
        (2, "", False, "", "fail", "exit code 2 and said nothing"),
        (-9, "", False, "", "fail", "killed by signal 9; the machine may lack memory"),
        (-9, "", False, "anna", "cancel", "Cancelled by anna"),
        (128 + 15, "", True, "anna", "cancel", "Cancelled by anna. The report covers the part that was run."),
        (128 + 15, "", True, "", "fail", "ended by signal 15 from outside. The report covers"),
        (128, "", False, "", "fail", "exit code 128"),
    ],
)
def test_the_end_of_a_process(code: int, words: str, has_report: bool, canceller: str, trigger: str, told: str) -> None:
    found = end_of(code, words, has_report=has_report, canceller=canceller)
    assert found.trigger == trigger and told in found.reason
    assert isinstance(found, Ended)


def test_one_runs_at_a_time_and_the_oldest_is_next() -> None:
    assert next_to_begin({}) is None
    assert next_to_begin({"b": S.QUEUED, "a": S.DONE}) == "b"
    assert next_to_begin({"c": S.QUEUED, "b": S.QUEUED, "a": S.FAILED}) == "b"
    assert next_to_begin({"b": S.QUEUED, "a": S.RUNNING}) is None


@pytest.mark.parametrize(
    ("waiting", "ended", "told"),
    [
        (MAX_WAITING - 1, 0, ""),
        (MAX_WAITING, 0, f"{MAX_WAITING} backtests wait already"),
        (0, MAX_KEPT - 1, ""),
        (0, MAX_KEPT, f"{MAX_KEPT} backtests are kept already"),
        (1, MAX_KEPT - 1, "Remove one that has ended"),
    ],
)
def test_how_many_may_wait_and_be_kept(waiting: int, ended: int, told: str) -> None:
    states = {f"w{n}": S.QUEUED for n in range(waiting)} | {f"e{n}": S.DONE for n in range(ended)}
    found = refusal_of_another(states)
    assert told in found and bool(found) is bool(told)
