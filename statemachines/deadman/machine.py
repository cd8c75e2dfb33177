"""The dead-man switch as a machine (RM-4): it watches for beats, cancels entries in silence, and then watches again."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class DeadManState(StrEnum):
    """What the dead-man switch is doing."""

    WATCHING = "WATCHING"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    STOPPED = "STOPPED"


_S = DeadManState
_BEAT = "RM-4: the orchestrator has beaten again; the switch is ready for the next silence"
_STOP = "RM-4: the operator has ended the system in order, which is no silence"

DEAD_MAN_TABLE: Table[DeadManState] = Table(
    "dead-man-switch",
    _S.WATCHING,
    (
        Row("silence", _S.WATCHING, _S.CANCELLING, "RM-4: no beat in any source for 5 minutes of wall time"),
        Row("none_left", _S.CANCELLING, _S.CANCELLED, "RM-4: two readings running show no entry order of ours"),
        # A request that was on its way when everything died can land after the accounts were seen empty.
        Row("found", _S.CANCELLED, _S.CANCELLING, "RM-4: an entry order of ours has appeared in the silence"),
        Row("beat", _S.CANCELLING, _S.WATCHING, _BEAT),
        Row("beat", _S.CANCELLED, _S.WATCHING, _BEAT),
        Row("beat", _S.STOPPED, _S.WATCHING, "RM-4: the system has been started again"),
        Row("stop", _S.WATCHING, _S.STOPPED, _STOP),
        Row("stop", _S.CANCELLING, _S.STOPPED, _STOP),
        Row("stop", _S.CANCELLED, _S.STOPPED, _STOP),
    ),
    {
        _S.WATCHING: "Наблюдает",
        _S.CANCELLING: "Снимает заявки",
        _S.CANCELLED: "Заявки сняты",
        _S.STOPPED: "Система остановлена",
    },
)

MACHINE = "dead-man-switch"
"""Its key: there is one."""


class DeadManMachine(StateMachine[DeadManState]):
    """The state of the one dead-man switch of a system."""

    __slots__ = ()
    TABLE = DEAD_MAN_TABLE
