"""The machine of TACTICAL (TA-11): its table and the decisions that move it.

Several deployments may be open at once, while the diagram knows one. So **each deployment is a machine of its own**
that runs through the whole diagram: the newest one ("the scout") gathers cash, watches and detects; as soon as its
purchase stands the next scout begins in CASH_ACCUMULATION; a deployment ends there too and is then retired. What they
share (cash, reserve, levels, the 30 days) is data of the engine, so that one trigger is one deployment.
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
        Row("funded", _S.CASH_ACCUMULATION, _S.MARKET_MONITORING, "A3: cash for a smallest deployment is there"),
        Row("trigger", _S.MARKET_MONITORING, _S.TRIGGER_DETECTED, "TA-1, TA-2, TA-3"),
        Row("deploy", _S.TRIGGER_DETECTED, _S.DEPLOYMENT, "TA-4: market orders sent"),
        Row("profit", _S.DEPLOYMENT, _S.PROFIT_TARGET_REACHED, "TA-6: +100 %"),
        Row("sold", _S.PROFIT_TARGET_REACHED, _S.RETURN_TO_CORE, "TA-6: proceeds go to CORE-HODL"),
        Row("time_limit", _S.DEPLOYMENT, _S.RETURN_TO_CORE, "TA-6, A7: 12 months, in kind"),
        Row("returned", _S.RETURN_TO_CORE, _S.CASH_ACCUMULATION, "the movement has ended"),
        # what reality adds
        Row("drained", _S.MARKET_MONITORING, _S.CASH_ACCUMULATION, "A8: capital was taken, too little is left"),
        Row("blocked", _S.TRIGGER_DETECTED, _S.MARKET_MONITORING, "RM-1, A3: no order of the deployment is possible"),
        Row(
            "nothing_bought", _S.DEPLOYMENT, _S.MARKET_MONITORING, "TA-9: denied or unfilled to the end, judged afresh"
        ),
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
    """Moves one deployment through the table; every method answers the journal line of its decision.

    Raises (all methods):
        IllegalTransitionError: the table has no such arrow from the present state.
    """

    __slots__ = ()
    TABLE = TABLE

    def funded(self, reason: str) -> JournalEntry:
        """There is cash for a smallest deployment."""
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
        """TA-4: the orders go out."""
        return self.fire("deploy", reason, data)

    def nothing_bought(self, reason: str) -> JournalEntry:
        """TA-9: the deployment never came to be."""
        return self.fire("nothing_bought", reason, {})

    def late_fill(self, reason: str) -> JournalEntry:
        """EX-1: the deployment came to be after all."""
        return self.fire("late_fill", reason, {})

    def profit(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """TA-6: the target is reached."""
        return self.fire("profit", reason, data)

    def sold(self, reason: str) -> JournalEntry:
        """All is sold; the proceeds go to CORE-HODL."""
        return self.fire("sold", reason, {})

    def time_limit(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """TA-6, A7: the coins return in kind."""
        return self.fire("time_limit", reason, data)

    def returned(self, reason: str) -> JournalEntry:
        """The return has ended."""
        return self.fire("returned", reason, {})


class ReturnState(StrEnum):
    """A movement to CORE-HODL."""

    REQUESTED = "REQUESTED"
    FAILED = "FAILED"
    DONE = "DONE"


RETURN_TABLE: Table[ReturnState] = Table(
    "tactical-return",
    ReturnState.REQUESTED,
    [
        Row("done", ReturnState.REQUESTED, ReturnState.DONE, "TA-6: it has arrived at CORE-HODL"),
        Row("failed", ReturnState.REQUESTED, ReturnState.FAILED, "OR-6: the exchange did not move it"),
        Row("ask_again", ReturnState.FAILED, ReturnState.REQUESTED, "OR-6: at the next cycle, under a new id"),
    ],
    {
        ReturnState.REQUESTED: "ЗАПРОШЕН",
        ReturnState.FAILED: "НЕ_ВЫПОЛНЕН",
        ReturnState.DONE: "ВЫПОЛНЕН",
    },
)


class ReturnMachine(StateMachine[ReturnState]):
    """One movement to CORE-HODL; its decision is the deployment's, this is what becomes of it."""

    __slots__ = ()
    TABLE = RETURN_TABLE
    IS_BOOKKEEPING = True
