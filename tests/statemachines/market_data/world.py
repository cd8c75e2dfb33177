"""Drives market data as its actor would, before an exchange that answers what the test put there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import HistoryNeed
from statemachines.commands import (
    Command,
    ExchangeCall,
)
from statemachines.facts import BarFact, FundingRateFact
from statemachines.feeds.terms import FeedRead, ReadFeed
from statemachines.market_data.logic import MarketDataLogic
from statemachines.market_data.parameters import MarketDataParameters
from statemachines.messages.envelope import Body, Envelope
from statemachines.messages.market import (
    BarFrame,
)
from statemachines.messages.orders import ResponseReceived
from statemachines.requests import (
    BarsRead,
    ExchangeRequest,
    ExchangeResponse,
    FundingRead,
    MarketSnapshot,
    Quote,
    ReadBars,
    ReadFunding,
    ReadMarket,
)
from statemachines.solvency.terms import CoinWithdrawals, ReadSolvency, SolvencyRead
from statemachines.values import DAY_MS, HOUR_MS, Category, Instrument
from tests.kit import builders
from tests.kit.core import Core

D0 = 1_700_006_400_000 // DAY_MS * DAY_MS
SYMBOLS: tuple[tuple[Category, str], ...] = (("spot", "BTCUSDT"), ("linear", "BTCUSDT"))
PARAMETERS = MarketDataParameters(
    symbols=SYMBOLS,
    daily_backfill_default=3,
    hourly_backfill=4,
    daily_backfill={},
    inactive_after_hours=24,
    solvency_every_ms=None,
)


def bar(series: tuple[Category, str], start: int, interval: str = "60", close: str = "100", **changes: Any) -> BarFact:
    return builders.bar(*series, start, close, interval, **changes)


def instrument(series: tuple[Category, str]) -> Instrument:
    one = Decimal(1)
    return builders.instrument(
        *series,
        tick="1",
        step="1",
        min_notional_usdt=one,
        max_limit_qty=one,
        max_market_qty=one,
        funding_interval_min=480 if series[0] == "linear" else 0,
    )


def quote(market_ms: int, next_ms: int | None = None, predicted: str = "0.0003") -> Quote:
    return builders.quote(
        "linear",
        "BTCUSDT",
        Decimal(100),
        market_ms,
        apart=Decimal(1),
        predicted_funding_rate=Decimal(predicted),
        next_funding_ms=next_ms if next_ms is not None else (market_ms // (8 * HOUR_MS) + 1) * 8 * HOUR_MS,
    )


class Exchange:
    """A healthy exchange: every bar exists except `holes`; rates settle each 8 hours; answers can be replaced."""

    def __init__(self) -> None:
        self.holes: set[tuple[str, int]] = set()
        self.unpublished = 0
        self.replace: dict[str, Callable[[Any], ExchangeResponse | None]] = {}
        self.asked: list[ExchangeRequest] = []

    def answer(self, request: ExchangeRequest) -> ExchangeResponse:
        self.asked.append(request)
        replaced = self.replace.get(request.kind, lambda _request: None)(request)
        if replaced is not None:
            return replaced
        match request:
            case ReadMarket():
                known = tuple(instrument(series) for series in SYMBOLS)
                return MarketSnapshot(market_ms=0, instruments=known, fee_rates=(), quotes=())
            case ReadBars():
                step = DAY_MS if request.interval == "D" else HOUR_MS
                first = -(-request.from_ms // step) * step
                starts = range(first, request.until_ms - step + 1, step)
                series = (request.category, request.symbol)
                found = [bar(series, at, request.interval) for at in starts]
                return BarsRead(
                    bars=tuple(b for b in found if (f"{b.category}{b.interval}", b.start_ms) not in self.holes)
                )
            case ReadFunding():
                if self.unpublished:
                    self.unpublished -= 1
                    return FundingRead(rates=())
                step = 8 * HOUR_MS
                times = range(-(-request.from_ms // step) * step, request.until_ms + 1, step)
                return FundingRead(rates=tuple(rate(at) for at in times))
            case ReadFeed():
                return FeedRead(
                    fear_greed=20, fear_greed_ms=request.market_ms - DAY_MS, reason="DVOL is not configured"
                )
            case ReadSolvency():
                coins = tuple(CoinWithdrawals(coin=coin, chains=2, open_chains=2) for coin in request.coins)
                return SolvencyRead(market_ms=0, insurance_usdt=Decimal(1_000), withdrawals=coins)
        raise AssertionError(f"{request.kind} is not market data")


def rate(at: int) -> FundingRateFact:
    return FundingRateFact(symbol="BTCUSDT", settle_ms=at, rate=Decimal("0.0001"), interval_min=480)


class World(Core[MarketDataLogic]):
    """Market data before an exchange that answers at once; `asks` are the requests without an answer yet."""

    def __init__(self, exchange: Exchange | None = None, parameters: MarketDataParameters = PARAMETERS) -> None:
        super().__init__(lambda: MarketDataLogic(parameters))
        self.exchange = exchange or Exchange()
        self.asks: list[ExchangeCall] = []

    def start(self, now: int, settle: bool = True) -> None:
        """A new incarnation, which gets the newest bars of those that were recorded."""
        self.now_ms = now
        self.restart()
        self.begin()
        if settle:
            self.settle()

    def warm(self) -> None:
        bars: dict[HistoryNeed, Sequence[BarFact]] = {}
        for need in self.logic.history_needed():
            mine = [f for f in self.recorded(BarFact) if (f.category, f.symbol, f.interval) == need[:3]]
            bars[need] = sorted(mine, key=lambda f: f.start_ms)[-need.bars :]
        self.logic.warm(bars)

    def act(self, command: Command) -> None:
        if isinstance(command, ExchangeCall):
            self.asks.append(command)

    def settle(self) -> None:
        while self.asks:
            ask = self.asks.pop(0)
            if self.logic.still_needed(ask):
                outcome = self.exchange.answer(ask.request)
                self.deliver(ResponseReceived(key=ask.key, account=ask.account, outcome=outcome))

    def tell(self, body: Body, at: int, settle: bool = True) -> None:
        """A message of this instant, at which the world may have been already."""
        self.now_ms = max(self.now_ms, at)
        self.messages += 1
        message = Envelope(f"exchange:{self.messages}", "exchange", at, "", "x", body)
        self.step(lambda: self.logic.handle(message))
        if settle:
            self.settle()

    def bars(self, close: int, *series: tuple[Category, str], days: bool = True) -> None:
        """The frames of a closing instant."""
        for one in series or SYMBOLS:
            self.tell(BarFrame(bars=(bar(one, close - HOUR_MS),)), close)
            if close % DAY_MS == 0 and days:
                self.tell(BarFrame(bars=(bar(one, close - DAY_MS, "D"),)), close)

    def next_tick(self) -> None:
        """The clock calls when it is asked to, and only once for an instant."""
        due = self.logic.deadline()
        assert due is not None
        self.now_ms = max(self.now_ms, due)
        self.tick()
        self.settle()
        after = self.logic.deadline()
        assert after is None or after > self.now_ms, "the clock must not spin"


def started(now: int = D0 + 90 * 60_000) -> World:
    world = World()
    world.start(now)
    assert world.logic.is_ready
    return world
