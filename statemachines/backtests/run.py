"""The life of one backtest that was started from the console (IF-3), and the rules of the queue."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from statemachines.fsm import Row, StateMachine, Table

MAX_WAITING = 5
"""Runs that may wait: one runs at a time, and a run of all years takes minutes."""

MAX_KEPT = 50
"""Runs that are kept, waiting and running ones included. A report takes 5 to 20 MB; none is removed but by a person."""

INTERRUPTED = 128
"""A program that was asked to end by signal N, and ended in order, has the exit code 128 + N."""

LEDGER_FAULTS = 1
"""The exit code of a run whose books did not balance."""


class RunState(StrEnum):
    """Where a run is."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


_S = RunState
ENDED = frozenset({_S.DONE, _S.FAILED, _S.CANCELLED})

RUN_TABLE: Table[RunState] = Table(
    "backtest",
    _S.QUEUED,
    (
        Row("begin", _S.QUEUED, _S.RUNNING, "IF-3: its turn has come; one run at a time"),
        Row("cancel", _S.QUEUED, _S.CANCELLED, "IF-3: cancelled before it began"),
        Row("fail", _S.QUEUED, _S.FAILED, "IF-3: its process could not be started"),
        Row("finish", _S.RUNNING, _S.DONE, "IF-3: the whole period was run, the books balance, the report is there"),
        Row("cancel", _S.RUNNING, _S.CANCELLED, "IF-3: cancelled; the report covers the part that was run"),
        Row("fail", _S.RUNNING, _S.FAILED, "IF-3: its process ended with an error, or died, or its parent ended"),
    ),
    {
        _S.QUEUED: "В очереди",
        _S.RUNNING: "Выполняется",
        _S.DONE: "Готово",
        _S.FAILED: "Не удалось",
        _S.CANCELLED: "Отменено",
    },
)


class RunMachine(StateMachine[RunState]):
    """One run; its key is the run's id. It decides nothing about trading."""

    __slots__ = ()
    TABLE = RUN_TABLE
    IS_BOOKKEEPING = True


class Ended(NamedTuple):
    """What the end of a run's process means: the trigger of the machine, and why as a sentence."""

    trigger: str
    reason: str


def end_of(code: int, last_words: str, *, has_report: bool, canceller: str) -> Ended:
    """What follows from the exit code of a run's process.

    `code` is negative for a process that a signal has killed; `last_words` is the last line of its errors;
    `canceller` is who has cancelled it, "" for none.
    """
    report = "The report covers the part that was run." if has_report else "There is no report."
    if code == 0 and has_report:
        return Ended("finish", "The whole period was run.")
    if canceller:
        return Ended("cancel", f"Cancelled by {canceller}. {report}")
    if code == 0:
        return Ended("fail", "The process ended in order and left no report.")
    if code == LEDGER_FAULTS and has_report:
        return Ended("fail", "The books do not balance; the report names each fault. Do not use its figures.")
    if code < 0:
        return Ended("fail", f"The process was killed by signal {-code}; the machine may lack memory. {report}")
    if code > INTERRUPTED:
        return Ended("fail", f"The process was ended by signal {code - INTERRUPTED} from outside. {report}")
    return Ended("fail", last_words or f"The process ended with exit code {code} and said nothing.")


def next_to_begin(states: Mapping[str, RunState]) -> str | None:
    """The id of the run whose turn has come: the oldest that waits, once none runs. Ids sort by age."""
    if _S.RUNNING in states.values():
        return None
    return min((run_id for run_id, state in states.items() if state is _S.QUEUED), default=None)


def refusal_of_another(states: Mapping[str, RunState]) -> str:
    """Why no further run can be taken now, as a sentence; "" when one can."""
    waiting = sum(state is _S.QUEUED for state in states.values())
    if waiting >= MAX_WAITING:
        return f"{waiting} backtests wait already; at most {MAX_WAITING} are allowed. Cancel one, or wait for one."
    if len(states) >= MAX_KEPT:
        return f"{len(states)} backtests are kept already; at most {MAX_KEPT} are allowed. Remove one that has ended."
    return ""
