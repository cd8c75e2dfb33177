"""The machine of TACTICAL (TA-11): its table and its decisions.

Several deployments may be open at the same time, while the diagram shows one. So **each deployment is a separate
machine** that runs through the whole diagram: the newest one (the upcoming deployment) accumulates cash and monitors
the triggers; as soon as its purchase is complete, the next one begins in CASH_ACCUMULATION; a deployment also ends in
that state and is then retired. Shared data (cash, reserve, levels, the 30 days) belongs to the engine, so that one
trigger is one deployment.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any

from statemachines.commands import JournalEntry
from statemachines.fsm import Row, StateMachine, Table


class TacticalState(Enum):
    """States of one deployment."""

    CASH_ACCUMULATION = "CASH_ACCUMULATION"
    MARKET_MONITORING = "MARKET_MONITORING"
    TRIGGER_DETECTED = "TRIGGER_DETECTED"
    DEPLOYMENT = "DEPLOYMENT"
    PROFIT_TARGET_REACHED = "PROFIT_TARGET_REACHED"
    RETURN_TO_CORE = "RETURN_TO_CORE"


_S = TacticalState

TABLE: Table[TacticalState] = Table(
    "tactical",
    _S.CASH_ACCUMULATION,
    [
        # the diagram of TA-11
        Row("funded", _S.CASH_ACCUMULATION, _S.MARKET_MONITORING, "A3: cash for a smallest deployment is available"),
        Row("trigger", _S.MARKET_MONITORING, _S.TRIGGER_DETECTED, "TA-1, TA-2, TA-3"),
        Row("deploy", _S.TRIGGER_DETECTED, _S.DEPLOYMENT, "TA-4: market orders sent"),
        Row("profit", _S.DEPLOYMENT, _S.PROFIT_TARGET_REACHED, "TA-6: +100 %"),
        Row("sold", _S.PROFIT_TARGET_REACHED, _S.RETURN_TO_CORE, "TA-6: proceeds go to CORE-HODL"),
        Row("time_limit", _S.DEPLOYMENT, _S.RETURN_TO_CORE, "TA-6, A7: 12 months, in kind"),
        Row("returned", _S.RETURN_TO_CORE, _S.CASH_ACCUMULATION, "the transfer has ended"),
        # transitions that practice adds
        Row("drained", _S.MARKET_MONITORING, _S.CASH_ACCUMULATION, "A8: capital was withdrawn, too little is left"),
        Row("blocked", _S.TRIGGER_DETECTED, _S.MARKET_MONITORING, "RM-1, A3: no order of the deployment is possible"),
        Row("nothing_bought", _S.DEPLOYMENT, _S.MARKET_MONITORING, "TA-9: denied or never filled, evaluated again"),
        Row("late_fill", _S.MARKET_MONITORING, _S.DEPLOYMENT, "EX-1: a fill after the end of its order is legal"),
    ],
    {
        _S.CASH_ACCUMULATION: "НАКОПЛЕНИЕ_НАЛИЧНЫХ",
        _S.MARKET_MONITORING: "МОНИТОРИНГ_РЫНКОВ",
        _S.TRIGGER_DETECTED: "ТРИГГЕР_ОБНАРУЖЕН",
        _S.DEPLOYMENT: "РАЗВЕРТЫВАНИЕ",
        _S.PROFIT_TARGET_REACHED: "ЦЕЛЬ_ПРИБЫЛИ_ДОСТИГНУТА",
        _S.RETURN_TO_CORE: "ВОЗВРАТ_В_CORE",
    },
)


class TacticalMachine(StateMachine[TacticalState]):
    """Moves one deployment through the table; every method returns the journal line of its decision.

    Raises (all methods):
        IllegalTransitionError: the table has no such row for the current state.
    """

    __slots__ = ()
    TABLE = TABLE

    def funded(self, reason: str) -> JournalEntry:
        """There is enough cash for a smallest deployment."""
        return self.fire("funded", reason, {})

    def drained(self, reason: str) -> JournalEntry:
        """Too little cash is left."""
        return self.fire("drained", reason, {})

    def detect(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """TA-1, TA-2, TA-3: a trigger that may fire."""
        return self.fire("trigger", reason, data)

    def block(self, reason: str) -> JournalEntry:
        """No order is possible."""
        return self.fire("blocked", reason, {})

    def deploy(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """TA-4: the orders are sent."""
        return self.fire("deploy", reason, data)

    def nothing_bought(self, reason: str) -> JournalEntry:
        """TA-9: nothing was bought."""
        return self.fire("nothing_bought", reason, {})

    def late_fill(self, reason: str) -> JournalEntry:
        """EX-1: the deployment was filled late."""
        return self.fire("late_fill", reason, {})

    def profit(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """TA-6: the target is reached."""
        return self.fire("profit", reason, data)

    def sold(self, reason: str) -> JournalEntry:
        """Everything is sold; the proceeds go to CORE-HODL."""
        return self.fire("sold", reason, {})

    def time_limit(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """TA-6, A7: the coins return in kind."""
        return self.fire("time_limit", reason, data)

    def returned(self, reason: str) -> JournalEntry:
        """The return has ended."""
        return self.fire("returned", reason, {})


class ReturnState(StrEnum):
    """The states of a transfer to CORE-HODL."""

    REQUESTED = "REQUESTED"
    FAILED = "FAILED"
    DONE = "DONE"


RETURN_TABLE: Table[ReturnState] = Table(
    "tactical-return",
    ReturnState.REQUESTED,
    [
        Row("done", ReturnState.REQUESTED, ReturnState.DONE, "TA-6: it has arrived at CORE-HODL"),
        Row("failed", ReturnState.REQUESTED, ReturnState.FAILED, "OR-6: the exchange did not transfer it"),
        Row("ask_again", ReturnState.FAILED, ReturnState.REQUESTED, "OR-6: at the next cycle, under a new id"),
        Row("waive", ReturnState.FAILED, ReturnState.DONE, "OR-9: the coins have left the account otherwise"),
    ],
    {
        ReturnState.REQUESTED: "ЗАПРОШЕН",
        ReturnState.FAILED: "НЕ_ВЫПОЛНЕН",
        ReturnState.DONE: "ВЫПОЛНЕН",
    },
)


class ReturnMachine(StateMachine[ReturnState]):
    """One transfer to CORE-HODL, from its request to its end; the deployment's machine records the decision."""

    __slots__ = ()
    TABLE = RETURN_TABLE
    IS_BOOKKEEPING = True
