"""The machine of the engine (CH-5): its table and the decisions that move it.

Suspension of rebalancing (CH-8) and the stop of all activity (CH-9) are flags beside it, not states: whatever the
engine was doing, it resumes from there when they end.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from statemachines.commands import JournalEntry
from statemachines.fsm import Row, Table


class CoreState(Enum):
    """States of the engine."""

    INITIALIZATION = "INITIALIZATION"
    ACCUMULATION = "ACCUMULATION"
    REBALANCING = "REBALANCING"
    EARN_OPTIMIZATION = "EARN_OPTIMIZATION"


_S = CoreState

TABLE: Table[CoreState] = Table(
    "CORE-HODL",
    _S.INITIALIZATION,
    [
        # the diagram of CH-5
        Row("built", _S.INITIALIZATION, _S.ACCUMULATION, "CH-6: no plan is open any more"),
        Row("rebalance", _S.ACCUMULATION, _S.REBALANCING, "CH-2: drift or calendar"),
        Row("rebalanced", _S.REBALANCING, _S.EARN_OPTIMIZATION, "CH-4: all legs have ended"),
        Row("optimised", _S.EARN_OPTIMIZATION, _S.ACCUMULATION, "CH-10: staking is decided"),
        Row("new_capital", _S.ACCUMULATION, _S.INITIALIZATION, "CH-5: an inflow's plan is open"),
        # what reality adds
        Row("interrupt", _S.INITIALIZATION, _S.ACCUMULATION, "C6: a trigger of CH-2 while a plan is open"),
        Row("earn", _S.ACCUMULATION, _S.EARN_OPTIMIZATION, "CH-10: the market calms down between two rebalances"),
    ],
    {
        _S.INITIALIZATION: "ИНИЦИАЛИЗАЦИЯ",
        _S.ACCUMULATION: "НАКОПЛЕНИЕ",
        _S.REBALANCING: "РЕБАЛАНСИРОВКА",
        _S.EARN_OPTIMIZATION: "ОПТИМИЗАЦИЯ_EARN",
    },
)

MACHINE_KEY = "CORE"


class CoreHodlMachine:
    """Moves the engine through the table; every method answers the journal line of its decision.

    Raises (all methods but `remark`):
        IllegalTransitionError: the table has no such arrow from the present state.
    """

    def __init__(self, state: CoreState = CoreState.INITIALIZATION) -> None:
        self.state = state

    def _fire(self, trigger: str, reason: str, data: Mapping[str, Any] | None = None) -> JournalEntry:
        source, self.state = self.state, TABLE.fire(self.state, trigger)
        return JournalEntry(MACHINE_KEY, trigger, source.name, self.state.name, reason, dict(data or {}))

    def remark(self, trigger: str, reason: str, data: Mapping[str, Any] | None = None) -> JournalEntry:
        """A decision that moves nothing."""
        return JournalEntry(MACHINE_KEY, trigger, self.state.name, self.state.name, reason, dict(data or {}))

    def built(self, reason: str, data: Mapping[str, Any] | None = None) -> JournalEntry:
        """CH-6: every plan has ended."""
        return self._fire("built", reason, data)

    def rebalance(self, reason: str, data: Mapping[str, Any]) -> list[JournalEntry]:
        """CH-2: a rebalance begins; a plan that is open steps aside for it (C6)."""
        aside = self.state is CoreState.INITIALIZATION
        notes = [self._fire("interrupt", f"the open plan steps aside (C6): {reason}")] if aside else []
        return [*notes, self._fire("rebalance", reason, data)]

    def rebalanced(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """CH-4: the rebalance has ended."""
        return self._fire("rebalanced", reason, data)

    def earn(self, reason: str) -> JournalEntry:
        """CH-10: look at staking between two rebalances."""
        return self._fire("earn", reason)

    def optimised(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """CH-10: what is staked is decided."""
        return self._fire("optimised", reason, data)

    def new_capital(self, reason: str) -> JournalEntry:
        """CH-5: a plan is open."""
        return self._fire("new_capital", reason)
