"""A small world around the risk manager's logic: messages in, commands out, restarts at any point."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.commands import Command, Commands, JournalLine, Record, Send
from statemachines.facts import BarFact
from statemachines.messages.accounts import BalancesKnown, Reconciled
from statemachines.messages.envelope import Body, Envelope
from statemachines.messages.market import BarsClosed, DayClosed, InstrumentsKnown
from statemachines.messages.orders import Fill, Intent
from statemachines.risk.logic import RiskManagerLogic
from statemachines.values import ACCOUNT_OF, DAY_MS, HOUR_MS, Account, ActorName, Category, Instrument, Side

T0 = 20_000 * DAY_MS
SYMBOLS: tuple[tuple[Category, str], ...] = (
    ("spot", "BTCUSDT"),
    ("spot", "ETHUSDT"),
    ("spot", "SOLUSDT"),
    ("linear", "BTCUSDT"),
    ("linear", "ETHUSDT"),
    ("linear", "SOLUSDT"),
)
CASH = {
    Account.CORE_HODL: 60_000,
    Account.TREND_1: 15_000,
    Account.TREND_2: 5_000,
    Account.FUNDING: 15_000,
    Account.TACTICAL: 5_000,
}


def instruments() -> InstrumentsKnown:
    return InstrumentsKnown(
        instruments=tuple(
            Instrument(
                category=category,
                symbol=symbol,
                base_coin=symbol.removesuffix("USDT"),
                quote_coin="USDT",
                tick_size=Decimal("0.1"),
                qty_step=Decimal("0.001"),
                min_qty=Decimal("0.001"),
                min_notional_usdt=Decimal(5),
                max_limit_qty=Decimal(1000),
                max_market_qty=Decimal(1000),
                maintenance_margin_rate=Decimal("0.005"),
            )
            for category, symbol in SYMBOLS
        )
    )


def bars(start_ms: int, interval: str, price: str) -> tuple[BarFact, ...]:
    close = Decimal(price)
    return tuple(
        BarFact(
            category=category,
            symbol=symbol,
            interval=interval,
            start_ms=start_ms,
            open=close,
            high=close,
            low=close,
            close=close,
            volume=Decimal(1),
        )
        for category, symbol in SYMBOLS
    )


def hour(close_ms: int, price: str = "1000") -> BarsClosed:
    return BarsClosed(close_ms=close_ms, bars=bars(close_ms - HOUR_MS, "60", price))


def day(close_ms: int, price: str = "1000") -> DayClosed:
    start_ms = close_ms - DAY_MS
    return DayClosed(day_ms=start_ms, close_ms=close_ms, bars=bars(start_ms, "D", price))


def balances(account: Account, cash: str, **coins: str) -> BalancesKnown:
    return BalancesKnown(
        account=account, coins={"USDT": Decimal(cash)} | {c: Decimal(v) for c, v in coins.items()}, positions={}
    )


def reconciled(now_ms: int, discrepancies: int = 0) -> Reconciled:
    return Reconciled(market_ms=now_ms, reason="start", discrepancies=discrepancies)


def intent(number: int, engine: ActorName = ActorName.TREND_1, **changes: Any) -> Intent:
    body = Intent(
        intent_id=f"{engine}-{number}",
        engine=engine,
        account=ACCOUNT_OF[engine],
        category="linear",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(1),
        style="market",
        reference_price=Decimal(1000),
        purpose="entry",
        reason="test",
    )
    return body.model_copy(update=changes)


def fill(order: Intent, now_ms: int, quantity: str, position: str, cash: str, price: str = "1000") -> Fill:
    return Fill(
        execution_id=f"e{order.intent_id}",
        intent_id=order.intent_id,
        engine=order.engine,
        account=order.account,
        category=order.category,
        symbol=order.symbol,
        side=order.side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(0),
        fee_coin="USDT",
        is_maker=False,
        realized_pnl=Decimal(0),
        executed_ms=now_ms,
        position_quantity=Decimal(position),
        position_price=Decimal(price),
        cash_usdt=Decimal(cash),
    )


class World:
    """Feeds a logic; with `restart_always` the logic is rebuilt from its rows after every single step."""

    def __init__(self, restart_always: bool = False) -> None:
        self.logic = RiskManagerLogic()
        self.rows: dict[str, StateRow] = {}
        self.log: list[Command] = []
        self._restart_always = restart_always
        self._count = 0

    def tell(self, body: Body, now_ms: int, sender: str = "order-manager", cause: str = "") -> Commands:
        """One message, then everything that is due at its instant."""
        self._count += 1
        message = Envelope(f"{sender}:{self._count}", sender, now_ms, cause, "", body)
        return self._step(self.logic.handle(message)) + self.settle(now_ms)

    def settle(self, now_ms: int) -> Commands:
        commands: Commands = []
        for _ in range(20):
            due_ms = self.logic.deadline()
            if due_ms is None or due_ms > now_ms:
                return commands
            commands += self._step(self.logic.tick(now_ms))
        raise AssertionError("the deadline does not move on: the clock would spin")

    def open(self, now_ms: int = T0, price: str = "1000") -> World:
        """Everything known: instruments, prices, balances, reconciled."""
        self.tell(instruments(), now_ms, "market-data")
        self.tell(hour(now_ms, price), now_ms, "market-data")
        for account, cash in CASH.items():
            self.tell(balances(account, str(cash)), now_ms)
        self.tell(reconciled(now_ms), now_ms)
        return self

    def restart(self) -> None:
        logic = RiskManagerLogic()
        logic.restore(self.rows)
        self.logic = logic

    def state(self, scope: str) -> str:
        """The scope's risk state as it was last recorded; NORMAL before any change."""
        found = [fact.state for fact in facts(self.log, "switches") if fact.scope == scope]
        return found[-1] if found else "NORMAL"

    def _step(self, commands: Commands) -> Commands:
        self.rows.update({row.key: row for row in self.logic.dirty()})
        self.log += commands
        if self._restart_always:
            self.restart()
        return commands


def sent(commands: Sequence[Command], kind: str) -> list[Any]:
    return [c.body for c in commands if isinstance(c, Send) and kind == c.body.KIND]


def sends(commands: Sequence[Command], kind: str) -> list[Send]:
    return [c for c in commands if isinstance(c, Send) and kind == c.body.KIND]


def facts(commands: Sequence[Command], table: str) -> list[Any]:
    return [c.fact for c in commands if isinstance(c, Record) and table == c.fact.TABLE]


def notes(commands: Sequence[Command]) -> list[JournalLine]:
    return [c for c in commands if isinstance(c, JournalLine)]


def close(world: World, number: int, price: str = "1000") -> Commands:
    at_ms = T0 + number * DAY_MS
    return [*world.tell(hour(at_ms, price), at_ms), *world.tell(day(at_ms, price), at_ms)]


def lose(world: World, number: int, account: Account, cash: str) -> None:
    """Cash of an account after a losing trade (a fill without a position left)."""
    engine = {
        Account.TREND_1: ActorName.TREND_1,
        Account.TREND_2: ActorName.TREND_2,
        Account.FUNDING: ActorName.FUNDING,
    }
    order = intent(900 + number, engine[account])
    world.tell(fill(order, T0, "1", "0", cash), T0 + number * DAY_MS - HOUR_MS)
