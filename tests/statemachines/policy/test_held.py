"""RM-6: which version an actor holds: what arrives, what its row says, what the system was started with."""

from __future__ import annotations

import pytest

from statemachines.actor_logic import StateRow
from statemachines.commands import JournalEntry, Remark
from statemachines.messages.control import ParametersChanged
from statemachines.messages.envelope import Envelope
from statemachines.policy.held import KEY, HeldPolicy
from statemachines.policy.machine import POLICY_TABLE, PolicyState
from statemachines.state_store import UnreadableRowError
from statemachines.values import ActorName

NAME = ActorName.RISK_MANAGER


def message(version: int) -> Envelope:
    body = ParametersChanged(version=version, policy={"risk": {"x": version}}, who="ada", reason="a test")
    return Envelope("orchestrator:7", "orchestrator", 5, "tick", "trace", body)


@pytest.mark.parametrize(
    ("version", "is_taken"), [(2, False), (3, False), (4, True)], ids=["older", "the same", "newer"]
)
def test_only_a_newer_version_is_taken(version: int, is_taken: bool) -> None:
    held = HeldPolicy(NAME, 3)
    (line,) = held.take(message(version))
    assert isinstance(line, JournalEntry if is_taken else Remark)
    assert (held.is_waiting, held.current.number) == (is_taken, 3)


@pytest.mark.parametrize(("version", "waits"), [(3, 4), (4, 4), (5, 5)], ids=["older", "the same", "newer"])
def test_of_two_that_wait_the_later_one_counts(version: int, waits: int) -> None:
    held = HeldPolicy(NAME, 2)
    held.take(message(4))
    held.take(message(version))
    assert held.next is not None and held.next.number == waits
    held.apply()
    assert (held.current.number, held.current.policy) == (waits, {"risk": {"x": waits}})
    assert (held.current.cause, held.current.trace) == ("orchestrator:7", "trace")


def _row(current: int, following: int | None = None) -> StateRow:
    held = HeldPolicy(NAME, 0)
    held.take(message(current))
    held.apply()
    if following is not None:
        held.take(message(following))
    return held.row()


@pytest.mark.parametrize(
    ("started", "row", "in_force", "has_document", "waits", "is_dirty"),
    [
        (1, _row(2), 2, True, None, False),
        (2, _row(2), 2, False, None, True),
        (3, _row(2), 3, False, None, True),
        (1, _row(2, 4), 2, True, 4, False),
        (3, _row(2, 4), 3, False, 4, True),
        (4, _row(2, 4), 4, False, None, True),
        (5, _row(2, 4), 5, False, None, True),
    ],
)
def test_the_newer_of_the_row_and_of_the_systems_start_is_in_force(
    started: int, row: StateRow, in_force: int, has_document: bool, waits: int | None, is_dirty: bool
) -> None:
    held = HeldPolicy(NAME, started)
    held.restore(row)
    assert (held.current.number, held.current.policy is not None) == (in_force, has_document)
    assert (None if held.next is None else held.next.number) == waits
    assert (held.is_waiting, held.is_dirty) == (waits is not None, is_dirty)


@pytest.mark.parametrize(
    "row",
    [
        _row(2)._replace(schema=2),
        _row(2)._replace(state="BOGUS"),
        _row(2)._replace(data={}),
        _row(2)._replace(data={**_row(2).data, "current": None}),
        _row(2)._replace(data={**_row(2).data, "current": {"no": 1}}),
    ],
)
def test_a_row_that_is_none_of_this_program_is_refused(row: StateRow) -> None:
    with pytest.raises(UnreadableRowError, match=rf"row '{KEY}' of risk-manager cannot be read"):
        HeldPolicy(NAME, 1).restore(row)


def test_the_table() -> None:
    rows = {(row.trigger, row.source, row.dest) for row in POLICY_TABLE.rows}
    waiting, in_force = PolicyState.WAITING, PolicyState.IN_FORCE
    assert rows == {
        ("take", in_force, waiting),
        ("take", waiting, waiting),
        ("apply", waiting, in_force),
        ("refuse", waiting, in_force),
    }
