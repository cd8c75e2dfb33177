"""A small synthetic market for TACTICAL: closes by hand, one call per day."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import ActorLogic, HistoryNeed
from statemachines.facts import BarFact
from statemachines.messages.accounts import TransferWanted
from statemachines.messages.control import CycleDone, RunCycle
from statemachines.messages.market import DayClosed, FeedFrame, FundingSettled
from statemachines.messages.orders import Intent
from statemachines.tactical.engine import TacticalEngine
from statemachines.tactical.parameters import TacticalParameters
from statemachines.values import DAY_MS, HOUR_MS, SPOT, Account, ActorName
from tests.kit import builders
from tests.statemachines.harness import World, known_instruments

D = Decimal
START_MS = 1_600_000_000_000 // DAY_MS * DAY_MS
CASH = D(10_000)
QUIET = FeedFrame()


def day_bar(coin: str, day_ms: int, close: Decimal) -> BarFact:
    return builders.bar(SPOT, f"{coin}USDT", day_ms, close)


class Market:
    """Drives a world day by day; the history before is `history` (BTC closes), by default one flat close of 10,000."""

    def __init__(
        self,
        history: Sequence[int] = (10_000,),
        cash: Decimal = CASH,
        parameters: TacticalParameters | None = None,
        **more: Any,
    ) -> None:
        self.btc, self.eth = D(history[-1]) if history else D(10_000), D(500)
        self.target = CASH
        self.day_ms = START_MS - DAY_MS
        bars = [day_bar("BTC", START_MS - (len(history) - i) * DAY_MS, D(c)) for i, c in enumerate(history)]
        chosen = parameters or TacticalParameters()

        def warm(engine: ActorLogic) -> None:
            engine.warm({HistoryNeed(SPOT, "BTCUSDT", "D", 3_000): bars})

        self.world = World(lambda: TacticalEngine(chosen), Account.TACTICAL, cash, now_ms=START_MS, warm=warm, **more)
        self.world.tell(known_instruments(), self.world.portfolio())

    def settle(self, rate: Decimal, times: int = 9) -> None:
        """BTC's funding rates of the last `times` settlements up to the end of the coming day."""
        close_ms = self.day_ms + 2 * DAY_MS
        for back in range(times - 1, -1, -1):
            rates, minutes = {"BTCUSDT": rate}, {"BTCUSDT": 480}
            ms = close_ms - back * 8 * HOUR_MS
            self.world.tell(FundingSettled(settle_ms=ms, rates=rates, predicted=rates, interval_min=minutes))

    def close(self, btc: Decimal | int, feed: FeedFrame = QUIET, *, entries_allowed: bool = True) -> None:
        """One day passes, closes at this price, and its cycle is run."""
        self.btc = D(btc)
        self.day_ms += DAY_MS
        close_ms = self.day_ms + DAY_MS
        self.world.advance_to(close_ms)
        bars = []
        for coin, price in (("BTC", self.btc), ("ETH", self.eth)):
            self.world.prices[SPOT, f"{coin}USDT"] = self.world.closes[SPOT, f"{coin}USDT"] = price
            bars.append(day_bar(coin, self.day_ms, price))
        self.world.tell(DayClosed(day_ms=self.day_ms, close_ms=close_ms, bars=tuple(bars), feed=feed))
        self.world.tell(self.world.portfolio())
        self.world.tell(
            RunCycle(
                day_ms=self.day_ms,
                close_ms=close_ms,
                engine=ActorName.TACTICAL,
                target_usdt=self.target,
                portfolio_usdt=20 * self.target,
                entries_allowed=entries_allowed,
            )
        )
        self.world.settle()

    def days(self, count: int, btc: Decimal | int) -> None:
        """Days on which nothing moves; movements asked for are made."""
        for _ in range(count):
            self.close(btc)
            self.world.complete_transfers()

    def fear(self, value: int, hours_before: int = 24) -> FeedFrame:
        """Fear & Greed published so long before the coming cycle."""
        return FeedFrame(fear_greed=value, fear_greed_ms=self.day_ms + 2 * DAY_MS - hours_before * HOUR_MS)

    def volatile(self, value: int, hours_before: int = 0) -> FeedFrame:
        """DVOL's close so long before the coming cycle."""
        return FeedFrame(dvol=D(value), dvol_ms=self.day_ms + 2 * DAY_MS - hours_before * HOUR_MS)

    def deployed(self) -> list[str]:
        """The triggers that deployed, in order."""
        return [str(note.data["trigger"]) for note in self.world.notes if note.trigger == "deploy"]

    def amounts(self) -> list[Decimal]:
        """What they deployed, as asked for."""
        return [D(str(note.data["amount_usdt"])) for note in self.world.notes if note.trigger == "deploy"]

    def triggers(self, machine: str = "D1") -> list[str]:
        return [note.trigger for note in self.world.notes if note.machine == machine and note.source != note.dest]

    def state(self, machine: str = "D1") -> str:
        return self.world.rows[machine].state

    def intents(self) -> list[Intent]:
        return [body for _, body in self.world.sent if isinstance(body, Intent)]

    def returns(self) -> list[TransferWanted]:
        return [body for _, body in self.world.sent if isinstance(body, TransferWanted)]

    def cycles_done(self) -> list[int]:
        return [body.day_ms for _, body in self.world.sent if isinstance(body, CycleDone)]
