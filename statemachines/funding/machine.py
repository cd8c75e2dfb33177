"""The machine of one asset (FU-10): its table and its decisions.

Beside the specification's transitions the table has those that practice requires; each names its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any

from statemachines.commands import JournalEntry
from statemachines.fsm import Row, StateMachine, Table
from statemachines.funding.rules import ExitReason


class FundingState(Enum):
    """States of one asset."""

    MONITORING = "MONITORING"
    OPPORTUNITY_DETECTED = "OPPORTUNITY_DETECTED"
    ENTRY = "ENTRY"
    FUNDING_COLLECTION = "FUNDING_COLLECTION"
    MAX_HOLD_DAYS = "MAX_HOLD_DAYS"
    FUNDING_NEGATIVE = "FUNDING_NEGATIVE"
    EXIT = "EXIT"


_S = FundingState

TABLE: Table[FundingState] = Table(
    "funding",
    _S.MONITORING,
    [
        # the diagram of FU-10
        Row("opportunity", _S.MONITORING, _S.OPPORTUNITY_DETECTED, "FU-2 holds"),
        Row("enter", _S.OPPORTUNITY_DETECTED, _S.ENTRY, "FU-4: both legs sent"),
        Row("hedged", _S.ENTRY, _S.FUNDING_COLLECTION, "FU-4: both legs filled within the tolerance"),
        Row("leave", _S.FUNDING_COLLECTION, _S.EXIT, "FU-3 basis, FU-8, FU-9, short lost; RM-5: the operator"),
        Row("max_hold", _S.FUNDING_COLLECTION, _S.MAX_HOLD_DAYS, "FU-3: 14 days"),
        Row("negative", _S.FUNDING_COLLECTION, _S.FUNDING_NEGATIVE, "FU-3: settled rate below 0"),
        Row("close", _S.MAX_HOLD_DAYS, _S.EXIT, "FU-3: 14 days"),
        Row("close", _S.FUNDING_NEGATIVE, _S.EXIT, "FU-3: settled rate below 0"),
        Row("closed", _S.EXIT, _S.MONITORING, "both legs flat"),
        # transitions that practice adds
        Row("decline", _S.OPPORTUNITY_DETECTED, _S.MONITORING, "FU-7, RM-3: no room, no capital or entries blocked"),
        Row("not_filled", _S.ENTRY, _S.MONITORING, "RM-1, EX-3: both legs denied or unfilled, nothing is held"),
        Row("unwind", _S.ENTRY, _S.EXIT, "FU-4: one leg cannot be filled, the other is unwound; RM-5: the operator"),
        Row("roll", _S.MAX_HOLD_DAYS, _S.FUNDING_COLLECTION, "F6: on_max_hold = roll"),
        Row("stray_fill", _S.MONITORING, _S.EXIT, "EX-1: a fill after the end of its order is legal"),
    ],
    {
        _S.MONITORING: "МОНИТОРИНГ",
        _S.OPPORTUNITY_DETECTED: "ВОЗМОЖНОСТЬ_ОБНАРУЖЕНА",
        _S.ENTRY: "ВХОД",
        _S.FUNDING_COLLECTION: "СБОР_ФИНАНСИРОВАНИЯ",
        _S.MAX_HOLD_DAYS: "МАКС_ДНЕЙ_УДЕРЖАНИЯ",
        _S.FUNDING_NEGATIVE: "ФИНАНСИРОВАНИЕ_ОТРИЦАТЕЛЬНОЕ",
        _S.EXIT: "ВЫХОД",
    },
)


class FundingMachine(StateMachine[FundingState]):
    """Moves one asset through the table; every method returns the journal lines of its decision.

    Raises (all methods):
        IllegalTransitionError: the table has no such row for the current state.
    """

    __slots__ = ()
    TABLE = TABLE

    def detect(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """FU-2 holds."""
        return self.fire("opportunity", reason, data)

    def decline(self, reason: str) -> JournalEntry:
        """The opportunity is not taken."""
        return self.fire("decline", reason, {})

    def enter(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """FU-4: both legs are sent."""
        return self.fire("enter", reason, data)

    def hedged(self, reason: str, data: Mapping[str, Any]) -> JournalEntry:
        """FU-4: the pair is hedged."""
        return self.fire("hedged", reason, data)

    def not_filled(self, reason: str) -> JournalEntry:
        """Neither leg was filled."""
        return self.fire("not_filled", reason, {})

    def roll(self, reason: str) -> list[JournalEntry]:
        """F6: the holding period restarts without a trade."""
        return [self.fire("max_hold", reason, {}), self.fire("roll", reason, {})]

    def leave(self, why: ExitReason, reason: str) -> list[JournalEntry]:
        """The pair is to be closed; the path through the diagram depends on the reason."""
        if self.state is FundingState.ENTRY:
            return [self.fire("unwind", reason, {})]
        if self.state is FundingState.MONITORING:
            return [self.fire("stray_fill", reason, {})]
        if why is ExitReason.NEGATIVE:
            return [self.fire("negative", reason, {}), self.fire("close", reason, {})]
        if why is ExitReason.MAX_HOLD:
            return [self.fire("max_hold", reason, {}), self.fire("close", reason, {})]
        return [self.fire("leave", reason, {})]

    def closed(self, reason: str) -> JournalEntry:
        """Both legs are flat."""
        return self.fire("closed", reason, {})


class EvaluationStage(StrEnum):
    """The stages of an evaluation; each uses the portfolio after the fills of the previous one."""

    EXITS = "exits"
    COMPOUND = "compound"
    ENTRIES = "entries"


EVALUATION_TABLE: Table[EvaluationStage] = Table(
    "funding-evaluation",
    EvaluationStage.EXITS,
    [
        Row("exits_decided", EvaluationStage.EXITS, EvaluationStage.COMPOUND, "F3, F8: then pairs are compounded"),
        Row("compounded", EvaluationStage.COMPOUND, EvaluationStage.ENTRIES, "F3, F8: then pairs are entered"),
    ],
    {
        EvaluationStage.EXITS: "ВЫХОДЫ",
        EvaluationStage.COMPOUND: "РЕИНВЕСТИРОВАНИЕ",
        EvaluationStage.ENTRIES: "ВХОДЫ",
    },
)


class EvaluationMachine(StateMachine[EvaluationStage]):
    """The evaluation of one settlement; it ends with the entries."""

    __slots__ = ()
    TABLE = EVALUATION_TABLE
    IS_BOOKKEEPING = True
