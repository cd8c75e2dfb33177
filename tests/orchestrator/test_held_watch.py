"""RM-5: commands that lie in the database are handed on, each once, whatever was away meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from actors.runtime.ports import StoreUnavailableError
from orchestrator.held_watch import HeldWatch
from statemachines.messages.control import OperatorCommand
from tests.waiting import until


def command(name: str) -> OperatorCommand:
    return OperatorCommand(command_id=name, who="ada", action="halt", scope="GLOBAL", reason="a test")


FIRST, SECOND = command("1"), command("2")


class _Port:
    def __init__(self, *answers: Sequence[OperatorCommand] | Exception) -> None:
        self.answers = list(answers)

    def waiting(self) -> Sequence[OperatorCommand]:
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_each_is_handed_on_once_while_it_waits() -> None:
    found: list[OperatorCommand] = []
    watch = HeldWatch(_Port([], [FIRST], [FIRST, SECOND], [FIRST, SECOND], []), found.append)
    for _ in range(5):
        watch.look()
    assert found == [FIRST, SECOND]


def test_one_that_could_not_be_handed_on_is_handed_on_again() -> None:
    found: list[OperatorCommand] = []
    failures = [RuntimeError("the orchestrator begins")]

    def take(body: OperatorCommand) -> None:
        if failures:
            raise failures.pop()
        found.append(body)

    watch = HeldWatch(_Port([FIRST], [FIRST]), take)
    with pytest.raises(RuntimeError):
        watch.look()
    watch.look()
    assert found == [FIRST]


def test_the_thread_outlives_an_outage_and_any_error() -> None:
    found: list[OperatorCommand] = []
    port = _Port(StoreUnavailableError("is away"), RuntimeError("a defect"), [FIRST])
    watch = HeldWatch(port, found.append, period_s=0.001)
    watch.start()
    try:
        until(lambda: found == [FIRST])
    finally:
        watch.stop()
