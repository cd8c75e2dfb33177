"""The logic of TOY-1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Commands, ExchangeCall, JournalEntry, Send
from statemachines.facts import BarFact
from statemachines.messages import CycleDone, Envelope, RunCycle
from statemachines.values import ActorName

from .machine import TOY_TABLE, ToyState
from .parameters import ToyParameters

KEY = "count"


class ToyEngine:
    """Implements `statemachines.actor_logic.ActorLogic`."""

    name = ActorName("toy-1")

    def __init__(self, parameters: ToyParameters) -> None:
        self._parameters = parameters
        self._state = TOY_TABLE.initial
        self._count = 0
        self._is_dirty = False

    def history_needed(self) -> Sequence[HistoryNeed]:
        return ()

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        """Nothing to take in."""

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Resume the count."""
        if row := rows.get(KEY):
            self._state, self._count = ToyState(row.state), int(row.data["count"])

    def begin(self, now_ms: int) -> Commands:
        return []

    def handle(self, message: Envelope) -> Commands:
        if not isinstance(message.body, RunCycle):
            return []
        self._count, self._is_dirty = self._count + 1, True
        done = Send(CycleDone(day_ms=message.body.day_ms, engine=self.name, summary=f"cycle {self._count} counted"))
        if self._count != self._parameters.enough:
            return [done]
        source, self._state = self._state, TOY_TABLE.fire(self._state, "enough")
        reason = f"{self._count} cycles are counted; {self._parameters.enough} are enough"
        return [JournalEntry(KEY, "enough", source.name, self._state.name, reason), done]

    def tick(self, now_ms: int) -> Commands:
        return []

    def deadline(self) -> int | None:
        return None

    def dirty(self) -> Sequence[StateRow]:
        if not self._is_dirty:
            return ()
        self._is_dirty = False
        return (StateRow(KEY, self._state.value, 1, {"count": self._count}),)

    def wants(self, ask: ExchangeCall) -> bool:
        return False
