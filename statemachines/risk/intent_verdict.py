"""The risk manager's verdict on an intent (RM-1): one machine per proposal."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class IntentState(StrEnum):
    """The states of a proposal; an approved one continues as a parent order."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    DENIED = "DENIED"


_S = IntentState

VERDICT_TABLE: Table[IntentState] = Table(
    "intent",
    _S.PROPOSED,
    (
        Row("approve", _S.PROPOSED, _S.APPROVED, "RM-1: within all limits, or it reduces risk"),
        Row("deny", _S.PROPOSED, _S.DENIED, "RM-1: refused with every reason"),
    ),
    {_S.PROPOSED: "Предложено", _S.APPROVED: "Одобрено", _S.DENIED: "Отказано"},
)


class IntentVerdict(StateMachine[IntentState]):
    """One proposal from its arrival to the verdict."""

    __slots__ = ()
    TABLE = VERDICT_TABLE
