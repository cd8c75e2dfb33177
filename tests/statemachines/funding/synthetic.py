"""A small synthetic market for FUNDING: prices and rates by hand, one call per hour."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import ActorLogic
from statemachines.facts import BarFact
from statemachines.funding.engine import FundingEngine
from statemachines.funding.parameters import FundingParameters
from statemachines.messages.market import BarsClosed, DayClosed, FundingSettled
from statemachines.messages.orders import Intent
from statemachines.values import DAY_MS, HOUR_MS, LINEAR, SPOT, Account
from tests.kit import builders
from tests.kit.core import recorded
from tests.statemachines.harness import World, known_instruments

D = Decimal
START_MS = 1_600_000_000_000 // DAY_MS * DAY_MS
PERIOD_MS = 8 * HOUR_MS
PRICES = {"BTC": D(10_000), "ETH": D(500), "SOL": D(20)}
GOOD = D("0.0002")
CASH = D(15_000)


class Market:
    """Drives a world hour by hour; rates apply at 00:00, 08:00 and 16:00."""

    def __init__(self, cash: Decimal = CASH, parameters: FundingParameters | None = None, **more: Any) -> None:
        self.spot = dict(PRICES)
        self.perp = dict(PRICES)
        self.stale: set[tuple[str, str]] = set()
        self.hourly_volume = D(1_000_000)
        """In base coin, of every market: large enough that no order is sliced (X4)."""
        self.interval_min: dict[str, int] = {}
        self.predicted: dict[str, Decimal] = {}
        chosen = parameters or FundingParameters()
        self._recorded: list[BarFact] = []
        self.world = World(
            lambda: FundingEngine(chosen), Account.FUNDING, cash, now_ms=START_MS, warm=self._warm, **more
        )
        self.quote()
        self.world.tell(known_instruments(), self.world.portfolio())

    def _warm(self, engine: ActorLogic) -> None:
        """A new incarnation reads the recorded bars, as its runtime gives them."""
        engine.warm(recorded(self._recorded, engine.history_needed()))

    @property
    def now_ms(self) -> int:
        return self.world.now_ms

    def quote(self) -> None:
        """Fills and equity use the present prices."""
        for asset in PRICES:
            for table in (self.world.prices, self.world.closes):
                table[SPOT, f"{asset}USDT"] = self.spot[asset]
                table[LINEAR, f"{asset}USDT"] = self.perp[asset]

    def bars(self) -> BarsClosed:
        """The hour that has just ended."""
        bars = []
        for asset in PRICES:
            for category, prices in ((SPOT, self.spot), (LINEAR, self.perp)):
                volume = 0 if (category, asset) in self.stale else self.hourly_volume
                start_ms = self.now_ms - HOUR_MS
                bars.append(builders.bar(category, f"{asset}USDT", start_ms, prices[asset], "60", volume=volume))
        self._recorded += bars
        return BarsClosed(close_ms=self.now_ms, bars=tuple(bars))

    def hour(self, rates: Mapping[str, Decimal] | None = None) -> None:
        """One hour passes; with `rates` (by asset) funding settles at its end."""
        self.world.advance_to(self.now_ms + HOUR_MS)
        self.report(rates)

    def report(self, rates: Mapping[str, Decimal] | None = None) -> None:
        """What the market-data and order-manager actors tell at an hour boundary."""
        self.quote()
        if rates:
            settled = {f"{asset}USDT": rate for asset, rate in rates.items()}
            for asset, rate in rates.items():
                self.world.pay_funding(f"{asset}USDT", rate, self.perp[asset])
            predicted = {f"{asset}USDT": self.predicted.get(asset, rate) for asset, rate in rates.items()}
            minutes = {f"{asset}USDT": self.interval_min.get(asset, 480) for asset in rates}
            self.world.tell(
                FundingSettled(settle_ms=self.now_ms, rates=settled, predicted=predicted, interval_min=minutes)
            )
        self._tell_bars()
        if rates:
            self.world.tell(self.world.portfolio())
        if self.now_ms % DAY_MS == 0:
            self.world.tell(DayClosed(day_ms=self.now_ms - DAY_MS, close_ms=self.now_ms, bars=()))
        self.world.settle()

    def _tell_bars(self) -> None:
        """The hour's bars; within the engine's declared patience they may neither act nor set a deadline."""
        world = self.world
        assert isinstance(world.logic, FundingEngine)
        patience, due_ms, sent = world.logic.lookahead(), world.logic.deadline(), len(world.sent)
        world.tell(self.bars())
        limits = {symbol.removesuffix("USDT"): limit for symbol, limit in patience.max_basis.items()}
        exceeds = any(self.perp[asset] > self.spot[asset] * (1 + limit) for asset, limit in limits.items())
        if self.now_ms < patience.until_ms and not exceeds:
            assert (world.logic.deadline(), len(world.sent)) == (due_ms, sent)

    def period(self, **rates: Decimal) -> None:
        """Eight hours with one settlement at their end; BTC, ETH, SOL by name."""
        for _ in range(7):
            self.hour()
        self.hour(rates)

    def open(self, *assets: str) -> None:
        """Two good settlements: pairs of these assets are open."""
        for _ in range(2):
            self.period(**dict.fromkeys(assets, GOOD))

    def state(self, asset: str = "BTC") -> str:
        return self.world.rows[asset].state

    def row(self, asset: str = "BTC") -> Mapping[str, Any]:
        return self.world.rows[asset].data

    def intents(self, purpose: str | None = None) -> list[Intent]:
        """Everything that was asked for, or only what was for one purpose."""
        found = [body for _, body in self.world.sent if isinstance(body, Intent)]
        return [one for one in found if purpose is None or one.purpose == purpose]

    def triggers(self, asset: str = "BTC") -> list[str]:
        """The transitions of one asset so far."""
        return [note.trigger for note in self.world.notes if note.machine == asset and note.source != note.dest]
