"""EX-1, EX-3: the life of an approved intent, above its child orders."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class ParentOrderState(StrEnum):
    """States of a parent order; the five ends are those of its message `IntentDone`."""

    HELD = "HELD"
    WORKING = "WORKING"
    STOPPING = "STOPPING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    DENIED = "DENIED"


_S = ParentOrderState

PARENT_TABLE: Table[ParentOrderState] = Table(
    "parent-order",
    _S.HELD,
    (
        Row("place", _S.HELD, _S.WORKING, "EX-1: its next child order is made"),
        Row("quote_again", _S.WORKING, _S.HELD, "EX-3: its child has ended, what is left waits for its next quote"),
        # the way out
        Row("withdraw", _S.HELD, _S.STOPPING, "EX-1: its engine, or a switch, wants no more of it"),
        Row("withdraw", _S.WORKING, _S.STOPPING, "EX-1: its engine, or a switch, wants no more of it"),
        Row("withdraw", _S.STOPPING, _S.STOPPING, "EX-1: withdrawn once more, or expired and then withdrawn"),
        Row("expire", _S.HELD, _S.STOPPING, "CH-3: its time is over"),
        Row("expire", _S.WORKING, _S.STOPPING, "CH-3: its time is over"),
        # the ends
        Row("filled", _S.WORKING, _S.FILLED, "EX-1: all of it is executed"),
        Row("filled", _S.STOPPING, _S.FILLED, "EX-1: the fill won the race against our cancel"),
        Row("cancelled", _S.HELD, _S.CANCELLED, "EX-3: what is left is too little for an order"),
        Row("cancelled", _S.WORKING, _S.CANCELLED, "EX-1: cancelled by the exchange, or too little is left"),
        Row("cancelled", _S.STOPPING, _S.CANCELLED, "EX-1: withdrawn, and nothing of it is left at the exchange"),
        Row("rejected", _S.WORKING, _S.REJECTED, "EX-4: the exchange refused it for good"),
        Row("expired", _S.WORKING, _S.EXPIRED, "EX-4: it never arrived and its decision is too old to be sent again"),
        Row("expired", _S.STOPPING, _S.EXPIRED, "CH-3: its time is over, and nothing of it is left at the exchange"),
        Row("denied", _S.HELD, _S.DENIED, "EX-1: the instrument's filters allow no order"),
        Row("denied", _S.WORKING, _S.DENIED, "EX-1, RM-2: our own checks or a switch refused its child order"),
    ),
    {
        _S.HELD: "ОЖИДАЕТ",
        _S.WORKING: "В РАБОТЕ",
        _S.STOPPING: "ОСТАНАВЛИВАЕТСЯ",
        _S.FILLED: "ИСПОЛНЕН",
        _S.CANCELLED: "ОТМЕНЕН",
        _S.REJECTED: "ОТКЛОНЕН",
        _S.EXPIRED: "ИСТЕК",
        _S.DENIED: "НЕ ДОПУЩЕН",
    },
)

ENDED = frozenset({_S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED, _S.DENIED})


class ParentOrderMachine(StateMachine[ParentOrderState]):
    """One approved intent from its arrival to its end."""

    __slots__ = ()
    TABLE = PARENT_TABLE
