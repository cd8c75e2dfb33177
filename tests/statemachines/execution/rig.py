"""Drives the order manager's logic the way its durable actor does: commit rows, keep requests, crash, restore."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

from statemachines.commands import (
    Command,
    ExchangeCall,
)
from statemachines.execution.logic import OrderManagerLogic
from statemachines.execution.parameters import OrderParameters
from statemachines.facts import Fact, OrderFact
from statemachines.ledger.account_ledger import AccountLedger
from statemachines.messages.envelope import Body
from statemachines.messages.market import QuotesSeen
from statemachines.messages.orders import Approved, Intent, ResponseReceived
from statemachines.requests import Dropped, ExchangeResponse, Unknown
from statemachines.values import Account, ActorName, Category, Side
from tests.kit import builders
from tests.kit.core import Core
from tests.statemachines.execution.fake_exchange import FakeExchange

D = Decimal
START_MS = 1_700_000_000_000
B = TypeVar("B", bound=Body)
F = TypeVar("F", bound=Fact)


class Rig(Core[OrderManagerLogic]):
    """One life after the other of an order manager over one exchange, whose time is the market's. `calls` are the
    requests without an answer yet."""

    def __init__(self, exchange: FakeExchange | None = None, parameters: OrderParameters | None = None) -> None:
        self.exchange = exchange or FakeExchange(START_MS)
        self.parameters = parameters or OrderParameters()
        super().__init__(lambda: OrderManagerLogic("abc123", self.parameters), self.exchange.now_ms)
        self.calls: dict[str, ExchangeCall] = {}
        self._keys: set[str] = set()
        self.answers: dict[str, ExchangeResponse] = {}
        """Scripted outcomes: the first request whose key starts with the given text gets it instead."""

    @property
    def now_ms(self) -> int:
        return self.exchange.now_ms

    @now_ms.setter
    def now_ms(self, now_ms: int) -> None:
        self.exchange.now_ms = now_ms

    # --- life ---

    def begun(self) -> Rig:
        """The first reconciliation is under way."""
        self.begin()
        return self

    def start(self) -> Rig:
        """Begin and settle: the first reconciliation is over."""
        return self.begun().settle()

    def crash(self) -> None:
        """A new incarnation from what was committed; requests under way are answered Unknown."""
        self.restart()
        self.begin_again()

    def begin_again(self) -> None:
        pending = list(self.calls)
        self.begin()
        for key in pending:
            self.answer(key, Unknown(why="crash"))

    # --- input ---

    def tell(self, body: Body, trace: str = "bar:1") -> None:
        self.deliver(body, trace=trace)

    def answer(self, key: str, outcome: ExchangeResponse) -> None:
        call = self.calls.pop(key)
        self.tell(ResponseReceived(key=key, account=call.account, outcome=outcome))

    def perform(self, key: str) -> None:
        """Let the exchange (or the script) answer one request."""
        call = self.calls[key]
        if call.delay_s and not self.logic.still_needed(call):
            self.answer(key, Dropped())
            return
        for prefix in list(self.answers):
            if key.startswith(prefix):
                self.answer(key, self.answers.pop(prefix))
                return
        self.answer(key, self.exchange.perform(Account(call.account), call.request))

    def settle(self) -> Rig:
        """Answer all requests and deliver all frames, in order, until nothing is left."""
        for _ in range(10_000):
            if self.exchange.frames:
                self.tell(self.exchange.frames.pop(0))
            elif self.calls:
                self.perform(next(iter(self.calls)))
            else:
                return self
        raise AssertionError(f"does not settle; asks left: {list(self.calls)}")

    def advance(self, ms: int) -> None:
        """Let market time pass: tick at every deadline on the way, settling in between."""
        goal = self.exchange.now_ms + ms
        for _ in range(10_000):
            due = self.logic.deadline()
            if due is None or due > goal:
                break
            self.exchange.now_ms = max(self.exchange.now_ms, due)
            self.tick()
            self.settle()
        else:
            raise AssertionError(f"the deadline {self.logic.deadline()} does not move on")
        self.exchange.now_ms = max(self.exchange.now_ms, goal)

    def price(self, last: str) -> None:
        """A new price and its quotes."""
        self.exchange.last = D(last)
        quotes = tuple(self.exchange.quote(category, "BTCUSDT") for category in ("spot", "linear"))
        self.tell(QuotesSeen(quotes=quotes))

    def approve(self, number: int = 1, **changes: Any) -> str:
        """Approve an intent; answers its id."""
        body = approved(number, **changes)
        self.tell(body)
        return body.intent.intent_id

    # --- output ---

    def order(self, client_order_id: str) -> OrderFact:
        """An order as it was last recorded."""
        return next(fact for fact in self.recorded(OrderFact) if fact.client_order_id == client_order_id)

    def book(self, account: Account) -> AccountLedger:
        """The account's books as they were last committed."""
        return AccountLedger.from_data(account, self.rows[f"book:{account}"].data["book"])

    def intents_in_memory(self) -> set[str]:
        """The ids of the intents whose rows are still held, open or ended."""
        rows = [row for key, row in self.rows.items() if key.startswith("parent:")]
        return {row.data["approved"]["intent"]["intent_id"] for row in rows}

    def waiting(self, fragment: str) -> list[str]:
        return [key for key in self.calls if fragment in key]

    def act(self, command: Command) -> None:
        if isinstance(command, ExchangeCall):
            assert command.key not in self._keys, f"{command.key} was used before"
            self._keys.add(command.key)
            self.calls[command.key] = command


def intent(number: int = 1, **changes: Any) -> Intent:
    engine: ActorName = changes.pop("engine", ActorName.TREND_1)
    close = {"quantity": D("0.5"), "reference_price": D(100), "reason": "close 100.0 above SMA200 90.0: long"}
    return builders.intent(number, engine, **{**close, **changes})


def approved(number: int = 1, **changes: Any) -> Approved:
    bounds = {
        name: changes.pop(name)
        for name in ("max_quantity", "price_limit", "slippage_limit", "approval_expires_ms")
        if name in changes
    }
    wanted = intent(number, **changes)
    return Approved(
        intent=wanted,
        max_quantity=bounds.get("max_quantity", wanted.quantity),
        price_limit=bounds.get("price_limit"),
        slippage_limit=bounds.get("slippage_limit", D("0.005")),
        expires_ms=bounds.get("approval_expires_ms"),
        portfolio_version=1,
    )


def stop(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Changes that make an intent a stop of a long."""
    return {"number": number, "style": "stop", "side": Side.SELL, "reduce_only": True, "purpose": "stop",
            "trigger_price": D(90), **changes}  # fmt: skip


def maker(number: int = 1, category: Category = "spot", **changes: Any) -> dict[str, Any]:
    """Changes that make an intent CORE-HODL's maker order."""
    return {"number": number, "style": "maker", "category": category, "engine": ActorName.CORE_HODL, **changes}
