"""A small world around the risk manager's logic: messages in, commands out, restarts at any point."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from statemachines.commands import Command, Commands, JournalLine, Record, Send
from statemachines.facts import BarFact
from statemachines.messages.accounts import BalancesKnown, Reconciled
from statemachines.messages.envelope import Body
from statemachines.messages.market import BarsClosed, DayClosed, InstrumentsKnown
from statemachines.messages.orders import Fill, Intent
from statemachines.risk.logic import RiskManagerLogic
from statemachines.values import DAY_MS, HOUR_MS, Account, ActorName, Category
from tests.kit import builders
from tests.kit.builders import intent
from tests.kit.core import Core, recorded

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
    filters: dict[str, Any] = {"max_market_qty": Decimal(1000), "maintenance_margin_rate": Decimal("0.005")}
    return InstrumentsKnown(
        instruments=tuple(builders.instrument(category, symbol, **filters) for category, symbol in SYMBOLS)
    )


def bars(start_ms: int, interval: str, price: str) -> tuple[BarFact, ...]:
    return tuple(builders.bar(category, symbol, start_ms, price, interval) for category, symbol in SYMBOLS)


def hour(close_ms: int, price: str = "1000") -> BarsClosed:
    return BarsClosed(close_ms=close_ms, bars=bars(close_ms - HOUR_MS, "60", price))


def day(close_ms: int, price: str = "1000") -> DayClosed:
    start_ms = close_ms - DAY_MS
    return DayClosed(day_ms=start_ms, close_ms=close_ms, bars=bars(start_ms, "D", price))


def balances(account: Account, cash: str, **coins: str) -> BalancesKnown:
    return BalancesKnown(
        account=account, coins={"USDT": Decimal(cash)} | {c: Decimal(v) for c, v in coins.items()}, positions={}
    )


def reconciled(now_ms: int, discrepancies: int = 0, account: Account = Account.TREND_1) -> Reconciled:
    """A comparison of all accounts, with the differences all in one of them."""
    found = dict.fromkeys(Account, 0) | {account: discrepancies}
    details = tuple(f"{account} position BTCUSDT: difference {n}" for n in range(discrepancies))
    return Reconciled(market_ms=now_ms, reason="start", discrepancies=discrepancies, details=details, by_account=found)


def fill(order: Intent, now_ms: int, quantity: str, position: str, cash: str, price: str = "1000") -> Fill:
    return builders.fill(
        order.engine,
        order.symbol,
        order.side,
        quantity,
        price,
        now_ms,
        execution_id=f"e{order.intent_id}",
        intent_id=order.intent_id,
        account=order.account,
        category=order.category,
        position_quantity=Decimal(position),
        position_price=Decimal(price),
        cash_usdt=Decimal(cash),
    )


class World(Core[RiskManagerLogic]):
    """The risk manager between those who tell it what happened and those whom it tells."""

    def __init__(self, restarts: bool = False) -> None:
        self._recorded: list[BarFact] = []
        super().__init__(RiskManagerLogic, restarts=restarts)

    def warm(self) -> None:
        """A new incarnation reads the recorded bars, as its runtime gives them."""
        self.logic.warm(recorded(self._recorded, self.logic.history_needed()))

    def tell(self, body: Body, now_ms: int, sender: str = "order-manager", cause: str = "") -> Commands:
        """One message, then everything that is due at its instant."""
        self.now_ms = now_ms
        if isinstance(body, BarsClosed | DayClosed):
            self._recorded += body.bars
        return [*self.deliver(body, sender=sender, cause=cause), *self.settle(now_ms)]

    def settle(self, now_ms: int) -> Commands:
        self.now_ms = now_ms
        return self.run_due()

    def open(self, now_ms: int = T0, price: str = "1000") -> World:
        """Everything known: instruments, prices, balances, reconciled."""
        self.tell(instruments(), now_ms, "market-data")
        self.tell(hour(now_ms, price), now_ms, "market-data")
        for account, cash in CASH.items():
            self.tell(balances(account, str(cash)), now_ms)
        self.tell(reconciled(now_ms), now_ms)
        return self

    def state(self, scope: str) -> str:
        """The scope's risk state as it was last recorded; NORMAL before any change."""
        found = [fact.state for fact in facts(self.log, "switches") if fact.scope == scope]
        return found[-1] if found else "NORMAL"


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
