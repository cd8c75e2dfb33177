"""EX-1, EX-3: the life cycle of an approved intent, above its child orders."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class ParentOrderState(StrEnum):
    """States of a parent order; the last five are its ends, each with its message (`IntentEnded`)."""

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
        Row("place", _S.HELD, _S.WORKING, "EX-1: its next child order is created"),
        Row(
            "quote_again",
            _S.WORKING,
            _S.HELD,
            "EX-3, EX-8: its child has ended; the remainder waits for its next quote or slice",
        ),
        # stopping
        Row("withdraw", _S.HELD, _S.STOPPING, "EX-1: withdrawn by its engine or by a switch"),
        Row("withdraw", _S.WORKING, _S.STOPPING, "EX-1: withdrawn by its engine or by a switch"),
        Row("withdraw", _S.STOPPING, _S.STOPPING, "EX-1: withdrawn again, or expired and then withdrawn"),
        Row("expire", _S.HELD, _S.STOPPING, "CH-3: expired"),
        Row("expire", _S.WORKING, _S.STOPPING, "CH-3: expired"),
        # the ends
        Row("filled", _S.WORKING, _S.FILLED, "EX-1: completely executed"),
        Row("filled", _S.STOPPING, _S.FILLED, "EX-1: the fill won the race against our cancel"),
        Row("cancelled", _S.HELD, _S.CANCELLED, "EX-3: the remainder is too small for an order"),
        Row("cancelled", _S.WORKING, _S.CANCELLED, "EX-1: cancelled by the exchange, or the remainder is too small"),
        Row("cancelled", _S.STOPPING, _S.CANCELLED, "EX-1: withdrawn, and none of its orders is left at the exchange"),
        Row("rejected", _S.WORKING, _S.REJECTED, "EX-4: permanently refused by the exchange"),
        Row("expired", _S.WORKING, _S.EXPIRED, "EX-4: it never arrived and its decision is too old to be resent"),
        Row("expired", _S.STOPPING, _S.EXPIRED, "CH-3: expired, and none of its orders is left at the exchange"),
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
