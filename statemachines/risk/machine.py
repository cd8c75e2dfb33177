"""The risk states (RM-2): one machine for the whole system (GLOBAL) and one per engine.

Rules *demand* a level while their reading is bad; the machine escalates immediately, possibly by more than one step,
and returns to the level still demanded after 24 h of calm, or by a command of the operator. Only the operator can end
HALTED. PAUSED is set by the operator only; the levels that rules demand are tracked meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.commands import JournalEntry, JournalLine, Remark
from statemachines.fsm import Row, StateMachine, Table
from statemachines.limits.entry_gate import GLOBAL_SCOPE, permits_entries
from statemachines.limits.operator_scopes import FLATTEN
from statemachines.state_store import RowKind

GLOBAL = GLOBAL_SCOPE


class Level(IntEnum):
    """The severity; larger is stricter."""

    NORMAL = 0
    CAUTION = 1
    REDUCE_ONLY = 2
    HALTED = 3


class RiskStateName(StrEnum):
    """The states of RM-2 and the operator's pause."""

    NORMAL = "NORMAL"
    CAUTION = "CAUTION"
    REDUCE_ONLY = "REDUCE_ONLY"
    HALTED = "HALTED"
    PAUSED = "PAUSED"


_S = RiskStateName

STRICTNESS: tuple[RiskStateName, ...] = (_S.NORMAL, _S.CAUTION, _S.PAUSED, _S.REDUCE_ONLY, _S.HALTED)
"""The states in order of strictness, the least strict first."""

NO_NEW_RISK = frozenset(state for state in _S if not permits_entries(state))
"""States in which an engine may not open or enlarge anything."""


def stricter(one: RiskStateName, other: RiskStateName) -> RiskStateName:
    """The state in force when two scopes apply, such as GLOBAL and an engine's own (RM-2)."""
    return max(one, other, key=STRICTNESS.index)


RISK_TABLE: Table[RiskStateName] = Table(
    "risk",
    _S.NORMAL,
    (
        Row("caution", _S.NORMAL, _S.CAUTION, "RM-2: immediate escalation"),
        Row("reduce_only", _S.NORMAL, _S.REDUCE_ONLY, "RM-2: escalation may skip states"),
        Row("halt", _S.NORMAL, _S.HALTED, "RM-2: escalation may skip states"),
        Row("reduce_only", _S.CAUTION, _S.REDUCE_ONLY, "RM-2: immediate escalation"),
        Row("halt", _S.CAUTION, _S.HALTED, "RM-2: escalation may skip states"),
        Row("halt", _S.REDUCE_ONLY, _S.HALTED, "RM-2: immediate escalation"),
        Row("calm", _S.CAUTION, _S.NORMAL, "RM-2: 24 h calm"),
        Row("calm", _S.REDUCE_ONLY, _S.NORMAL, "RM-2: 24 h calm, nothing demanded any more"),
        Row("calm_to_caution", _S.REDUCE_ONLY, _S.CAUTION, "RM-2: 24 h calm, CAUTION still demanded"),
        Row("reading_good", _S.REDUCE_ONLY, _S.NORMAL, "R2: 5 good minutes, nothing else demanded"),
        Row("reading_good_to_caution", _S.REDUCE_ONLY, _S.CAUTION, "R2: 5 good minutes, CAUTION still demanded"),
        Row("standstill", _S.REDUCE_ONLY, _S.CAUTION, "R1: 30 days REDUCE_ONLY by drawdown and flat"),
        Row("operator_normal", _S.CAUTION, _S.NORMAL, "RM-2: operator"),
        Row("operator_normal", _S.REDUCE_ONLY, _S.NORMAL, "RM-2: operator"),
        Row("operator_normal", _S.HALTED, _S.NORMAL, "RM-2: HALTED only by operator"),
        Row("operator_normal", _S.PAUSED, _S.NORMAL, "RM-5: operator"),
        Row("operator_reduce_only", _S.HALTED, _S.REDUCE_ONLY, "RM-2: HALTED only by operator"),
        Row("pause", _S.NORMAL, _S.PAUSED, "RM-5: pause an engine"),
        Row("pause", _S.CAUTION, _S.PAUSED, "RM-5: pause an engine"),
        Row("pause", _S.REDUCE_ONLY, _S.PAUSED, "RM-5: pause an engine"),
        Row("resume", _S.PAUSED, _S.NORMAL, "RM-5: resume an engine"),
        Row("resume_to_caution", _S.PAUSED, _S.CAUTION, "RM-5: resume; RM-3 still demands CAUTION"),
        Row("resume_to_reduce_only", _S.PAUSED, _S.REDUCE_ONLY, "RM-5: resume; a rule still demands REDUCE_ONLY"),
        Row("halt", _S.PAUSED, _S.HALTED, "RM-5: halt all"),
    ),
    {
        _S.NORMAL: "Норма",
        _S.CAUTION: "Осторожность",
        _S.REDUCE_ONLY: "Только сокращение",
        _S.HALTED: "Остановлено",
        _S.PAUSED: "Приостановлено",
    },
)


_ESCALATE = {Level.CAUTION: "caution", Level.REDUCE_ONLY: "reduce_only", Level.HALTED: "halt"}
_GOOD = {Level.NORMAL: "reading_good", Level.CAUTION: "reading_good_to_caution"}
_CALM = {Level.NORMAL: "calm", Level.CAUTION: "calm_to_caution"}
_RESUME = {Level.NORMAL: "resume", Level.CAUTION: "resume_to_caution", Level.REDUCE_ONLY: "resume_to_reduce_only"}

OPERATOR_RULE = "operator"
COMPONENT_RULE = "component"
"""The rule of a component that is FAULTED is this, a colon, and its name (OR-8)."""
DRAWDOWN_RULE = "drawdown"
_DEMANDING = frozenset({"reduce_only", "halt", FLATTEN})
"""Commands that hold a state until another command."""
RULE = "rule"
"""The prefix of `who` when a rule has changed the state."""


class RiskMachine(StateMachine[RiskStateName]):
    """The risk state of one scope: `GLOBAL` or an engine's name. Every method returns the journal lines of the
    changes.

    `level` is what rules demand or have demanded less than 24 h ago; `readings` are those of the exchange that are bad,
    which hold REDUCE_ONLY as long as they are, without calm afterwards (R2). The state is the stricter one of both.
    `reasons` has who brought each of them about and why, `is_closing` whether the operator flattens the scope (R3).
    """

    TABLE = RISK_TABLE

    def __init__(self, scope: str, calm_ms: int) -> None:
        super().__init__(scope)
        self.scope = scope
        self.level = Level.NORMAL
        self.demands: dict[str, Level] = {}
        self.readings: set[str] = set()
        self.reasons: dict[str, tuple[str, str]] = {}
        self.is_closing = False
        self.calm_since_ms: int | None = None
        self.entries_blocked_until_ms: int | None = None
        self.reason = "nothing has happened yet"
        self.who = "rule"
        self.changed_ms = 0
        self._calm_ms = calm_ms

    @property
    def explanation(self) -> str:
        """Why the state holds now: the reasons of all that demand it, that of its last change first, each with the
        person who gave it, if any. When nothing demands it any more (24 h of calm), the reason of its last change."""
        first = (self.who, self.reason)
        others = [one for one in self._causes() if one != first]
        if self.state is _S.PAUSED or not others:
            return _sentence(first)
        return "; also: ".join(
            [*(_sentence(one).removesuffix(".") for one in (first, *others[:-1])), _sentence(others[-1])]
        )

    @property
    def beneath_pause(self) -> str:
        """What a PAUSED scope stands in when it is resumed, and why; empty when nothing else demands a state."""
        if self.state is not _S.PAUSED or self.in_force is Level.NORMAL:
            return ""
        causes = "; ".join(_sentence(one).removesuffix(".") for one in self._causes())
        return f"{self.in_force.name}{f' ({causes})' if causes else ''}"

    def _causes(self) -> list[tuple[str, str]]:
        """Who and why, of all that demand the level in force, in the order of the rules' names."""
        rules = {rule for rule, level in self.demands.items() if level is self.in_force}
        if self.in_force is Level.REDUCE_ONLY:
            rules |= self.readings
        return list(dict.fromkeys(self.reasons[rule] for rule in sorted(rules)))

    # --- rules ---

    def demand(self, rule: str, level: Level, reason: str, now_ms: int) -> list[JournalLine]:
        """A rule's reading is bad: it demands `level` until it is released. Escalates immediately (RM-2)."""
        is_new = self._take_demand(rule, level, reason)
        notes = self._escalate(rule, level, reason, f"rule {rule}", now_ms)
        if is_new and not notes and level is self.in_force:
            notes = [self._joined(rule, reason)]
        self._watch_calm(now_ms)
        return notes

    def hold(self, rule: str, reason: str, now_ms: int) -> list[JournalLine]:
        """R2: a reading of the exchange has become bad: REDUCE_ONLY until `let_go`."""
        before, is_new = self.in_force, rule not in self.readings
        self.readings.add(rule)
        if is_new:
            self.reasons[rule] = (f"rule {rule}", reason)
        if self.in_force is before:
            return [self._joined(rule, reason)] if is_new and before is Level.REDUCE_ONLY else []
        return [self._enter(_ESCALATE[self.in_force], f"{rule}: {reason}", reason, f"rule {rule}", now_ms)]

    def let_go(self, rule: str, reason: str, now_ms: int) -> list[JournalLine]:
        """R2: it is good again, and was for long enough: back at once to what is demanded otherwise."""
        before = self.in_force
        self.readings.discard(rule)
        self._drop_reasons()
        if self.in_force is before:
            return []
        return [self._enter(_GOOD[self.in_force], reason, reason, f"rule {rule}", now_ms)]

    @property
    def in_force(self) -> Level:
        """The level of the state, unless the operator has paused the scope."""
        return max(self.level, Level.REDUCE_ONLY) if self.readings else self.level

    @property
    def _is_held(self) -> bool:
        """Whether pause or a bad reading keeps the state where it is, whatever rules demand less."""
        return self.state is _S.PAUSED or bool(self.readings)

    def release(self, rule: str, now_ms: int) -> None:
        """The rule's reading is good again; the state follows after 24 h of calm (`tick`)."""
        if self.demands.pop(rule, None) is not None:
            self._drop_reasons()
            self._watch_calm(now_ms)

    def demand_once(self, rule: str, level: Level, reason: str, now_ms: int) -> list[JournalLine]:
        """A bad event without duration: escalate; the 24 h of calm begin now."""
        notes = self.demand(rule, level, reason, now_ms)
        self.release(rule, now_ms)
        return notes

    def end_standstill(self, rule: str, reason: str, now_ms: int) -> list[JournalLine]:
        """R1: the demand of `rule` is dropped, and REDUCE_ONLY becomes CAUTION unless another rule still demands it."""
        self.demands.pop(rule, None)
        self._drop_reasons()
        if self.level is not Level.REDUCE_ONLY or self._demanded() >= Level.REDUCE_ONLY:
            self._watch_calm(now_ms)
            return []
        self.level = Level.CAUTION
        note = (
            self._stay("standstill_while_held", reason)
            if self._is_held
            else self._move("standstill", reason, f"rule {rule}", now_ms)
        )
        self.calm_since_ms = None
        self._watch_calm(now_ms)
        return [note]

    def tick(self, now_ms: int) -> list[JournalLine]:
        """Relax the state after 24 h of calm (RM-2)."""
        due_ms = self.deadline()
        if due_ms is None or now_ms < due_ms:
            return []
        target = self._demanded()
        reason = f"24 h calm since {self.calm_since_ms}: {self.level.name} is no longer demanded, now {target.name}"
        self.level = target
        note = (
            self._stay("calm_while_held", reason)
            if self._is_held
            else self._move(_CALM[target], reason, "rule calm", now_ms)
        )
        self.calm_since_ms = None
        self._watch_calm(now_ms)
        return [note]

    def deadline(self) -> int | None:
        """When 24 h of calm will be over; None while a rule demands the current level."""
        return None if self.calm_since_ms is None else self.calm_since_ms + self._calm_ms

    def block_entries(self, until_ms: int) -> None:
        """No new entries before `until_ms`, that instant excluded (RM-3, RULINGS F11)."""
        self.entries_blocked_until_ms = until_ms

    # --- operator (RM-5) ---

    def operator(self, action: str, who: str, reason: str, now_ms: int) -> list[JournalLine]:
        """Carry out an operator's action; one that changes nothing leaves a note without a transition."""
        notes = self._operate(action, who, f"{who}: {action} {self.scope}: {reason}", now_ms)
        if any(isinstance(note, JournalEntry) for note in notes):
            self.reason = reason  # `who` is always shown beside it
        if OPERATOR_RULE in self.demands and action in _DEMANDING:
            self.reasons[OPERATOR_RULE] = (who, reason)
            self.is_closing |= action == FLATTEN
        self.is_closing &= self.state is _S.HALTED
        return notes

    def _operate(self, action: str, who: str, text: str, now_ms: int) -> list[JournalLine]:
        if action == "normal":
            return self._operator_normal(text, who, now_ms)
        if action == "pause":
            return self._operator_pause(text, who, now_ms)
        if action == "resume":
            return self._operator_resume(text, who, now_ms)
        level = Level.HALTED if action in ("halt", FLATTEN) else Level.REDUCE_ONLY
        self.demands[OPERATOR_RULE] = level
        if self.state is _S.HALTED and level is Level.REDUCE_ONLY:
            notes: list[JournalLine] = [self._move("operator_reduce_only", text, who, now_ms)]
            self.level = level
        else:
            notes = self._escalate(OPERATOR_RULE, level, text, who, now_ms)
        self._watch_calm(now_ms)
        return notes or [self._stay(f"operator_{action}", f"{text}: nothing to change, the state is {self.state}")]

    def _operator_normal(self, text: str, who: str, now_ms: int) -> list[JournalLine]:
        self.demands.clear()
        self._drop_reasons()
        self.calm_since_ms = None
        self.entries_blocked_until_ms = None
        self.level = Level.NORMAL
        if self.readings:
            return [self._back_to_readings(text, who, now_ms)]
        if self.state is _S.NORMAL:
            return [self._stay("operator_normal", f"{text}: the state is already NORMAL")]
        return [self._move("operator_normal", text, who, now_ms)]

    def _back_to_readings(self, text: str, who: str, now_ms: int) -> JournalLine:
        """A reading is a fact that no command changes: REDUCE_ONLY stays until it is good."""
        bad = ", ".join(sorted(self.readings))
        text = f"{text}; REDUCE_ONLY stays while these readings are bad: {bad}"
        if self.state is _S.HALTED:
            return self._move("operator_reduce_only", text, who, now_ms)
        if self.state is _S.PAUSED:
            return self._move(_RESUME[Level.REDUCE_ONLY], text, who, now_ms)
        return self._stay("operator_normal", text)

    def _operator_pause(self, text: str, who: str, now_ms: int) -> list[JournalLine]:
        if self.state in (_S.PAUSED, _S.HALTED):
            return [self._stay("pause", f"{text}: nothing to change, the state is {self.state}")]
        return [self._move("pause", text, who, now_ms)]

    def _operator_resume(self, text: str, who: str, now_ms: int) -> list[JournalLine]:
        if self.state is not _S.PAUSED:
            return [self._stay("resume", f"{text}: refused, only PAUSED can be resumed and the state is {self.state}")]
        return [self._move(_RESUME[self.in_force], text, who, now_ms)]

    # --- internals ---

    def _take_demand(self, rule: str, level: Level, reason: str) -> bool:
        """Whether the demand is a new one: its reason is the one with which it began."""
        is_new = self.demands.get(rule) is not level
        self.demands[rule] = level
        if is_new:
            self.reasons[rule] = (f"rule {rule}", reason)
        return is_new

    def _drop_reasons(self) -> None:
        """Of demands and readings that are no longer there; what is left to demand the state takes their place."""
        former = set(self.reasons.values())
        self.reasons = {
            rule: one for rule, one in self.reasons.items() if rule in self.demands or rule in self.readings
        }
        left = self._causes()
        if left and (self.who, self.reason) in former - set(left):
            self.who, self.reason = left[0]

    def _joined(self, rule: str, reason: str) -> Remark:
        return self._stay("joined", f"{rule} demands {self.in_force.name} too: {reason}")

    def _demanded(self) -> Level:
        return max(self.demands.values(), default=Level.NORMAL)

    def _escalate(self, rule: str, level: Level, reason: str, who: str, now_ms: int) -> list[JournalLine]:
        if level <= self.level:
            return []
        before, self.level = self.in_force, level
        if self.in_force is before:
            return [self._stay(f"{_ESCALATE[level]}_while_held", f"{rule}: {reason}")]
        return [self._enter(_ESCALATE[level], f"{rule}: {reason}", reason, who, now_ms)]

    def _enter(self, trigger: str, paused: str, reason: str, who: str, now_ms: int) -> JournalLine:
        """A change of the level in force; while paused it is only noted, HALTED excepted."""
        if self.state is _S.PAUSED and self.in_force is not Level.HALTED:
            return self._stay(f"{trigger}_while_paused", paused)
        return self._move(trigger, reason, who, now_ms)

    def _watch_calm(self, now_ms: int) -> None:
        if self.level is Level.HALTED or self._demanded() >= self.level:
            self.calm_since_ms = None
        elif self.calm_since_ms is None:
            self.calm_since_ms = now_ms

    def _move(self, trigger: str, reason: str, who: str, now_ms: int) -> JournalEntry:
        entry = self.fire(trigger, reason, {"who": who})
        self.reason, self.who, self.changed_ms = reason, who, now_ms
        return entry

    def _stay(self, trigger: str, reason: str) -> Remark:
        return self.remark(trigger, reason, {})

    # --- durability ---

    def to_data(self) -> dict[str, Any]:
        """The durable state."""
        return {
            "level": self.level.name,
            "demands": {rule: level.name for rule, level in sorted(self.demands.items())},
            "readings": sorted(self.readings),
            "reasons": {rule: list(one) for rule, one in sorted(self.reasons.items())},
            "is_closing": self.is_closing,
            "calm_since_ms": self.calm_since_ms,
            "entries_blocked_until_ms": self.entries_blocked_until_ms,
            "reason": self.reason,
            "who": self.who,
            "changed_ms": self.changed_ms,
        }

    @classmethod
    def from_row(cls, scope: str, calm_ms: int, state: str, data: Mapping[str, Any]) -> RiskMachine:
        """The machine restored from a durable row (its state and `to_data`).

        Raises:
            UnknownStateError: the table has no such state.
        """
        made = cls(scope, calm_ms)
        made._state = made._known(state)
        made.level = Level[data["level"]]
        made.demands = {rule: Level[level] for rule, level in data["demands"].items()}
        made.readings = set(data["readings"])
        made.reasons = {rule: (who, reason) for rule, (who, reason) in data["reasons"].items()}
        made.is_closing = data["is_closing"]
        made.calm_since_ms = data["calm_since_ms"]
        made.entries_blocked_until_ms = data["entries_blocked_until_ms"]
        made.reason, made.who, made.changed_ms = data["reason"], data["who"], data["changed_ms"]
        return made


def _sentence(one: tuple[str, str]) -> str:
    who, reason = one
    return reason if who.startswith(RULE) else f"{who}: {reason}"


def _without_reasons(row: StateRow) -> StateRow:
    """Schema 1 had one reason for the state, whatever demanded it; its oldest rows had no readings."""
    readings = row.data.get("readings", [])
    reasons = {rule: [row.data["who"], row.data["reason"]] for rule in (*row.data["demands"], *readings)}
    return row._replace(schema=2, data={**row.data, "readings": readings, "reasons": reasons, "is_closing": False})


SCOPE_ROWS = RowKind("scope:", 2, {1: _without_reasons})
"""The rows of the scopes, and their former shape."""
