"""An engine that issues orders on command and keeps a durable tally of what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Commands, ExchangeCall, Send
from statemachines.facts import BarFact
from statemachines.intent_ids import intent_id
from statemachines.messages.control import OperatorCommand
from statemachines.messages.envelope import Envelope
from statemachines.messages.orders import Intent, IntentEnded
from statemachines.state_store import PLAIN
from statemachines.values import ACCOUNT_OF, LINEAR, ActorName, Side


class Lot(NamedTuple):
    """What an engine trades, always the same quantity."""

    symbol: str
    quantity: Decimal


LOTS: Mapping[ActorName, Lot] = {
    ActorName.TREND_1: Lot("ETHUSDT", Decimal("0.01")),
    ActorName.TREND_2: Lot("ETHUSDT", Decimal("0.01")),
    ActorName.FUNDING: Lot("SOLUSDT", Decimal("0.1")),
}
"""The engines that are replaced; the smallest quantity of each market, so that fees reach no drawdown limit."""

KEPT_SIGNALS = 64
"""Signals whose tally is kept; the rows of earlier ones are written over."""

COUNTER = "counter"
COUNTED = ("signals", "intents", "ended")


class BurstingEngine:
    """Implements `ActorLogic`: each operator command with reason "n" issues n intents together, buying and selling in
    turn, so that the position stays at one lot.

    All its state is in rows, as an engine's must be: `counter` (signals, intents and ends so far, ends told twice)
    and one row per signal with its intents and, for each, its outcome and the quantity filled.
    """

    dialect = PLAIN

    def __init__(self, name: ActorName) -> None:
        self.name = name
        self._lot = LOTS[name]
        self._price = Decimal(0)
        self._signals = self._intents = self._ended = 0
        self._repeated: list[str] = []
        self._rows: dict[str, dict[str, Any]] = {}
        self._row_of: dict[str, str] = {}
        self._dirty: set[str] = set()

    def history_needed(self) -> Sequence[HistoryNeed]:
        return [HistoryNeed(LINEAR, self._lot.symbol, "60", 1)]

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        self._price = next(iter(bars.values()))[-1].close

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        for key, row in rows.items():
            if key == COUNTER:
                self._signals, self._intents, self._ended = (row.data[name] for name in COUNTED)
                self._repeated = list(row.data["repeated"])
            else:
                self._rows[key] = {**row.data, "ends": dict(row.data["ends"])}
                self._row_of |= dict.fromkeys(self._ids(row.data), key)

    def begin(self, now_ms: int) -> Commands:
        return []

    def handle(self, message: Envelope) -> Commands:
        match message.body:
            case OperatorCommand() as command:
                return self._signal(int(command.reason))
            case IntentEnded() as ended:
                self._end(ended)
        return []

    def tick(self, now_ms: int) -> Commands:
        return []

    def deadline(self) -> int | None:
        return None

    def dirty(self) -> Sequence[StateRow]:
        changed, self._dirty = self._dirty, set()
        return [row for row in self.rows() if row.key in changed]

    def rows(self) -> Sequence[StateRow]:
        counts = dict(zip(COUNTED, (self._signals, self._intents, self._ended), strict=True))
        found = [StateRow(COUNTER, "", 1, {**counts, "repeated": list(self._repeated)})]
        return found + [StateRow(key, "", 1, {**data, "ends": dict(data["ends"])}) for key, data in self._rows.items()]

    def still_needed(self, ask: ExchangeCall) -> bool:
        return False

    def _signal(self, count: int) -> Commands:
        key, first = f"signal:{self._signals % KEPT_SIGNALS}", self._intents + 1
        for one in self._ids(self._rows.get(key, {"first": 0, "count": 0})):
            self._row_of.pop(one, None)
        self._signals, self._intents = self._signals + 1, self._intents + count
        self._rows[key] = {"number": self._signals, "first": first, "count": count, "ends": {}}
        self._row_of |= dict.fromkeys(self._ids(self._rows[key]), key)
        self._dirty |= {COUNTER, key}
        return [Send(self._intent(number)) for number in range(first, first + count)]

    def _end(self, ended: IntentEnded) -> None:
        key = self._row_of.get(ended.intent_id, "")
        if not key or ended.intent_id in self._rows[key]["ends"]:
            self._repeated.append(ended.intent_id)
            self._dirty.add(COUNTER)
            return
        self._rows[key]["ends"][ended.intent_id] = [ended.ended_as, str(ended.filled_quantity), ended.why]
        self._ended += 1
        self._dirty |= {COUNTER, key}

    def _ids(self, data: Mapping[str, Any]) -> list[str]:
        return [intent_id(self.name, number) for number in range(data["first"], data["first"] + data["count"])]

    def _intent(self, number: int) -> Intent:
        return Intent(
            intent_id=intent_id(self.name, number),
            engine=self.name,
            account=ACCOUNT_OF[self.name],
            category=LINEAR,
            symbol=self._lot.symbol,
            side=Side.BUY if number % 2 else Side.SELL,
            quantity=self._lot.quantity,
            style="market",
            reference_price=self._price,
            purpose="entry",
            reason=f"order {number} of the bursts",
        )
