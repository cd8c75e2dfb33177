"""The daily cycle (OR-3) as a machine: exactly one cycle per market day, also across restarts.

It holds the stage, the day and the engine that runs now; the logic sends the messages. All of it is durable, so that
a restart resumes at the last commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any

from statemachines.commands import Alert, Commands, JournalEntry, Remark
from statemachines.fsm import Row, StateMachine, Table
from statemachines.values import ActorName

MACHINE = "daily-cycle"


class Stage(StrEnum):
    """The stages of the cycle."""

    IDLE = "IDLE"
    REFRESH = "REFRESH"
    RISK = "RISK"
    ENGINES = "ENGINES"
    PROTECTION = "PROTECTION"
    CAPITAL = "CAPITAL"
    SUMMARY = "SUMMARY"


_S = Stage
_OPEN = (_S.REFRESH, _S.RISK, _S.ENGINES, _S.PROTECTION, _S.CAPITAL)

CYCLE_TABLE: Table[Stage] = Table(
    "daily-cycle",
    _S.IDLE,
    (
        Row("day_closed", _S.IDLE, _S.REFRESH, "OR-3: a market day has ended"),
        Row("refreshed", _S.REFRESH, _S.RISK, "OR-3: market data refreshed, assess risk"),
        Row("risk_normal", _S.RISK, _S.ENGINES, "OR-3: run each engine"),
        Row("risk_caution", _S.RISK, _S.ENGINES, "R2: GLOBAL CAUTION: the cycle runs, entries are halved"),
        Row("risk_action", _S.RISK, _S.PROTECTION, "OR-3: no entries are allowed: execute the risk action and stop"),
        Row("engines_done", _S.ENGINES, _S.CAPITAL, "OR-3: rebalance capital"),
        Row("capital_rests", _S.ENGINES, _S.SUMMARY, "R2: GLOBAL CAUTION: capital rests"),
        Row("protected", _S.PROTECTION, _S.SUMMARY, "OR-3: stopped, only the summary follows"),
        Row("capital_moved", _S.CAPITAL, _S.SUMMARY, "OR-3: daily summary"),
        Row("capital_rests", _S.CAPITAL, _S.SUMMARY, "R2, O6: GLOBAL has left NORMAL since the risk check"),
        *(Row("overtaken", s, _S.SUMMARY, "the next day has closed: this cycle ends unfinished") for s in _OPEN),
        Row("summarised", _S.SUMMARY, _S.IDLE, "OR-3: the day is complete, exactly once"),
    ),
    {
        _S.IDLE: "Ожидание",
        _S.REFRESH: "Обновление рыночных данных",
        _S.RISK: "Проверка рисков",
        _S.ENGINES: "Запуск движков",
        _S.PROTECTION: "Исполнение защитных действий",
        _S.CAPITAL: "Оркестрация капитала",
        _S.SUMMARY: "Дневная сводка",
    },
)


class CycleMachine(StateMachine[Stage]):
    """The stages of OR-3."""

    __slots__ = ()
    TABLE = CYCLE_TABLE


@dataclass(slots=True)
class DailyCycle:
    """State of the cycle. `queue` holds the engines still to run, `waiting_for` the one that runs now.

    `last_day_ms` is the newest day whose cycle was started: a day at or before it is never started again. `next_day_ms`
    and `next_close_ms` are a closed day whose cycle has not started yet. `transfers` are the requests ordered in this
    cycle, None until they are ordered.
    """

    machine: CycleMachine = field(default_factory=lambda: CycleMachine(MACHINE))
    day_ms: int = 0
    close_ms: int = 0
    last_day_ms: int | None = None
    next_day_ms: int | None = None
    next_close_ms: int = 0
    risk_state: str | None = None
    risk_reason: str = ""
    equity_usdt: Decimal | None = None
    queue: list[str] = field(default_factory=list)
    waiting_for: str | None = None
    outcomes: dict[str, str] = field(default_factory=dict)
    transfers: list[str] | None = None

    @property
    def stage(self) -> Stage:
        """The current stage."""
        return self.machine.state

    def is_news(self, day_ms: int) -> bool:
        """Whether this closed day has been neither started nor superseded (OR-3: exactly once)."""
        newest = max((d for d in (self.last_day_ms, self.next_day_ms) if d is not None), default=None)
        return newest is None or day_ms > newest

    @property
    def is_overtaken(self) -> bool:
        """Whether the next day has closed while this cycle is still under way."""
        return self.next_day_ms is not None and self.stage in _OPEN

    def begin_day(self) -> JournalEntry:
        """IDLE → REFRESH for the next closed day."""
        assert self.next_day_ms is not None
        self.day_ms, self.close_ms = self.next_day_ms, self.next_close_ms
        self.last_day_ms, self.next_day_ms = self.day_ms, None
        self.risk_state, self.risk_reason, self.equity_usdt = None, "", None
        self.queue, self.waiting_for, self.outcomes, self.transfers = [], None, {}, None
        return self.fire("day_closed", f"the day {self.day_ms} has closed at {self.close_ms}")

    def fire(self, trigger: str, reason: str) -> JournalEntry:
        """Move along the table. Raises IllegalTransitionError when there is no such row."""
        return self.machine.fire(trigger, reason, {"day_ms": self.day_ms})

    def run_engines(self) -> JournalEntry:
        """RISK → ENGINES: every engine may enter, in CAUTION at half size (R2)."""
        if self.risk_state == "NORMAL":
            return self.fire("risk_normal", self.risk_reason)
        return self.fire("risk_caution", f"{self.risk_reason}; entries are made at half size, capital is not moved")

    def engines_have_run(self) -> JournalEntry:
        """All engines have run: capital is moved in a NORMAL state alone (R2, O6)."""
        reason = f"all engines have run: {', '.join(self.outcomes) or 'none'}"
        if self.stage is Stage.PROTECTION:
            return self.fire("protected", reason)
        return self.fire("engines_done" if self.risk_state == "NORMAL" else "capital_rests", reason)

    def stay(self, trigger: str, reason: str, **data: Any) -> Remark:
        """A decision without a transition."""
        return self.machine.remark(trigger, reason, {"day_ms": self.day_ms, **data})

    def skipped(self, day_ms: int) -> Commands:
        """A closed day whose cycle could not start before the next day closed."""
        text = f"the cycle of day {day_ms} was skipped: {self.next_day_ms} closed before it could start"
        note = self.stay("day_skipped", text, skipped_day_ms=day_ms)
        return [note, Alert("critical", "A daily cycle was skipped", text)]

    def next_engine(self) -> ActorName | None:
        """Remove the next engine from the queue; None when all have run."""
        return ActorName(self.queue.pop(0)) if self.queue else None

    def to_data(self) -> dict[str, Any]:
        """The durable state (the stage is the row's state)."""
        data = {one.name: copy(getattr(self, one.name)) for one in fields(self) if one.name != "machine"}
        data["equity_usdt"] = None if self.equity_usdt is None else str(self.equity_usdt)
        return data

    @classmethod
    def from_data(cls, stage: str, data: Mapping[str, Any]) -> DailyCycle:
        """Restore from the result of `to_data`."""
        fields = dict(data)
        equity = fields.pop("equity_usdt")
        fields["queue"], fields["outcomes"] = list(fields["queue"]), dict(fields["outcomes"])
        return cls(
            machine=CycleMachine.restored(MACHINE, stage),
            equity_usdt=None if equity is None else Decimal(equity),
            **fields,
        )
