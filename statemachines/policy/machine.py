"""RM-6: the version of the policy that an actor decides by, as a machine: one per actor."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class PolicyState(StrEnum):
    """Whether a version waits to replace the one in force."""

    IN_FORCE = "IN_FORCE"
    WAITING = "WAITING"


_P = PolicyState

POLICY_TABLE: Table[PolicyState] = Table(
    "policy",
    _P.IN_FORCE,
    (
        Row("take", _P.IN_FORCE, _P.WAITING, "RM-6: a version has arrived; it is kept until nothing is under way"),
        Row("take", _P.WAITING, _P.WAITING, "RM-6: a later version replaces the one that waits"),
        Row("apply", _P.WAITING, _P.IN_FORCE, "RM-6: decisions follow it from this commit on"),
        Row("refuse", _P.WAITING, _P.IN_FORCE, "the actor's state does not fit it; the version before stays in force"),
    ),
    {_P.IN_FORCE: "Политика действует", _P.WAITING: "Новая версия политики ожидает"},
)


class PolicyMachine(StateMachine[PolicyState]):
    """Bookkeeping: when a version comes into force depends on requests that are under way."""

    __slots__ = ()
    TABLE = POLICY_TABLE
    IS_BOOKKEEPING = True
