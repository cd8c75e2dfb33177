"""The logic of TOY-1: counts the daily cycles and, when it has counted enough and has capital, buys a little BTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Commands, ExchangeCall, Send
from statemachines.facts import BarFact
from statemachines.messages.accounts import CapitalFreed, FreeCapital
from statemachines.messages.control import CycleDone, RunCycle
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import DayClosed
from statemachines.messages.orders import Intent
from statemachines.state_store import PLAIN
from statemachines.values import SPOT, Account, ActorName, Side

from .machine import ToyMachine
from .parameters import ToyParameters

KEY = "count"
SYMBOL = "BTCUSDT"


class ToyEngine:
    """Implements `statemachines.actor_logic.ActorLogic`."""

    name = ActorName("toy-1")
    dialect = PLAIN

    def __init__(self, parameters: ToyParameters) -> None:
        self._parameters = parameters
        self._machine = ToyMachine(KEY)
        self._count = 0
        self._price = Decimal(0)
        self._cycle: RunCycle | None = None
        self._is_dirty = False

    def history_needed(self) -> Sequence[HistoryNeed]:
        return ()

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        """Nothing to take in."""

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Resume the count."""
        if row := rows.get(KEY):
            self._machine, self._count = ToyMachine.restored(KEY, row.state), int(row.data["count"])
            self._price = Decimal(row.data["price"])
            cycle = row.data["cycle"]
            self._cycle = None if cycle is None else RunCycle.model_validate(cycle)

    def begin(self, now_ms: int) -> Commands:
        return []

    def handle(self, message: Envelope) -> Commands:
        match message.body:
            case DayClosed() as day:
                closes = [bar.close for bar in day.bars if (bar.category, bar.symbol) == (SPOT, SYMBOL)]
                self._price, self._is_dirty = closes[-1] if closes else self._price, True
            case RunCycle() as cycle:
                self._cycle, self._is_dirty = cycle, True
            case FreeCapital() as asked:
                why = "what it has is needed for its purchase"
                freed = CapitalFreed(release_id=asked.release_id, engine=self.name, freed_usdt=Decimal(0), reason=why)
                return [Send(freed)]
        return []

    def deadline(self) -> int | None:
        return None if self._cycle is None else self._cycle.close_ms

    def tick(self, now_ms: int) -> Commands:
        cycle, self._cycle, self._is_dirty = self._cycle, None, True
        assert cycle is not None
        self._count += 1
        done = Send(CycleDone(day_ms=cycle.day_ms, engine=self.name, summary=f"cycle {self._count} counted"))
        if self._count != self._parameters.enough:
            return [done]
        reason = f"{self._count} cycles are counted; {self._parameters.enough} are enough"
        bought = [self._purchase(reason)] if cycle.target_usdt > 0 else []
        return [self._machine.fire("enough", reason, {"count": self._count}), *bought, done]

    def _purchase(self, reason: str) -> Send:
        return Send(
            Intent(
                intent_id=f"{self.name}-1",
                engine=self.name,
                account=Account("TOY-1"),
                category=SPOT,
                symbol=SYMBOL,
                side=Side.BUY,
                quantity=Decimal("0.001"),
                style="market",
                reference_price=self._price,
                purpose="entry",
                reason=reason,
            )
        )

    def dirty(self) -> Sequence[StateRow]:
        if not self._is_dirty:
            return ()
        self._is_dirty = False
        return self.rows()

    def rows(self) -> Sequence[StateRow]:
        cycle = None if self._cycle is None else self._cycle.model_dump(mode="json")
        data = {"count": self._count, "price": str(self._price), "cycle": cycle}
        return (StateRow(KEY, self._machine.state.value, 1, data),)

    def still_needed(self, ask: ExchangeCall) -> bool:
        return False
