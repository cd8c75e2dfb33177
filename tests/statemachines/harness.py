"""A tiny world around one engine: an approving risk manager and an exchange that fills at given prices.

Market orders fill at `prices`; a spot buy pays its fee in the coin. Each call of the engine may be followed by a new
incarnation restored from its rows (`reincarnate`), which must change nothing.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import ActorLogic, StateRow
from statemachines.commands import Alert, AlertEnded, Commands, JournalLine, Record, Send
from statemachines.conditions import Conditions
from statemachines.messages.accounts import AccountView, FundingPaid, Portfolio, TransferEnded, TransferWanted
from statemachines.messages.control import RiskState
from statemachines.messages.envelope import Body, Envelope
from statemachines.messages.market import InstrumentsKnown
from statemachines.messages.orders import Fill, Intent, IntentDone, OrderDenied, Withdraw
from statemachines.values import LINEAR, SPOT, Account, ActorName, Instrument, Side
from tests.statemachines.restoring import restore_logic

ZERO = Decimal(0)

SPOT_STEPS = {"BTC": ("0.000001", "0.000011"), "ETH": ("0.00001", "0.0001"), "SOL": ("0.001", "0.001")}
PERP_STEPS = {"BTC": "0.001", "ETH": "0.01", "SOL": "0.1"}


def instrument(category: str, coin: str) -> Instrument:
    """An instrument with filters of the usual size."""
    spot = category == SPOT
    step, least = SPOT_STEPS[coin] if spot else (PERP_STEPS[coin], PERP_STEPS[coin])
    return Instrument(
        category=SPOT if spot else LINEAR,
        symbol=f"{coin}USDT",
        base_coin=coin,
        quote_coin="USDT",
        tick_size=Decimal("0.01"),
        qty_step=Decimal(step),
        min_qty=Decimal(least),
        min_notional_usdt=Decimal(5),
        max_limit_qty=Decimal(100_000),
        max_market_qty=Decimal(50_000),
        maintenance_margin_rate=ZERO if spot else Decimal("0.005"),
        max_leverage=Decimal(1) if spot else Decimal(100),
        funding_interval_min=0 if spot else 480,
    )


INSTRUMENTS = tuple(instrument(category, coin) for category in (SPOT, LINEAR) for coin in ("BTC", "ETH", "SOL"))


@dataclass(frozen=True)
class Outcome:
    """What becomes of an intent: `share` of it is filled; `denied` by the risk manager; `hangs` until withdrawn."""

    share: Decimal = Decimal(1)
    denied: str = ""
    hangs: bool = False


@dataclass(frozen=True)
class Placed:
    """An intent and what was filled of it."""

    ms: int
    intent: Intent
    filled: Decimal
    price: Decimal


def always_filled(intent: Intent) -> Outcome:
    return Outcome()


@dataclass
class World:
    """One account with its engine. `prices` are where orders fill, `closes` the last closed prices (equity)."""

    make: Callable[[], ActorLogic]
    account: Account
    cash: Decimal
    spot_fee: Decimal = Decimal("0.001")
    perp_fee: Decimal = Decimal("0.00055")
    reincarnate: bool = False
    warm: Callable[[ActorLogic], None] = lambda engine: None
    decide: Callable[[Intent], Outcome] = always_filled
    now_ms: int = 0
    prices: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    closes: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    coins: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    placed: list[Placed] = field(default_factory=list)
    notes: list[JournalLine] = field(default_factory=list)
    noted: list[tuple[int, JournalLine]] = field(default_factory=list)
    alerts: list[tuple[int, Alert]] = field(default_factory=list)
    conditions: Conditions = field(default_factory=lambda: Conditions(ActorName.ORCHESTRATOR))
    sent: list[tuple[int, Body]] = field(default_factory=list)
    transfers: list[TransferWanted] = field(default_factory=list)
    hanging: dict[str, Intent] = field(default_factory=dict)
    rows: dict[str, StateRow] = field(default_factory=dict)
    on_call: Callable[[World], None] = lambda world: None

    def __post_init__(self) -> None:
        self._inbox: deque[Body] = deque()
        self._count = 0
        self._version = 0
        self._changed = False
        self.engine = self.make()
        self.warm(self.engine)
        self._take(self.engine.begin(self.now_ms))

    # --- driving ---

    def tell(self, *bodies: Body) -> None:
        """Deliver messages and everything that follows from them, without letting time pass."""
        self._inbox.extend(bodies)
        while self._inbox or self._changed:
            if not self._inbox:
                self._inbox.append(self.portfolio())
            self._count += 1
            name = f"world:{self._count}"
            self._take(self.engine.handle(Envelope(name, "world", self.now_ms, "", name, self._inbox.popleft())))

    def settle(self) -> None:
        """Tick as long as something is due now. Raises AssertionError when the engine never comes to rest."""
        for _ in range(1_000):
            due = self.engine.deadline()
            if due is None or due > self.now_ms:
                return
            self._take(self.engine.tick(self.now_ms))
            self.tell()
        raise AssertionError(f"deadline {self.engine.deadline()} stays due at {self.now_ms}")

    def advance_to(self, ms: int) -> None:
        """Let time pass, with every deadline on the way."""
        self.settle()
        while (due := self.engine.deadline()) is not None and due <= ms:
            self.now_ms = max(due, self.now_ms)
            self.settle()
        self.now_ms = ms

    def _take(self, commands: Commands) -> None:
        for command in commands:
            if isinstance(command, JournalLine):
                self.notes.append(command)
                self.noted.append((self.now_ms, command))
            elif isinstance(command, Alert):
                self.alerts.append((self.now_ms, command))
                self.conditions.take(command, "", self.now_ms)
            elif isinstance(command, AlertEnded):
                self.conditions.take(command, "", self.now_ms)
            elif isinstance(command, Send):
                self.sent.append((self.now_ms, command.body))
                self._act(command.body)
            else:
                assert isinstance(command, Record), command
        for row in self.engine.dirty():
            self.rows[row.key] = row._replace(data=json.loads(json.dumps(dict(row.data))))
        if self.reincarnate:
            deadline = self.engine.deadline()
            self.engine = self.make()
            restore_logic(self.engine, self.rows)
            self.warm(self.engine)
            assert self.engine.deadline() == deadline
        self.on_call(self)

    # --- the exchange ---

    def _act(self, body: Body) -> None:
        if isinstance(body, Intent):
            outcome = self.decide(body)
            if outcome.denied:
                self.placed.append(Placed(self.now_ms, body, ZERO, ZERO))
                reasons = (outcome.denied,)
                self._inbox.append(
                    OrderDenied(intent_id=body.intent_id, engine=body.engine, reasons=reasons, checks=("test",))
                )
            elif outcome.hangs:
                self.hanging[body.intent_id] = body
            else:
                self._fill(body, outcome.share)
        elif isinstance(body, Withdraw) and body.intent_id in self.hanging:
            self._fill(self.hanging.pop(body.intent_id), ZERO)
        elif isinstance(body, TransferWanted):
            self.transfers.append(body)

    def _fill(self, intent: Intent, share: Decimal) -> None:
        one = next(i for i in INSTRUMENTS if (i.category, i.symbol) == (intent.category, intent.symbol))
        quantity = one.floor_qty(intent.quantity * share)
        price = self.prices[intent.category, intent.symbol]
        if quantity > 0:
            self.execute(intent.intent_id, intent.category, intent.symbol, intent.side, quantity, price)
        self.placed.append(Placed(self.now_ms, intent, quantity, price))
        self._inbox.append(
            IntentDone(
                intent_id=intent.intent_id,
                engine=intent.engine,
                account=intent.account,
                category=intent.category,
                symbol=intent.symbol,
                side=intent.side,
                outcome="FILLED" if quantity == intent.quantity else "CANCELLED",
                filled_quantity=quantity,
                average_price=price if quantity > 0 else None,
                reason="",
            )
        )

    def execute(
        self, intent_id: str, category: str, symbol: str, side: Side, quantity: Decimal, price: Decimal
    ) -> None:
        """Book one execution and report it; with an unknown `intent_id` it is the exchange's own (ADL, liquidation)."""
        coin = symbol.removesuffix("USDT")
        if category == SPOT:
            fee_coin = coin if side is Side.BUY else "USDT"
            fee = quantity * self.spot_fee * (1 if side is Side.BUY else price)
            self.coins[coin] = self.coins.get(coin, ZERO) + side.sign * quantity
            self.coins[coin] -= fee if side is Side.BUY else ZERO
            self.cash -= side.sign * quantity * price + (ZERO if side is Side.BUY else fee)
            after, average = self.coins[coin], ZERO
        else:
            fee_coin, fee = "USDT", quantity * price * self.perp_fee
            after, average = self._move(symbol, side.sign * quantity, price)
            self.cash -= fee
        self._changed = True
        self._count += 1
        self._inbox.append(
            Fill(
                execution_id=f"execution-{self._count}",
                intent_id=intent_id,
                engine=self.engine.name,
                account=self.account,
                category=SPOT if category == SPOT else LINEAR,
                symbol=symbol,
                side=side,
                quantity=quantity,
                price=price,
                fee=fee,
                fee_coin=fee_coin,
                is_maker=False,
                realized_pnl=ZERO,
                executed_ms=self.now_ms,
                position_quantity=after,
                position_price=average,
                cash_usdt=self.cash,
            )
        )

    def _move(self, symbol: str, signed: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
        held, average = self.positions.get(symbol, (ZERO, ZERO))
        after = held + signed
        if held * signed >= 0:
            average = (held * average + signed * price) / after
        else:
            closed = min(abs(held), abs(signed)) * (1 if held > 0 else -1)
            self.cash += closed * (price - average)
            average = ZERO if after == 0 else average
        self.positions[symbol] = (after, average)
        return after, average

    def pay_funding(self, symbol: str, rate: Decimal, mark: Decimal) -> None:
        """Settle funding on the position held, if there is one."""
        held = self.positions.get(symbol, (ZERO, ZERO))[0]
        if held == 0:
            return
        amount = -held * mark * rate
        self.cash += amount
        self._changed = True
        self._count += 1
        self.tell(
            FundingPaid(
                execution_id=f"funding-{self._count}",
                engine=self.engine.name,
                account=self.account,
                symbol=symbol,
                amount_usdt=amount,
                rate=rate,
                settle_ms=self.now_ms,
                cash_usdt=self.cash,
            )
        )

    def equity(self) -> Decimal:
        """Cash, coins at last closes and open results."""
        total = self.cash
        for coin, quantity in self.coins.items():
            total += quantity * self.closes.get((SPOT, f"{coin}USDT"), ZERO)
        for symbol, (quantity, average) in self.positions.items():
            total += quantity * (self.closes.get((LINEAR, symbol), ZERO) - average)
        return total

    def portfolio(self) -> Portfolio:
        """The next version of the portfolio."""
        self._version += 1
        self._changed = False
        view = AccountView(
            account=self.account,
            equity_usdt=self.equity(),
            cash_usdt=self.cash,
            coins=dict(self.coins),
            positions=dict(self.positions),
        )
        return Portfolio(
            version_no=self._version,
            market_ms=self.now_ms,
            equity_usdt=view.equity_usdt,
            accounts={self.account: view},
            prices={f"{category}:{symbol}": price for (category, symbol), price in self.closes.items()},
        )

    def complete_transfers(self, succeeded: bool = True) -> Sequence[TransferWanted]:
        """Perform the movements asked for."""
        done, self.transfers = self.transfers, []
        for wanted in done:
            if succeeded and wanted.coin == "USDT":
                self.cash -= wanted.amount
            elif succeeded:
                self.coins[wanted.coin] -= wanted.amount
            self._changed = True
            shared: Mapping[str, Any] = wanted.model_dump(exclude={"engine"})
            self.tell(TransferEnded(transfer_id=wanted.request_id, succeeded=succeeded, **shared))
        return done


def known_instruments() -> InstrumentsKnown:
    """The message that tells the instruments."""
    return InstrumentsKnown(instruments=INSTRUMENTS)


def risk_state(state: str) -> RiskState:
    """A state of the whole, as rules or the operator set it; entries have their full size in NORMAL, else none."""
    size = Decimal(1) if state == "NORMAL" else ZERO
    return RiskState.model_validate({"scope": "GLOBAL", "state": state, "size_factor": size, "reason": "test"})
