"""One engine and the account that it trades: a risk manager that approves, an exchange that fills at given prices.

Market orders fill at `prices`; a spot buy pays its fee in the coin. Each call of the engine may be followed by a new
incarnation restored from its rows (`restarts`), which must change nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import ActorLogic
from statemachines.commands import Command, Commands, Send
from statemachines.messages.accounts import AccountView, FundingPaid, Portfolio, TransferEnded, TransferWanted
from statemachines.messages.control import RiskState
from statemachines.messages.envelope import Body
from statemachines.messages.market import InstrumentsKnown
from statemachines.messages.orders import Intent, OrderDenied, Withdraw
from statemachines.values import LINEAR, SPOT, Account, Instrument, Side
from tests.kit import builders
from tests.kit.account import PaperAccount
from tests.kit.core import Core

ZERO = Decimal(0)

SPOT_STEPS = {"BTC": ("0.000001", "0.000011"), "ETH": ("0.00001", "0.0001"), "SOL": ("0.001", "0.001")}
PERP_STEPS = {"BTC": "0.001", "ETH": "0.01", "SOL": "0.1"}


def instrument(category: str, coin: str) -> Instrument:
    """An instrument with filters of the usual size."""
    spot = category == SPOT
    step, least = SPOT_STEPS[coin] if spot else (PERP_STEPS[coin], PERP_STEPS[coin])
    return builders.instrument(
        category,
        f"{coin}USDT",
        tick="0.01",
        step=step,
        least=least,
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


class World(Core[ActorLogic], PaperAccount):
    """One account with its engine. `prices` are where orders fill, `closes` the last closed prices (equity)."""

    def __init__(
        self,
        make: Callable[[], ActorLogic],
        account: Account,
        cash: Decimal,
        *,
        now_ms: int = 0,
        restarts: bool = False,
        warm: Callable[[ActorLogic], None] = lambda engine: None,
        decide: Callable[[Intent], Outcome] = always_filled,
        coins: Mapping[str, Decimal] | None = None,
        spot_fee: Decimal = Decimal("0.001"),
        on_call: Callable[[World], None] = lambda world: None,
    ) -> None:
        PaperAccount.__init__(self, cash, spot_fee=spot_fee, coins=dict(coins or {}))
        Core.__init__(self, make, now_ms, restarts=restarts)
        self.account = account
        self.decide = decide
        self.on_call = on_call
        self.prices: dict[tuple[str, str], Decimal] = {}
        self.closes: dict[tuple[str, str], Decimal] = {}
        self.placed: list[Placed] = []
        self.transfers: list[TransferWanted] = []
        self.hanging: dict[str, Intent] = {}
        self._warm = warm
        self._inbox: deque[Body] = deque()
        self._executions = 0
        self._version = 0
        self._changed = False
        self.warm()
        self.begin()

    # --- driving ---

    def warm(self) -> None:
        self._warm(self.logic)

    def restart(self) -> None:
        deadline = self.logic.deadline()
        super().restart()
        assert self.logic.deadline() == deadline

    def step(self, decide: Callable[[], Commands]) -> Commands:
        commands = super().step(decide)
        self.on_call(self)
        return commands

    def tell(self, *bodies: Body) -> None:
        """Deliver messages and everything that follows from them, without letting time pass."""
        self._inbox.extend(bodies)
        while self._inbox or self._changed:
            if not self._inbox:
                self._inbox.append(self.portfolio())
            self.deliver(self._inbox.popleft(), trace=f"kit:{self.messages}")

    def settle(self) -> None:
        """Tick as long as something is due now. Raises AssertionError when the engine never comes to rest."""
        self.run_due(between=self.tell)

    def advance_to(self, ms: int) -> None:
        """Let time pass, with every deadline on the way."""
        self.settle()
        while (due := self.logic.deadline()) is not None and due <= ms:
            self.now_ms = max(due, self.now_ms)
            self.settle()
        self.now_ms = ms

    # --- the exchange ---

    def act(self, command: Command) -> None:
        body = command.body if isinstance(command, Send) else None
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
                self.fill(body, outcome.share)
        elif isinstance(body, Withdraw) and body.intent_id in self.hanging:
            self.fill(self.hanging.pop(body.intent_id), ZERO)
        elif isinstance(body, TransferWanted):
            self.transfers.append(body)

    def fill(self, intent: Intent, share: Decimal) -> None:
        """End an order with this share of it filled."""
        one = next(i for i in INSTRUMENTS if (i.category, i.symbol) == (intent.category, intent.symbol))
        quantity = one.floor_qty(intent.quantity * share)
        price = self.prices[intent.category, intent.symbol]
        if quantity > 0:
            self.execute(intent.intent_id, intent.category, intent.symbol, intent.side, quantity, price)
        self.placed.append(Placed(self.now_ms, intent, quantity, price))
        average = price if quantity > 0 else None
        self._inbox.append(
            builders.ended(intent, "FILLED" if quantity == intent.quantity else "CANCELLED", quantity, average)
        )

    def execute(
        self, intent_id: str, category: str, symbol: str, side: Side, quantity: Decimal, price: Decimal
    ) -> None:
        """Book one execution and report it; with an unknown `intent_id` it is the exchange's own (ADL, liquidation)."""
        traded = self.book_trade(category, symbol, side, quantity, price)
        self._changed = True
        self._executions += 1
        self._inbox.append(
            builders.fill(
                self.logic.name,
                symbol,
                side,
                quantity,
                price,
                self.now_ms,
                execution_id=f"execution-{self._executions}",
                intent_id=intent_id,
                category=SPOT if category == SPOT else LINEAR,
                fee=traded.fee,
                fee_coin=traded.fee_coin,
                position_quantity=traded.quantity,
                position_price=traded.average_price,
                cash_usdt=self.cash,
            )
        )

    def pay_funding(self, symbol: str, rate: Decimal, mark: Decimal) -> None:
        """Settle funding on the position held, if there is one."""
        held = self.short_or_long(symbol)
        if held == 0:
            return
        amount = -held * mark * rate
        self.cash += amount
        self._changed = True
        self._executions += 1
        self.tell(
            FundingPaid(
                execution_id=f"funding-{self._executions}",
                engine=self.logic.name,
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
        return self.valued_at(self.closes)

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
