"""The procedure that makes one engine flat (RM-5, R3): its table, its durable fields and its decisions.

"Flat" is never assumed: the engine is ordered to close what it holds, and the exchange's own lists are read until two
of them, 5 s apart, show neither a position but dust nor an open order. It survives a crash at any step: a reading that
was lost is made again, and an order to the engine is a message that is delivered until it is committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from statemachines.backoff import Backoff
from statemachines.commands import JournalEntry, JournalLine
from statemachines.fsm import Row, StateMachine, Table
from statemachines.values import MINUTE_MS, SECOND_MS

PROOF_MS = 5 * SECOND_MS
"""R3: the time between the two queries that prove flatness; also the pause between two readings while it is closed."""
ANSWER_MS = 15 * SECOND_MS
"""A reading that has not come after this time is requested again: it was lost, or the order manager was down."""
OVERDUE_MS = MINUTE_MS
"""An engine that is not flat after this time is an alert; closing and reading continue."""
RETRY = Backoff((30.0, 60.0, 120.0, 300.0), 600.0)
"""The pauses between two attempts after that; each orders the engine again to close what it holds."""


class FlattenState(StrEnum):
    """Where the procedure stands."""

    IDLE = "IDLE"
    REQUESTED = "REQUESTED"
    CANCELLING = "CANCELLING"
    CLOSING = "CLOSING"
    VERIFYING = "VERIFYING"
    FLAT = "FLAT"
    FAILED = "FAILED"
    ABANDONED = "ABANDONED"


_S = FlattenState
_ENDS = (_S.IDLE, _S.FLAT, _S.ABANDONED)
_UNDER_WAY = (_S.CANCELLING, _S.CLOSING, _S.VERIFYING, _S.FAILED)
READING = (_S.CLOSING, _S.VERIFYING, _S.FAILED)
"""States in which the exchange's own lists are read."""

FLATTEN_TABLE: Table[FlattenState] = Table(
    "flatten",
    _S.IDLE,
    (
        *(
            Row("request", state, _S.REQUESTED, "RM-5: the operator's command; the engine stands HALTED")
            for state in _ENDS
        ),
        Row("cancel", _S.REQUESTED, _S.CANCELLING, "RM-5: orders for new risk are withdrawn, their ends are awaited"),
        Row("close", _S.REQUESTED, _S.CLOSING, "R3: no order for new risk is open"),
        Row("close", _S.CANCELLING, _S.CLOSING, "R3: the last order for new risk has ended"),
        Row("seen_flat", _S.CLOSING, _S.VERIFYING, "R3: a first query shows no position but dust and no open order"),
        Row("seen_flat", _S.FAILED, _S.VERIFYING, "R3: as from CLOSING; the retries have succeeded"),
        Row("not_flat", _S.VERIFYING, _S.CLOSING, "R3: the second query shows something again"),
        Row("prove", _S.VERIFYING, _S.FLAT, "R3: a second query, at least 5 s later, shows the same"),
        Row("overdue", _S.CANCELLING, _S.FAILED, "RM-5: not flat in time: alert; it is retried"),
        Row("overdue", _S.CLOSING, _S.FAILED, "RM-5: not flat in time: alert; it is retried"),
        *(Row("abandon", state, _S.ABANDONED, "RM-5: the operator has ended HALTED meanwhile") for state in _UNDER_WAY),
        Row("end", _S.FLAT, _S.IDLE, "RM-5: the command normal: the engine may hold positions again"),
    ),
    {
        _S.IDLE: "Не запрошено",
        _S.REQUESTED: "Запрошено",
        _S.CANCELLING: "Отмена ордеров",
        _S.CLOSING: "Закрытие",
        _S.VERIFYING: "Проверка",
        _S.FLAT: "Закрыто",
        _S.FAILED: "Не удалось",
        _S.ABANDONED: "Прекращено",
    },
)


class FlattenMachine(StateMachine[FlattenState]):
    """One engine's procedure; `key` is the engine's name.

    `number` is that of the newest reading requested; an answer with another one is not awaited any more. `due_ms` is
    when the next reading is requested, `flat_ms` when the first flat one was made, `left` what the newest has shown,
    `retries` counts the attempts since it has FAILED. `patience_ms` is when its time is up: a minute after the first
    tick since the command, because market time that is played back leaps by hours between two instants.
    """

    TABLE = FLATTEN_TABLE

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.command_id = ""
        self.reason = ""
        self.requested_ms = 0
        self.patience_ms: int | None = None
        self.number = 0
        self.due_ms: int | None = None
        self.flat_ms: int | None = None
        self.left: list[str] = []
        self.retries = 0

    # --- views ---

    @property
    def is_under_way(self) -> bool:
        """Whether the engine is being made flat."""
        return self.state in _UNDER_WAY

    def deadline(self) -> int | None:
        """The next reading, or the end of patience; None when nothing is due."""
        if self.is_impatient and self.patience_ms is None:
            return self.requested_ms
        overdue_ms = self.patience_ms if self.is_impatient else None
        return min((at for at in (self.due_ms, overdue_ms) if at is not None), default=None)

    @property
    def is_impatient(self) -> bool:
        """Whether its time to become flat is limited."""
        return self.state in (_S.CANCELLING, _S.CLOSING)

    def is_overdue(self, now_ms: int) -> bool:
        return self.is_impatient and self.patience_ms is not None and now_ms >= self.patience_ms

    # --- decisions ---

    def begin_patience(self, now_ms: int) -> None:
        """The first tick since the command."""
        self.patience_ms = now_ms + OVERDUE_MS

    def request(self, command_id: str, reason: str, now_ms: int, *, is_working: bool) -> list[JournalLine]:
        """The operator's command; `is_working`: an order for new risk is open. Under way: only recorded."""
        if self.is_under_way:
            self.due_ms = None if self.state is _S.CANCELLING else now_ms
            return [self.remark("request", f"{reason}: already {self.state}; the engine is ordered again", {})]
        self.command_id, self.reason, self.requested_ms = command_id, reason, now_ms
        self.flat_ms, self.patience_ms, self.left = None, None, []
        first = self.fire("request", reason, {"command_id": command_id})
        if is_working:
            return [first, self.fire("cancel", "orders for new risk are withdrawn", {})]
        return [first, self._close("no order for new risk is open", now_ms)]

    def cancelled(self, now_ms: int) -> JournalEntry:
        """No order for new risk is open any more."""
        return self._close("the last order for new risk has ended", now_ms)

    def _close(self, why: str, now_ms: int) -> JournalEntry:
        self.due_ms = now_ms
        return self.fire("close", why, {})

    def next_reading(self, now_ms: int) -> int:
        """A reading is requested now: its number."""
        self.number += 1
        self.retries += self.state is _S.FAILED
        self.due_ms = now_ms + max(ANSWER_MS, self._pause_ms())
        return self.number

    def awaits(self, number: int) -> bool:
        """Whether the answer to this reading counts."""
        return self.state in READING and number == self.number

    def unread(self, why: str, now_ms: int) -> JournalLine:
        """The exchange could not be read, which proves nothing."""
        self.due_ms = now_ms + self._pause_ms()
        return self.remark("unread", f"the account could not be read: {why}", {})

    def judge(self, left: Sequence[str], read_ms: int, now_ms: int) -> list[JournalLine]:
        """What one reading shows beside dust."""
        before, self.left = self.left, list(left)
        if left:
            self.flat_ms = None
            self.due_ms = now_ms + self._pause_ms()
            text = f"the exchange still shows {'; '.join(left)}"
            if self.state is _S.VERIFYING:
                return [self.fire("not_flat", text, {})]
            return [] if before == self.left else [self.remark("not_flat", text, {})]
        if self.flat_ms is None:
            self.flat_ms, self.due_ms = read_ms, now_ms + PROOF_MS
            return [self.fire("seen_flat", "no position but dust and no open order, a first time", {})]
        if read_ms - self.flat_ms < PROOF_MS:
            self.due_ms = now_ms + self.flat_ms + PROOF_MS - read_ms
            return []
        apart_s = (read_ms - self.flat_ms) / SECOND_MS
        self.due_ms = None
        return [self.fire("prove", f"two queries {apart_s:g} s apart show no position but dust and no open order", {})]

    def _pause_ms(self) -> int:
        return int(RETRY.pause_s(self.retries) * SECOND_MS) if self.state is _S.FAILED and self.retries else PROOF_MS

    def overdue(self, now_ms: int) -> JournalEntry:
        """Patience has ended: the operator must know."""
        self.due_ms, self.retries = now_ms, 0
        shown = "; ".join(self.left) or "its orders have not ended, or the account has not been read"
        return self.fire("overdue", f"not flat {OVERDUE_MS // SECOND_MS} s after the command: {shown}", {})

    def abandon(self, reason: str) -> JournalEntry:
        """The operator has ended HALTED: nothing is verified any more."""
        self.due_ms = self.flat_ms = None
        return self.fire("abandon", reason, {})

    def end(self, reason: str) -> JournalEntry:
        """The engine trades again: what was proven says nothing of what it holds from now on."""
        return self.fire("end", reason, {})

    # --- durability ---

    def to_data(self) -> dict[str, Any]:
        """The durable fields beside the state."""
        return {
            "command_id": self.command_id,
            "reason": self.reason,
            "requested_ms": self.requested_ms,
            "patience_ms": self.patience_ms,
            "number": self.number,
            "due_ms": self.due_ms,
            "flat_ms": self.flat_ms,
            "left": self.left,
            "retries": self.retries,
        }

    @classmethod
    def from_row(cls, key: str, state: str, data: Mapping[str, Any]) -> FlattenMachine:
        """The procedure restored from a durable row. Raises UnknownStateError."""
        made = cls.restored(key, state)
        made.command_id, made.reason = data["command_id"], data["reason"]
        made.requested_ms, made.number = data["requested_ms"], data["number"]
        made.patience_ms = data["patience_ms"]
        made.due_ms, made.flat_ms, made.left = data["due_ms"], data["flat_ms"], list(data["left"])
        made.retries = data["retries"]
        return made
