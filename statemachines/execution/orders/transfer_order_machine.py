"""OR-6: the life cycle of one transfer at the exchange; a lost response leads to a look-up, never to a blind repeat."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class TransferState(StrEnum):
    """States of a transfer on our side."""

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
        Row("send", _S.REQUESTED, _S.SENT, "OR-6: recorded and queued for the exchange in one commit"),
        Row("resend", _S.SENT, _S.SENT, "EX-4: refused for a transient reason, resent under the same id"),
        Row("resend", _S.UNKNOWN, _S.SENT, "EX-4: the exchange does not know it; resent under the same id"),
        Row("hold", _S.SENT, _S.REQUESTED, "OR-9: never arrived; nothing is sent before the first reconciliation"),
        Row("hold", _S.UNKNOWN, _S.REQUESTED, "OR-9: never arrived; nothing is sent before the first reconciliation"),
        Row("lose", _S.SENT, _S.UNKNOWN, "EX-1: time-out, crash or duplicate id: look it up, never send blindly"),
        Row("lose", _S.UNKNOWN, _S.UNKNOWN, "EX-1: the look-up failed too: it is repeated"),
        Row("done", _S.SENT, _S.DONE, "OR-6: the exchange has made the transfer; it is posted"),
        Row("done", _S.UNKNOWN, _S.DONE, "OR-6: the look-up shows that it succeeded; it is posted"),
        Row("fail", _S.SENT, _S.FAILED, "OR-6: permanently refused; nothing was moved or booked"),
        Row("fail", _S.UNKNOWN, _S.FAILED, "OR-6: the look-up shows that it failed"),
        Row("land", _S.FAILED, _S.DONE, "OR-6: the log shows that it was made after its end here; it is posted"),
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
