"""A tiny risk manager, order manager and exchange around one TREND engine: it approves, fills and answers at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from statemachines.actor_logic import StateRow
from statemachines.commands import Command, Send
from statemachines.facts import BarFact
from statemachines.messages.accounts import AccountView, Portfolio
from statemachines.messages.control import RunCycle
from statemachines.messages.envelope import Body
from statemachines.messages.market import DayClosed, FundingSettled, InstrumentsKnown
from statemachines.messages.orders import (
    Intent,
    IntentWorking,
    MoveRefused,
    MoveStop,
    OrderDenied,
    Withdraw,
)
from statemachines.refusals import RefusalCause
from statemachines.trend.engine import TrendEngine
from statemachines.trend.parameters import TrendParameters
from statemachines.values import ACCOUNT_OF, DAY_MS, LINEAR, ActorName, Instrument, Side
from tests.kit import builders
from tests.kit.account import PaperAccount
from tests.kit.core import Core

ZERO = Decimal(0)


def instrument(symbol: str, tick: str, lot: str) -> Instrument:
    return builders.instrument(
        LINEAR,
        symbol,
        tick=tick,
        step=lot,
        max_market_qty=Decimal(500),
        maintenance_margin_rate=Decimal("0.005"),
        max_leverage=Decimal(100),
        funding_interval_min=480,
    )


INSTRUMENTS = (instrument("BTCUSDT", "0.1", "0.001"), instrument("ETHUSDT", "0.01", "0.01"))


def as_schema_4(row: StateRow) -> StateRow:
    """The row as versions wrote it that counted the replaced stops of a day together."""
    data = dict(row.data)
    if "stops" in data:
        assert not data.pop("unreplaced") and data.pop("audit_repairs") == 0
        stops = [dict(stop) for stop in data["stops"]]
        data |= {"stops": stops, "stop_repairs": sum(stop.pop("repairs") for stop in stops)}
    return row._replace(schema=4, data=data)


def as_schema_3(row: StateRow) -> StateRow:
    """The row as versions wrote it whose stop was always one order."""
    data = dict(as_schema_4(row).data)
    if (stops := data.pop("stops", None)) is not None:
        assert len(stops) <= 1
        data["stop"] = stops[0] if stops else None
    return row._replace(schema=3, data=data)


class Venue(Core[TrendEngine], PaperAccount):
    """One sub-account. Hooks: `deny(intent)` gives reasons; `fills(intent, price)` the executions of a market order;
    `refuse(intent)` why the exchange refuses a market order; `stop_answer(intent_id)` what becomes of a stop or its
    move; `told_trigger(price)` the trigger price that its confirmation names; `hold` keeps market orders unanswered
    in `held` until `release`; `restarts` gives a new engine after each message."""

    def __init__(
        self,
        name: ActorName,
        parameters: TrendParameters,
        capital: Decimal,
        history: Mapping[str, Sequence[BarFact]] | None = None,
        instruments: Sequence[Instrument] = INSTRUMENTS,
    ) -> None:
        PaperAccount.__init__(self, capital)
        self.parameters, self.instruments = parameters, instruments
        Core.__init__(self, lambda: TrendEngine(name, self.parameters))
        self.name, self.account = name, ACCOUNT_OF[name]
        self.prices: dict[str, Decimal] = {}
        self.closes: dict[str, Decimal] = {}
        self.stops: dict[str, tuple[Intent, Decimal, Decimal]] = {}
        self.bars: dict[str, list[BarFact]] = {
            a.symbol: list((history or {}).get(a.symbol, ())) for a in parameters.assets
        }
        self.deny: Callable[[Intent], Sequence[str]] = lambda intent: ()
        self.fills: Callable[[Intent, Decimal], list[tuple[Decimal, Decimal]]] = lambda i, price: [(i.quantity, price)]
        self.refuse: Callable[[Intent], RefusalCause | None] = lambda intent: None
        self.stop_answer: Callable[[str], Literal["works", "silence", "rejected", "crossed"]] = lambda intent_id: (
            "works"
        )
        self.told_trigger: Callable[[Decimal], Decimal | None] = lambda trigger: trigger
        self.hold = False
        self.held: list[Intent] = []
        self._executions = 0
        self._version = 0
        self._inbox: deque[tuple[Body, int]] = deque()
        self.warm()
        self.begin()
        self.tell(InstrumentsKnown(instruments=tuple(instruments)), 0)

    # --- driving ---

    def tell(self, body: Body, now_ms: int) -> None:
        """Deliver one message and let everything it causes come to rest, ticks excluded."""
        self._inbox.append((body, now_ms))
        self._drain()

    def warm(self) -> None:
        self.logic.warm({need: self.bars[need.symbol][-need.bars :] for need in self.logic.history_needed()})

    def restart(self) -> None:
        """A new engine from the rows as the database holds them and the bars it had processed."""
        super().restart()
        assert self.logic.begin(0) == []
        assert self.logic.dirty() == []

    def _drain(self) -> None:
        while self._inbox:
            body, self.now_ms = self._inbox.popleft()
            self.deliver(body)

    def settle(self, now_ms: int) -> None:
        """Tick until nothing is due; an engine whose deadline does not move on fails."""
        self.now_ms = now_ms
        self.run_due(between=self._drain)

    def portfolio(self, now_ms: int) -> None:
        """The risk manager's view at the last closed prices."""
        self.tell(self._portfolio_body(now_ms), now_ms)

    def settlement(self, rates: Mapping[str, Decimal], now_ms: int, interval_min: int = 480) -> None:
        """Funding: paid at the last close, then told; TR-14 at the tick."""
        for symbol, rate in rates.items():
            self.cash -= self.short_or_long(symbol) * self.closes.get(symbol, ZERO) * rate
        body = FundingSettled(
            settle_ms=now_ms,
            rates=dict(rates),
            predicted=dict(rates),
            interval_min=dict.fromkeys(rates, interval_min),
        )
        self.tell(body, now_ms)
        self.portfolio(now_ms)
        self.settle(now_ms)

    def day(self, bars: Sequence[BarFact], *, cycle: bool = True, entries_allowed: bool = True) -> None:
        """A day has closed: bars, portfolio, ticks, then the daily cycle."""
        start_ms = bars[0].start_ms
        now_ms = start_ms + DAY_MS
        for bar in bars:
            self.bars[bar.symbol].append(bar)
            self.closes[bar.symbol] = bar.close
        self.tell(DayClosed(day_ms=start_ms, close_ms=now_ms, bars=tuple(bars)), now_ms)
        self.portfolio(now_ms)
        self.settle(now_ms)
        if cycle:
            self.cycle(start_ms, entries_allowed=entries_allowed)

    def cycle(self, day_ms: int, *, entries_allowed: bool = True) -> None:
        now_ms = day_ms + DAY_MS
        body = RunCycle(
            day_ms=day_ms,
            close_ms=now_ms,
            engine=self.name,
            target_usdt=self.cash,
            portfolio_usdt=self.cash,
            entries_allowed=entries_allowed,
        )
        self.tell(body, now_ms)
        self.settle(now_ms)

    def touch(self, symbol: str, price: Decimal, now_ms: int, *, gap: bool = False) -> None:
        """The price reaches `price`: stops up to it fill at their trigger, across a gap at the price itself."""
        for intent_id, (intent, trigger, quantity) in list(self.stops.items()):
            reached = price <= trigger if intent.side is Side.SELL else price >= trigger
            if intent.symbol != symbol or not reached:
                continue
            del self.stops[intent_id]
            held = abs(self.short_or_long(symbol))
            filled = min(quantity, held)
            at = price if gap else trigger
            if filled > 0:
                self._execute(intent, filled, at, now_ms)
            self._done(intent, "FILLED" if filled else "CANCELLED", filled, at, now_ms)
        self._drain()
        self.settle(now_ms)
        self.prices[symbol] = price

    def end(
        self,
        intent: Intent,
        outcome: Literal["FILLED", "CANCELLED"],
        filled: Decimal,
        average: Decimal | None,
        now_ms: int,
    ) -> None:
        """The exchange ends an order by itself, with this much of it filled."""
        self._done(intent, outcome, filled, average, now_ms)
        self._drain()

    # --- reading ---

    @property
    def version_no(self) -> int:
        """The version of the portfolio told last."""
        return self._version

    def transitions(self, asset: str) -> list[tuple[str, str]]:
        return [(n.source, n.dest) for n in self.notes if n.machine == asset and n.source != n.dest]

    def state(self, asset: str) -> str:
        return self.rows[asset].state

    def trade(self, asset: str) -> Mapping[str, Any]:
        return self.rows[asset].data

    # --- inside ---

    def act(self, command: Command) -> None:
        if isinstance(command, Send):
            self._act(command.body, self.now_ms)

    def _act(self, body: Body, now_ms: int) -> None:
        if isinstance(body, Intent):
            reasons = self.deny(body)
            if reasons:
                denied = OrderDenied(
                    intent_id=body.intent_id, engine=self.name, reasons=tuple(reasons), checks=("test",)
                )
                self._inbox.append((denied, now_ms))
            elif body.style == "stop":
                self._place_stop(body, now_ms)
            elif self.hold:
                self.held.append(body)
            else:
                self._market(body, now_ms)
        elif isinstance(body, MoveStop) and body.intent_id in self.stops:
            answer = self.stop_answer(body.intent_id)
            intent, trigger, quantity = self.stops[body.intent_id]
            if answer == "crossed" and body.trigger_price is not None:
                refused = MoveRefused(
                    intent_id=body.intent_id,
                    engine=self.name,
                    trigger_price=body.trigger_price,
                    refusal=RefusalCause.CROSSED,
                )
                self._inbox.append((refused, now_ms))
            elif answer == "works":
                self.stops[body.intent_id] = (intent, body.trigger_price or trigger, body.quantity or quantity)
                self._working(body.intent_id, now_ms)
        elif isinstance(body, Withdraw) and body.intent_id in self.stops:
            intent, _, _ = self.stops.pop(body.intent_id)
            self._done(intent, "CANCELLED", ZERO, None, now_ms)

    def _place_stop(self, intent: Intent, now_ms: int) -> None:
        assert intent.trigger_price is not None and intent.reduce_only
        answer = self.stop_answer(intent.intent_id)
        if answer == "works":
            self.stops[intent.intent_id] = (intent, intent.trigger_price, intent.quantity)
            self._working(intent.intent_id, now_ms)
        elif answer == "rejected":
            self._done(intent, "REJECTED", ZERO, None, now_ms)
        elif answer == "crossed":
            self._done(intent, "REJECTED", ZERO, None, now_ms, RefusalCause.CROSSED)

    def release(self, now_ms: int) -> None:
        """Answer the market orders kept back, then tick."""
        self.hold = False
        for intent in self.held:
            self._market(intent, now_ms)
        self.held = []
        self._drain()
        self.settle(now_ms)

    def _market(self, intent: Intent, now_ms: int) -> None:
        refusal = self.refuse(intent)
        if refusal is not None:
            self._done(intent, "REJECTED", ZERO, None, now_ms, refusal)
            return
        filled = cost = ZERO
        for quantity, price in self.fills(intent, self.prices[intent.symbol]):
            held = self.short_or_long(intent.symbol)
            if intent.reduce_only:
                quantity = min(quantity, abs(held)) if held * intent.side.sign < 0 else ZERO
            if quantity == 0:
                continue
            self._execute(intent, quantity, price, now_ms)
            filled, cost = filled + quantity, cost + quantity * price
        outcome: Literal["FILLED", "CANCELLED"] = "FILLED" if filled == intent.quantity else "CANCELLED"
        self._done(intent, outcome, filled, cost / filled if filled else None, now_ms)
        self._inbox.append((self._portfolio_body(now_ms), now_ms))

    def _portfolio_body(self, now_ms: int) -> Portfolio:
        self._version += 1
        equity = self.valued_at({(LINEAR, symbol): close for symbol, close in self.closes.items()})
        view = AccountView(
            account=self.account, equity_usdt=equity, cash_usdt=self.cash, positions=dict(self.positions)
        )
        return Portfolio(
            version_no=self._version,
            market_ms=now_ms,
            equity_usdt=equity,
            accounts={self.account: view},
            prices={f"linear:{s}": close for s, close in self.closes.items()},
        )

    def _execute(self, intent: Intent, quantity: Decimal, price: Decimal, now_ms: int) -> None:
        held = self.short_or_long(intent.symbol)
        traded = self.book_trade(LINEAR, intent.symbol, intent.side, quantity, price)
        is_flipped = held * traded.quantity < 0
        assert not (is_flipped and intent.reduce_only), "a reduce-only order has flipped the position"
        self._executions += 1
        fill = builders.fill(
            self.name,
            intent.symbol,
            intent.side,
            quantity,
            price,
            now_ms,
            execution_id=f"e{self._executions}",
            intent_id=intent.intent_id,
            fee=traded.fee,
            realized_pnl=traded.realized_pnl,
            position_quantity=traded.quantity,
            position_price=traded.average_price,
            cash_usdt=self.cash,
        )
        self._inbox.append((fill, now_ms))

    def _working(self, intent_id: str, now_ms: int) -> None:
        _, trigger, quantity = self.stops[intent_id]
        body = IntentWorking(
            intent_id=intent_id,
            engine=self.name,
            account=self.account,
            client_order_id=f"link-{intent_id}",
            trigger_price=self.told_trigger(trigger),
            quantity=quantity,
        )
        self._inbox.append((body, now_ms))

    def _done(
        self,
        intent: Intent,
        outcome: Literal["FILLED", "CANCELLED", "REJECTED"],
        filled: Decimal,
        average: Decimal | None,
        now_ms: int,
        refusal: RefusalCause | None = None,
    ) -> None:
        self._inbox.append((builders.ended(intent, outcome, filled, average, refusal), now_ms))
