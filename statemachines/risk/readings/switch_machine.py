"""One automatic switch (RM-4): from a bad reading over consecutive ones to its trip and its end, with the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from statemachines.commands import JournalEntry, JournalLine
from statemachines.facts import SwitchReading, SwitchTripFact
from statemachines.fsm import Row, StateMachine, Table
from statemachines.risk.parameters import StreakPolicy
from statemachines.risk.switches import next_streak

MOST_EVIDENCE = 60
"""Readings kept of one switch: as many as orders are looked back at, and some (R2)."""


class SwitchState(StrEnum):
    """Whether a switch's readings are good, doubtful, or have tripped it."""

    CLEAR = "CLEAR"
    SUSPECT = "SUSPECT"
    TRIPPED = "TRIPPED"


_S = SwitchState

SWITCH_TABLE: Table[SwitchState] = Table(
    "switch",
    _S.CLEAR,
    (
        Row("suspect", _S.CLEAR, _S.SUSPECT, "RM-4: one bad reading trips nothing"),
        Row("clear", _S.SUSPECT, _S.CLEAR, "RM-4: the bad readings were not consecutive"),
        Row("trip", _S.SUSPECT, _S.TRIPPED, "RM-4: consecutive bad readings"),
        Row(
            "trip_at_once", _S.CLEAR, _S.TRIPPED, "R2, FU-9: one reading that counts several: orders, seconds, balances"
        ),
        Row("end", _S.TRIPPED, _S.CLEAR, "R2: its readings are good again"),
    ),
    {_S.CLEAR: "Показания хорошие", _S.SUSPECT: "Подозрение", _S.TRIPPED: "Сработал"},
)


class Reading(NamedTuple):
    """What was measured at a market time, where, and the limit it was compared with."""

    at_ms: int
    source: str
    value: str
    limit: str


class Outcome(NamedTuple):
    """What one more reading did: journal lines, and whether the switch has tripped or ended by it."""

    notes: list[JournalLine]
    has_tripped: bool = False
    has_ended: bool = False


class AutomaticSwitch(StateMachine[SwitchState]):
    """One switch and one subject. `bad` are the bad readings running, oldest first; `good` the good readings running
    since it tripped; `fact` what is on record of its trip until it has ended."""

    TABLE = SWITCH_TABLE

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.bad: list[Reading] = []
        self.good = 0
        self.fact: SwitchTripFact | None = None

    def take_bad(self, reading: Reading, policy: StreakPolicy, apart_ms: int = 0) -> Outcome:
        """One more bad reading; it counts only `apart_ms` after the last one that did. Once tripped, a switch does not
        trip again before its readings were good: what the operator decides meanwhile stands."""
        self.good = 0
        if self.state is SwitchState.TRIPPED:
            return Outcome([])
        if self.bad and reading.at_ms - self.bad[-1].at_ms < apart_ms:
            return Outcome([])
        self.bad = [*self.bad, reading][-MOST_EVIDENCE:]
        if next_streak(policy, len(self.bad) - 1, is_bad=True).trips:
            return self.trip(self.bad, reading.at_ms)
        if self.state is SwitchState.SUSPECT:
            return Outcome([])
        return Outcome([self._fire("suspect", f"a bad reading, {policy.consecutive} in a row trip the switch")])

    def take_good(self, consecutive: int = 1) -> Outcome:
        """One more good reading; so many running end a trip, one ends a suspicion."""
        if self.state is SwitchState.CLEAR:
            return Outcome([])
        if self.state is SwitchState.SUSPECT:
            note = self._fire("clear", "a good reading")
            self.bad = []
            return Outcome([note])
        self.good += 1
        if self.good < consecutive:
            return Outcome([])
        note = self._fire("end", f"{self.good} good readings in a row")
        self.bad, self.good = [], 0
        return Outcome([note], has_ended=True)

    def trip(self, evidence: Sequence[Reading], now_ms: int) -> Outcome:
        """The readings trip it, in whatever state; already tripped, nothing changes."""
        if self.state is SwitchState.TRIPPED:
            return Outcome([])
        self.bad, self.good = list(evidence)[-MOST_EVIDENCE:], 0
        trigger = "trip" if self.state is SwitchState.SUSPECT else "trip_at_once"
        return Outcome([self._fire(trigger, f"{len(self.bad)} bad readings")], has_tripped=True)

    def begun(self, effect: str, reason: str, now_ms: int) -> SwitchTripFact:
        """Its trip for the record, with the readings that tripped it."""
        name, _, subject = self.key.partition(":")
        readings = [
            SwitchReading(source=one.source, value=one.value, limit=one.limit, age_ms=now_ms - one.at_ms)
            for one in self.bad
        ]
        self.fact = SwitchTripFact(
            trip_id=f"{self.key}:{now_ms}",
            switch=name,
            subject=subject,
            effect=effect,
            reason=reason,
            readings=readings,
            tripped_ms=now_ms,
        )
        return self.fact

    def ended(self, now_ms: int) -> SwitchTripFact | None:
        """The end of its trip for the record."""
        fact, self.fact = self.fact, None
        return None if fact is None else fact.model_copy(update={"ended_ms": now_ms})

    def _fire(self, trigger: str, reason: str) -> JournalEntry:
        return self.fire(trigger, reason, {"readings": [[one.source, one.value, one.limit] for one in self.bad]})

    # --- durability ---

    def to_data(self) -> dict[str, Any]:
        """The durable state."""
        return {
            "state": self.state.value,
            "bad": [list(one) for one in self.bad],
            "good": self.good,
            "fact": None if self.fact is None else self.fact.model_dump(mode="json"),
        }

    @classmethod
    def from_data(cls, key: str, data: Mapping[str, Any]) -> AutomaticSwitch:
        """Restored from the result of `to_data`. Raises UnknownStateError."""
        made = cls.restored(key, data["state"])
        made.bad = [Reading(int(at), str(source), str(value), str(limit)) for at, source, value, limit in data["bad"]]
        made.good = int(data["good"])
        made.fact = None if data["fact"] is None else SwitchTripFact.model_validate(data["fact"])
        return made
