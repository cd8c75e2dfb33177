"""An engine that does not take part in a run: it receives everything and does nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Commands, ExchangeCall
from statemachines.facts import BarFact
from statemachines.messages.envelope import Envelope
from statemachines.state_store import PLAIN
from statemachines.values import ActorName


class SwitchedOff:
    """Implements `statemachines.actor_logic.ActorLogic`. Its messages are taken, so that no actor waits for it."""

    dialect = PLAIN

    def __init__(self, name: ActorName) -> None:
        self.name = name

    def history_needed(self) -> Sequence[HistoryNeed]:
        return ()

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        """Nothing to take in."""

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Nothing to take back."""

    def begin(self, now_ms: int) -> Commands:
        return []

    def handle(self, message: Envelope) -> Commands:
        return []

    def tick(self, now_ms: int) -> Commands:
        return []

    def deadline(self) -> int | None:
        return None

    def rows(self) -> Iterable[StateRow]:
        return ()

    def dirty(self) -> Sequence[StateRow]:
        return ()

    def still_needed(self, ask: ExchangeCall) -> bool:
        return False
