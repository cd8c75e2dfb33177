"""RM-6: versions recorded while the system runs are found, whatever was away meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from actors.runtime.policies.ports import UnusablePolicyError
from actors.runtime.ports import StoreUnavailableError
from orchestrator.policy_watch import PolicyWatch
from statemachines.messages.control import PolicyRecorded
from tests.waiting import until

VERSION = PolicyRecorded(version=2, policy={"risk": {}}, who="ada", reason="a test")


class _Port:
    """Gives one answer after the other, then nothing new; `recorded` are the numbers after which it appended."""

    def __init__(self, *answers: PolicyRecorded | Exception | None) -> None:
        self.answers = list(answers)
        self.recorded: list[int] = []

    def newer(self) -> PolicyRecorded | None:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def record(self, after: int, policy: Mapping[str, Any], who: str, reason: str, origin: str) -> bool:
        self.recorded.append(after)
        self.answers = [VERSION]
        return True


def test_what_is_recorded_here_is_found_at_once_and_not_only_by_the_next_look() -> None:
    found: list[PolicyRecorded] = []
    port = _Port()
    watch = PolicyWatch(port, found.append, print, period_s=3600)
    watch.start()
    assert watch.record(2, {}, "ada", "a test", "operator") and port.recorded == [2]
    until(lambda: found == [VERSION])
    watch.stop()


def test_a_version_is_handed_on_and_one_that_cannot_be_used_is_reported() -> None:
    found: list[PolicyRecorded] = []
    said: list[str] = []
    watch = PolicyWatch(_Port(None, VERSION, UnusablePolicyError("version 3 is odd")), found.append, said.append)
    for _ in range(4):
        watch.look()
    assert (found, said) == ([VERSION], ["version 3 is odd"])


def test_an_outage_is_the_callers_to_see_and_the_thread_outlives_it_and_any_error() -> None:
    with pytest.raises(StoreUnavailableError):
        PolicyWatch(_Port(StoreUnavailableError("is away")), print, print).look()
    found: list[PolicyRecorded] = []
    port = _Port(StoreUnavailableError("is away"), RuntimeError("a defect"), VERSION)
    watch = PolicyWatch(port, found.append, print, period_s=0.001)
    watch.start()
    try:
        until(lambda: found == [VERSION])
    finally:
        watch.stop()
