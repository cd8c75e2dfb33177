"""OR-6: the life of one transfer at the exchange; a lost answer is looked up, never sent blindly."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class TransferState(StrEnum):
    """States of a transfer as we know it."""

    REQUESTED = "REQUESTED"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    DONE = "DONE"
    FAILED = "FAILED"


_S = TransferState

TRANSFER_TABLE: Table[TransferState] = Table(
    "transfer",
    _S.REQUESTED,
    (
        Row("send", _S.REQUESTED, _S.SENT, "OR-6: recorded and handed to the lane in one commit"),
        Row("resend", _S.SENT, _S.SENT, "EX-4: refused for a passing reason, sent again under the same id"),
        Row("resend", _S.UNKNOWN, _S.SENT, "EX-4: the exchange never had it, sent again under the same id"),
        Row("hold", _S.SENT, _S.REQUESTED, "OR-9: never arrived; nothing is sent before the first reconciliation"),
        Row("hold", _S.UNKNOWN, _S.REQUESTED, "OR-9: never arrived; nothing is sent before the first reconciliation"),
        Row("lose", _S.SENT, _S.UNKNOWN, "EX-1: time-out, crash or duplicate id: look it up, never send blindly"),
        Row("lose", _S.UNKNOWN, _S.UNKNOWN, "EX-1: the look-up's answer is lost too: it is asked again"),
        Row("done", _S.SENT, _S.DONE, "OR-6: the exchange has moved it; it is posted"),
        Row("done", _S.UNKNOWN, _S.DONE, "OR-6: the look-up shows that it moved; it is posted"),
        Row("fail", _S.SENT, _S.FAILED, "OR-6: refused for good; nothing was moved or booked"),
        Row("fail", _S.UNKNOWN, _S.FAILED, "OR-6: the look-up shows that it failed, or the retries are used up"),
    ),
    {
        _S.REQUESTED: "ПОРУЧЕН",
        _S.SENT: "ОТПРАВЛЕН",
        _S.UNKNOWN: "НЕИЗВЕСТЕН",
        _S.DONE: "ВЫПОЛНЕН",
        _S.FAILED: "НЕ ВЫПОЛНЕН",
    },
)

ENDED = frozenset({_S.DONE, _S.FAILED})


class TransferMachine(StateMachine[TransferState]):
    """One transfer from its order to its end."""

    __slots__ = ()
    TABLE = TRANSFER_TABLE
