"""The state machine of one asset in one TREND sub-account (TR-15)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from statemachines.commands import JournalEntry
from statemachines.fsm import Row, StateMachine, Table


class TrendState(StrEnum):
    """States of SPEC.ru 3.4."""

    SCANNING = "SCANNING"
    SIGNAL_DETECTED = "SIGNAL_DETECTED"
    NO_TRADE = "NO_TRADE"
    ENTRY = "ENTRY"
    IN_POSITION = "IN_POSITION"
    STOP_TRIGGERED = "STOP_TRIGGERED"
    TRAILING_STOP = "TRAILING_STOP"
    EXIT = "EXIT"


S = TrendState

TREND_TABLE: Table[TrendState] = Table(
    "trend",
    S.SCANNING,
    [
        Row("detect", S.SCANNING, S.SIGNAL_DETECTED, "TR-3: the levels hold at a daily close while flat"),
        Row("decline", S.SIGNAL_DETECTED, S.NO_TRADE, "TR-8, TR-9, TR-10, TR-12, TR-14, RM-2: no trade on this signal"),
        Row("rescan", S.NO_TRADE, S.SCANNING, "the next daily close is evaluated independently"),
        Row("order", S.SIGNAL_DETECTED, S.ENTRY, "TR-8: the entry is requested"),
        Row("fill", S.ENTRY, S.IN_POSITION, "the entry has ended with a position, its hard stop is requested"),
        Row("exit", S.IN_POSITION, S.EXIT, "TR-4, TR-7, TR-14: closed by rule; RM-5: by the operator"),
        Row("hard_stop", S.ENTRY, S.STOP_TRIGGERED, "TR-5: the stop fired while the entry was still filling"),
        Row("hard_stop", S.IN_POSITION, S.STOP_TRIGGERED, "TR-5"),
        Row("trailing_stop", S.IN_POSITION, S.TRAILING_STOP, "TR-6"),
        Row("close", S.STOP_TRIGGERED, S.EXIT, "TR-5: the remainder is closed"),
        Row("close", S.TRAILING_STOP, S.EXIT, "TR-6: the remainder is closed"),
        Row("closed", S.EXIT, S.SCANNING, "flat, and no order of the position is open"),
        # Transitions that practice adds to the diagram.
        Row("refuse", S.ENTRY, S.NO_TRADE, "the entry was denied (RM-1), rejected, or ended without a fill"),
        Row("exit", S.ENTRY, S.EXIT, "closed before the entry has ended: its stop cannot be held, or RM-5"),
        Row("stray", S.SCANNING, S.EXIT, "EX-1: a fill after the entry's end is legal; the remnant is closed"),
    ],
    {
        S.SCANNING: "СКАНИРОВАНИЕ",
        S.SIGNAL_DETECTED: "СИГНАЛ_ОБНАРУЖЕН",
        S.NO_TRADE: "НЕТ_СДЕЛКИ",
        S.ENTRY: "ВХОД",
        S.IN_POSITION: "В_ПОЗИЦИИ",
        S.STOP_TRIGGERED: "СТОП_СРАБОТАЛ",
        S.TRAILING_STOP: "TRAILING_STOP",
        S.EXIT: "ВЫХОД",
    },
)


class TrendMachine(StateMachine[TrendState]):
    """One asset's state; every method is one decision: it changes the state and returns the journal line.

    Raises (each method): IllegalTransitionError when the table has no such row; then nothing changes.
    """

    __slots__ = ()
    TABLE = TREND_TABLE

    def detect(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """TR-3 holds at a daily close."""
        return self.fire("detect", reason, data)

    def decline(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """The signal is not traded."""
        return self.fire("decline", reason, data)

    def rescan(self) -> JournalEntry:
        """Back to scanning after a signal without a trade."""
        return self.fire("rescan", "the next daily close is evaluated independently", {})

    def order(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """The entry is requested (TR-8)."""
        return self.fire("order", reason, data)

    def fill(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """The entry has ended with a position."""
        return self.fire("fill", reason, data)

    def refuse(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """The entry ended without a position."""
        return self.fire("refuse", reason, data)

    def exit(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """The position is closed by rule (TR-4, TR-7, TR-14) or by the operator (RM-5)."""
        return self.fire("exit", reason, data)

    def hard_stop(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """The hard stop has fired (TR-5)."""
        return self.fire("hard_stop", reason, data)

    def trailing_stop(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """The trailing stop has fired or was found crossed (TR-6)."""
        return self.fire("trailing_stop", reason, data)

    def close(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """After a stop: the remainder is closed."""
        return self.fire("close", reason, data)

    def closed(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """The position has ended."""
        return self.fire("closed", reason, data)

    def stray(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """A late fill has left a position."""
        return self.fire("stray", reason, data)


class CycleStage(StrEnum):
    """The stages of a daily close: exits and reductions, then entries on the portfolio after them (D1, T7)."""

    REDUCE = "REDUCE"
    ENTER = "ENTER"
    ENTERING = "ENTERING"


TREND_CYCLE_TABLE: Table[CycleStage] = Table(
    "trend-cycle",
    CycleStage.REDUCE,
    [
        Row("reduced", CycleStage.REDUCE, CycleStage.ENTER, "T7: no exit or cut of this close is open any more"),
        Row("entries_decided", CycleStage.ENTER, CycleStage.ENTERING, "TR-8, T7: on a portfolio that includes them"),
    ],
    {
        CycleStage.REDUCE: "СОКРАЩЕНИЕ",
        CycleStage.ENTER: "РЕШЕНИЕ_О_ВХОДАХ",
        CycleStage.ENTERING: "ВХОДЫ",
    },
)


class CycleMachine(StateMachine[CycleStage]):
    """The decisions of one daily close."""

    __slots__ = ()
    TABLE = TREND_CYCLE_TABLE
    IS_BOOKKEEPING = True
