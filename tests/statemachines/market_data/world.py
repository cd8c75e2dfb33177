"""Drives market data as its actor would, before an exchange that answers what the test put there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import (
    Alert,
    AlertEnded,
    Commands,
    ExchangeCall,
    JournalEntry,
    JournalLine,
    Record,
    Remark,
    Send,
)
from statemachines.conditions import Conditions
from statemachines.facts import BarFact, FundingRateFact
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
    FeedRead,
    FundingRead,
    MarketSnapshot,
    Quote,
    ReadBars,
    ReadFeed,
    ReadFunding,
    ReadMarket,
)
from statemachines.values import DAY_MS, HOUR_MS, ActorName, Category, Instrument
from tests.statemachines.restoring import restore_logic

D0 = 1_700_006_400_000 // DAY_MS * DAY_MS
SYMBOLS: tuple[tuple[Category, str], ...] = (("spot", "BTCUSDT"), ("linear", "BTCUSDT"))
PARAMETERS = MarketDataParameters(
    symbols=SYMBOLS, daily_backfill_default=3, hourly_backfill=4, daily_backfill={}, inactive_after_hours=24
)


def bar(series: tuple[Category, str], start: int, interval: str = "60", close: str = "100", **changes: Any) -> BarFact:
    values: dict[str, Any] = {"open": close, "high": close, "low": close, "close": close, "volume": "1"} | changes
    return BarFact(category=series[0], symbol=series[1], interval=interval, start_ms=start, **values)


def instrument(series: tuple[Category, str]) -> Instrument:
    one = Decimal(1)
    return Instrument(
        category=series[0],
        symbol=series[1],
        base_coin="BTC",
        quote_coin="USDT",
        tick_size=one,
        qty_step=one,
        min_qty=one,
        min_notional_usdt=one,
        max_limit_qty=one,
        max_market_qty=one,
        funding_interval_min=480 if series[0] == "linear" else 0,
    )


def quote(market_ms: int, next_ms: int | None = None, predicted: str = "0.0003") -> Quote:
    return Quote(
        category="linear",
        symbol="BTCUSDT",
        bid=Decimal(99),
        ask=Decimal(101),
        last=Decimal(100),
        predicted_funding_rate=Decimal(predicted),
        next_funding_ms=next_ms if next_ms is not None else (market_ms // (8 * HOUR_MS) + 1) * 8 * HOUR_MS,
        market_ms=market_ms,
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
        raise AssertionError(f"{request.kind} is not market data")


def rate(at: int) -> FundingRateFact:
    return FundingRateFact(symbol="BTCUSDT", settle_ms=at, rate=Decimal("0.0001"), interval_min=480)


class World:
    """Drives a logic as its durable actor would: commits rows and facts, performs requests, keeps what was sent."""

    def __init__(self, exchange: Exchange | None = None, parameters: MarketDataParameters = PARAMETERS) -> None:
        self.exchange = exchange or Exchange()
        self.parameters = parameters
        self.logic = MarketDataLogic(parameters)
        self.rows: dict[str, StateRow] = {}
        self.facts: dict[tuple[Any, ...], Any] = {}
        self.sent: list[Body] = []
        self.notes: list[JournalLine] = []
        self.alerts: list[Alert] = []
        self.conditions = Conditions(ActorName.MARKET_DATA)
        self.keys: list[str] = []
        self.asks: list[ExchangeCall] = []
        self.now = 0

    def start(self, now: int, settle: bool = True) -> None:
        self.now = now
        self.logic = MarketDataLogic(self.parameters)
        restore_logic(self.logic, self.rows)
        bars: dict[HistoryNeed, Sequence[BarFact]] = {}
        for need in self.logic.history_needed():
            known = [f for f in self.facts.values() if isinstance(f, BarFact)]
            mine = [f for f in known if (f.category, f.symbol, f.interval) == need[:3]]
            bars[need] = sorted(mine, key=lambda f: f.start_ms)[-need.bars :]
        self.logic.warm(bars)
        self.take(self.logic.begin(now), settle)

    def take(self, commands: Commands, settle: bool = True) -> None:
        for row in self.logic.dirty():
            self.rows[row.key] = row
        asks: list[ExchangeCall] = []
        for command in commands:
            match command:
                case Send():
                    self.sent.append(command.body)
                case Record():
                    fact = command.fact
                    self.facts.setdefault(tuple(getattr(fact, name) for name in fact.KEY), fact)
                case ExchangeCall():
                    asks.append(command)
                case JournalEntry() | Remark():
                    self.notes.append(command)
                case Alert():
                    self.alerts.append(command)
                    self.conditions.take(command, "", self.now)
                case AlertEnded():
                    self.conditions.take(command, "", self.now)
        self.keys += [ask.key for ask in asks]
        self.asks += asks
        if settle:
            self.settle()

    def settle(self) -> None:
        while self.asks:
            ask = self.asks.pop(0)
            if self.logic.wants(ask):
                outcome = self.exchange.answer(ask.request)
                self.tell(ResponseReceived(key=ask.key, account=ask.account, outcome=outcome), self.now, settle=False)

    def tell(self, body: Body, at: int, settle: bool = True) -> None:
        self.now = max(self.now, at)
        self.take(self.logic.handle(Envelope("x", "exchange", at, "", "x", body)), settle)

    def bars(self, close: int, *series: tuple[Category, str], days: bool = True) -> None:
        """The frames of a closing instant."""
        for one in series or SYMBOLS:
            self.tell(BarFrame(bars=(bar(one, close - HOUR_MS),)), close)
            if close % DAY_MS == 0 and days:
                self.tell(BarFrame(bars=(bar(one, close - DAY_MS, "D"),)), close)

    def of(self, kind: type[Body]) -> list[Any]:
        return [body for body in self.sent if isinstance(body, kind)]

    def tick(self) -> None:
        due = self.logic.deadline()
        assert due is not None
        self.now = max(self.now, due)
        self.take(self.logic.tick(self.now))
        after = self.logic.deadline()
        assert after is None or after > self.now, "the clock must not spin"


def started(now: int = D0 + 90 * 60_000) -> World:
    world = World()
    world.start(now)
    assert world.logic.is_ready
    return world
