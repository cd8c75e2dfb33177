"""R3: the order manager reads an account's own lists for the proof that it is flat, and says when it cannot."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from statemachines.messages.control import FlatnessRead, FlatnessWanted
from statemachines.requests import AccountSnapshot, ExchangeResponse, Refused, SetAside, Unknown
from statemachines.values import Account
from tests.statemachines.execution.rig import Rig


def ask(rig: Rig, answer: ExchangeResponse | None = None, number: int = 7) -> FlatnessRead:
    rig.tell(FlatnessWanted(account=Account.TREND_1, number=number))
    if answer is not None:
        (waiting,) = rig.waiting("flatness:")
        rig.answer(waiting, answer)
    else:
        rig.settle()
    return rig.bodies(FlatnessRead)[-1]


def snapshot(**changes: object) -> AccountSnapshot:
    empty = AccountSnapshot(
        account=Account.TREND_1, market_ms=5, open_orders=(), executions=(), positions=(), balances={"USDT": D(9)}
    )
    return empty.model_copy(update=changes)


def test_r3_it_reports_what_the_exchange_lists() -> None:
    rig = Rig().start()
    read = ask(rig, snapshot())
    assert read == FlatnessRead(account=Account.TREND_1, number=7, market_ms=5, coins={"USDT": D(9)})


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Refused(code=10016, message="busy", fault="transient"), "refused with 10016: busy"),
        (Unknown(why="the system stopped before the answer was recorded"), "unknown: the system stopped"),
    ],
)
def test_a_reading_that_failed_is_a_problem_and_not_an_empty_account(answer: ExchangeResponse, problem: str) -> None:
    read = ask(Rig().start(), answer)
    assert read.problem.startswith(problem) and not read.positions


@pytest.mark.parametrize(
    ("kind", "is_foreign", "is_problem"),
    [
        ("order", False, True),
        ("position", False, True),
        ("position", True, True),
        ("balance", False, True),
        ("balance", True, False),
        ("execution", False, False),
    ],
)
def test_a_row_that_cannot_be_used_leaves_it_unknown(kind: str, is_foreign: bool, is_problem: bool) -> None:
    """A coin that is not traded here holds nobody up; an order or a position does, whatever it is of."""
    row = SetAside(kind=kind, category="", symbol="X", problem="no number", is_foreign=is_foreign)  # type: ignore[arg-type]
    assert bool(ask(Rig().start(), snapshot(set_aside=(row,))).problem) is is_problem


def test_an_answer_after_a_restart_is_reported_with_its_number() -> None:
    """Nothing is held in memory: the key says which reading it was."""
    rig = Rig().start()
    rig.tell(FlatnessWanted(account=Account.TREND_1, number=3))
    (waiting,) = rig.waiting("flatness:")
    rig.restart()
    rig.answer(waiting, Unknown(why="the system stopped"))
    assert [(read.number, bool(read.problem)) for read in rig.bodies(FlatnessRead)] == [(3, True)]
