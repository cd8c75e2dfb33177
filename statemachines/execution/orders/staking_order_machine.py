"""CH-10: the life cycle of one staking order at the exchange. It is sent at most once under its id, which the exchange
accepts again after 30 minutes (bybit-v5 4.6): a lost response leads to a look-up, and one that never arrived ends."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class StakingState(StrEnum):
    """States of a staking order on our side."""

    REQUESTED = "REQUESTED"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    PENDING = "PENDING"
    DONE = "DONE"
    REJECTED = "REJECTED"


_S = StakingState

STAKING_TABLE: Table[StakingState] = Table(
    "staking",
    _S.REQUESTED,
    (
        Row("send", _S.REQUESTED, _S.SENT, "CH-10: recorded and queued for the exchange in one commit"),
        Row("resend", _S.SENT, _S.SENT, "EX-4: refused for a transient reason, so nothing was done; the same id"),
        Row("accept", _S.SENT, _S.PENDING, "EX-1: acknowledged, which is not done: look it up"),
        Row("lose", _S.SENT, _S.UNKNOWN, "EX-1: time-out, crash or duplicate id: look it up, never send it again"),
        Row("lose", _S.UNKNOWN, _S.UNKNOWN, "EX-1: the look-up failed too: it is repeated"),
        Row("found", _S.UNKNOWN, _S.PENDING, "EX-1: it arrived, and the exchange works on it"),
        Row("wait", _S.PENDING, _S.PENDING, "CH-10: a redemption may take two days: look it up later"),
        Row("done", _S.UNKNOWN, _S.DONE, "CH-10: the look-up shows that it succeeded; it is posted"),
        Row("done", _S.PENDING, _S.DONE, "CH-10: the exchange has moved the coins; it is posted"),
        Row("reject", _S.SENT, _S.REJECTED, "CH-10: refused, or blocked by a switch; nothing was moved or booked"),
        Row("reject", _S.UNKNOWN, _S.REJECTED, "CH-10: it failed or never arrived; nothing was moved or booked"),
        Row("reject", _S.PENDING, _S.REJECTED, "CH-10: the exchange reports that it failed; nothing was booked"),
    ),
    {
        _S.REQUESTED: "ПОРУЧЕН",
        _S.SENT: "ОТПРАВЛЕН",
        _S.UNKNOWN: "НЕИЗВЕСТЕН",
        _S.PENDING: "ИСПОЛНЯЕТСЯ",
        _S.DONE: "ВЫПОЛНЕН",
        _S.REJECTED: "ОТКЛОНЁН",
    },
)

ENDED = frozenset({_S.DONE, _S.REJECTED})

UNCERTAIN = frozenset({_S.SENT, _S.UNKNOWN})
"""The exchange may or may not have moved the coins."""


class StakingMachine(StateMachine[StakingState]):
    """One staking order from its request to its end."""

    __slots__ = ()
    TABLE = STAKING_TABLE
