"""The notifier's own machine: whether messages wait, and whether they reach people at all."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class NotifierState(StrEnum):
    """What the notifier is doing."""

    OFF = "OFF"
    IDLE = "IDLE"
    DELIVERING = "DELIVERING"
    CUT_OFF = "CUT_OFF"


_N = NotifierState
_OFF = "no channel is configured any more"
_CUT_OFF = "RM-5: no channel works; alerts reach the console only"
_ON = "RM-5: a channel works again"

NOTIFIER_TABLE: Table[NotifierState] = Table(
    "notifier",
    _N.OFF,
    (
        Row("switch_on", _N.OFF, _N.IDLE, "a channel is configured"),
        Row("work", _N.IDLE, _N.DELIVERING, "messages wait or are under way"),
        Row("rest", _N.DELIVERING, _N.IDLE, "every message has its end"),
        Row("lose_all", _N.IDLE, _N.CUT_OFF, _CUT_OFF),
        Row("lose_all", _N.DELIVERING, _N.CUT_OFF, _CUT_OFF),
        Row("regain", _N.CUT_OFF, _N.DELIVERING, _ON),
        Row("switch_off", _N.IDLE, _N.OFF, _OFF),
        Row("switch_off", _N.DELIVERING, _N.OFF, _OFF),
        Row("switch_off", _N.CUT_OFF, _N.OFF, _OFF),
    ),
    {
        _N.OFF: "Каналы не настроены",
        _N.IDLE: "Ожидает",
        _N.DELIVERING: "Доставляет",
        _N.CUT_OFF: "Ни один канал не работает",
    },
)

KEY = "notifier"
"""Its key: there is one."""


class NotifierMachine(StateMachine[NotifierState]):
    """Bookkeeping: what it does depends on networks."""

    __slots__ = ()
    TABLE = NOTIFIER_TABLE
    IS_BOOKKEEPING = True

    def moved(self, *, is_on: bool, has_work: bool, is_cut_off: bool) -> str | None:
        """The trigger that leads towards this situation; None when it is there already."""
        state = self.state
        if not is_on:
            return None if state is _N.OFF else "switch_off"
        if state is _N.OFF:
            return "switch_on"
        if is_cut_off:
            return None if state is _N.CUT_OFF else "lose_all"
        if state is _N.CUT_OFF:
            return "regain"
        if has_work:
            return None if state is _N.DELIVERING else "work"
        return "rest" if state is _N.DELIVERING else None
