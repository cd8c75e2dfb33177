"""The machine of the engine (CH-5): its table and its decisions.

Suspension of rebalancing (CH-8) and the stop of all activity (CH-9) are flags, not states: when they end, the engine
resumes from the state it was in.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any

from statemachines.commands import JournalEntry
from statemachines.fsm import Row, StateMachine, Table


class CoreState(Enum):
    """States of the engine."""

    INITIALIZATION = "INITIALIZATION"
    ACCUMULATION = "ACCUMULATION"
    REBALANCING = "REBALANCING"
    EARN_OPTIMIZATION = "EARN_OPTIMIZATION"


_S = CoreState

TABLE: Table[CoreState] = Table(
    "core-hodl",
    _S.INITIALIZATION,
    [
        # the diagram of CH-5
        Row("built", _S.INITIALIZATION, _S.ACCUMULATION, "CH-6: no plan is open any more"),
        Row("rebalance", _S.ACCUMULATION, _S.REBALANCING, "CH-2: drift or calendar"),
        Row("rebalanced", _S.REBALANCING, _S.EARN_OPTIMIZATION, "CH-4: all legs have ended"),
        Row("optimised", _S.EARN_OPTIMIZATION, _S.ACCUMULATION, "CH-10: staking is decided"),
        Row("new_capital", _S.ACCUMULATION, _S.INITIALIZATION, "CH-5: an inflow's plan is open"),
        # transitions that practice adds
        Row("interrupt", _S.INITIALIZATION, _S.ACCUMULATION, "C6: a trigger of CH-2 while a plan is open"),
        Row("earn", _S.ACCUMULATION, _S.EARN_OPTIMIZATION, "CH-10: the market has calmed down between two rebalances"),
    ],
    {
        _S.INITIALIZATION: "ИНИЦИАЛИЗАЦИЯ",
        _S.ACCUMULATION: "НАКОПЛЕНИЕ",
        _S.REBALANCING: "РЕБАЛАНСИРОВКА",
        _S.EARN_OPTIMIZATION: "ОПТИМИЗАЦИЯ_EARN",
    },
)


class DayStage(StrEnum):
    """The stages of a day's decisions; each waits for the orders of the previous one (O7)."""

    START = "START"
    REBALANCE = "REBALANCE"
    TRANCHES = "TRANCHES"
    END = "END"


DAY_TABLE: Table[DayStage] = Table(
    "core-hodl-day",
    DayStage.START,
    [
        Row("judged", DayStage.START, DayStage.REBALANCE, "C7, CH-2: flows, buffer and triggers are decided"),
        Row("balanced", DayStage.REBALANCE, DayStage.TRANCHES, "CH-4: no leg of a rebalance is open"),
        Row("bought", DayStage.TRANCHES, DayStage.END, "CH-6: tranches of open plans are decided"),
    ],
    {
        DayStage.START: "НАЧАЛО_ДНЯ",
        DayStage.REBALANCE: "РЕБАЛАНСИРОВКА",
        DayStage.TRANCHES: "ТРАНШИ",
        DayStage.END: "КОНЕЦ_ДНЯ",
    },
)


class DayMachine(StateMachine[DayStage]):
    """The decisions of one day."""

    __slots__ = ()
    TABLE = DAY_TABLE
    IS_BOOKKEEPING = True


DAY_KEY = "DAY"


class CoreHodlMachine(StateMachine[CoreState]):
    """Moves the engine through the table; every method returns the journal line of its decision.

    Raises (all methods):
        IllegalTransitionError: the table has no such row for the current state.
    """

    __slots__ = ()
    TABLE = TABLE

    def built(self, reason: str) -> JournalEntry:
        """CH-6: every plan has ended."""
        return self.fire("built", reason, {})

    def rebalance(self, reason: str, data: Mapping[str, Any]) -> list[JournalEntry]:
        """CH-2: a rebalance begins; an open plan is interrupted for it (C6)."""
        has_plan = self.state is CoreState.INITIALIZATION
        notes = [self.fire("interrupt", f"the open plan is interrupted (C6): {reason}", data)] if has_plan else []
        return [*notes, self.fire("rebalance", reason, data)]

    def rebalanced(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """CH-4: the rebalance has ended."""
        return self.fire("rebalanced", reason, data)

    def earn(self, reason: str) -> JournalEntry:
        """CH-10: evaluate staking between two rebalances."""
        return self.fire("earn", reason, {})

    def optimised(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """CH-10: staking has been decided."""
        return self.fire("optimised", reason, data)

    def new_capital(self, reason: str) -> JournalEntry:
        """CH-5: a plan is open."""
        return self.fire("new_capital", reason, {})
