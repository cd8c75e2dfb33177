"""Drives the order manager's logic the way its durable actor does: commit rows, keep requests, crash, restore."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from statemachines.actor_logic import StateRow
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
from statemachines.execution.logic import OrderManagerLogic
from statemachines.execution.parameters import OrderParameters
from statemachines.facts import Fact, OrderFact
from statemachines.ledger.book import Book
from statemachines.messages.envelope import Body, Envelope
from statemachines.messages.market import QuotesSeen
from statemachines.messages.orders import Approved, Intent, ResponseReceived
from statemachines.requests import Dropped, ExchangeResponse, Unknown
from statemachines.values import ACCOUNT_OF, Account, ActorName, Category, Side
from tests.statemachines.execution.fake_exchange import FakeExchange

D = Decimal
START_MS = 1_700_000_000_000
B = TypeVar("B", bound=Body)
F = TypeVar("F", bound=Fact)


class Rig:
    """One life after the other of an order manager over one exchange. `sent`, `alerts`, `notes`, `facts` and `calls`
    (unanswered requests) hold what was committed."""

    def __init__(self, exchange: FakeExchange | None = None, parameters: OrderParameters | None = None) -> None:
        self.exchange = exchange or FakeExchange(START_MS)
        self.parameters = parameters or OrderParameters()
        self.rows: dict[str, StateRow] = {}
        self.calls: dict[str, ExchangeCall] = {}
        self.all_asks: list[ExchangeCall] = []
        self.sent: list[Send] = []
        self.alerts: list[Alert] = []
        self.ended: list[str] = []
        """Conditions that were told to be over."""
        self.notes: list[JournalLine] = []
        self.facts: dict[tuple[Any, ...], Fact] = {}
        self.repeated: list[Fact] = []
        self.answers: dict[str, ExchangeResponse] = {}
        """Scripted outcomes: the first request whose key starts with the given text gets it instead."""
        self.messages = 0
        self.logic = OrderManagerLogic("abc123", self.parameters)

    # --- life ---

    def begin(self) -> Rig:
        self._take(self.logic.begin(self.exchange.now_ms))
        return self

    def start(self) -> Rig:
        """Begin and settle: the first reconciliation is over."""
        return self.begin().settle()

    def crash(self) -> None:
        """A new incarnation from what was committed; requests under way are answered Unknown."""
        self.logic = OrderManagerLogic("abc123", self.parameters)
        self.logic.restore(dict(self.rows))
        self.begin_again()

    def begin_again(self) -> None:
        pending = list(self.calls)
        self._take(self.logic.begin(self.exchange.now_ms))
        for key in pending:
            self.answer(key, Unknown(why="crash"))

    # --- input ---

    def tell(self, body: Body, trace: str = "bar:1") -> None:
        self.messages += 1
        self._take(self.logic.handle(Envelope(f"m:{self.messages}", "test", self.exchange.now_ms, "", trace, body)))

    def answer(self, key: str, outcome: ExchangeResponse) -> None:
        call = self.calls.pop(key)
        self.tell(ResponseReceived(key=key, account=call.account, outcome=outcome))

    def perform(self, key: str) -> None:
        """Let the exchange (or the script) answer one request."""
        call = self.calls[key]
        if call.delay_s and not self.logic.wants(call):
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

    def tick(self) -> None:
        self._take(self.logic.tick(self.exchange.now_ms))

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

    def bodies(self, kind: type[B]) -> list[B]:
        return [send.body for send in self.sent if isinstance(send.body, kind)]

    def of(self, kind: type[F]) -> list[F]:
        return [fact for fact in self.facts.values() if isinstance(fact, kind)]

    def order(self, client_order_id: str) -> OrderFact:
        """An order as it was last recorded."""
        return next(fact for fact in self.of(OrderFact) if fact.client_order_id == client_order_id)

    def book(self, account: Account) -> Book:
        """The account's books as they were last committed."""
        return Book.from_data(account, self.rows[f"book:{account}"].data["book"])

    def intents_in_memory(self) -> set[str]:
        """The ids of the intents whose rows are still held, open or ended."""
        rows = [row for key, row in self.rows.items() if key.startswith("parent:")]
        return {row.data["approved"]["intent"]["intent_id"] for row in rows}

    def waiting(self, fragment: str) -> list[str]:
        return [key for key in self.calls if fragment in key]

    def titles(self) -> list[str]:
        return [alert.title for alert in self.alerts]

    def _take(self, commands: Commands) -> None:
        for row in self.logic.dirty():
            self.rows[row.key] = row._replace(data=json.loads(json.dumps(row.data)))
        for command in commands:
            match command:
                case Send():
                    self.sent.append(command)
                case ExchangeCall():
                    assert command.key not in {call.key for call in self.all_asks}, f"{command.key} was used before"
                    self.calls[command.key] = command
                    self.all_asks.append(command)
                case JournalEntry() | Remark():
                    self.notes.append(command)
                case Alert():
                    self.alerts.append(command)
                case AlertEnded():
                    self.ended.append(command.condition)
                case Record():
                    key = (command.fact.TABLE, *(getattr(command.fact, name) for name in command.fact.KEY))
                    if command.fact.ONCE and key in self.facts:
                        self.repeated.append(command.fact)
                    self.facts[key] = command.fact


def intent(number: int = 1, **changes: Any) -> Intent:
    engine: ActorName = changes.pop("engine", ActorName.TREND_1)
    fields: dict[str, Any] = {
        "intent_id": f"{engine}-{number}",
        "engine": engine,
        "account": ACCOUNT_OF[engine],
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "quantity": D("0.5"),
        "style": "market",
        "reference_price": D(100),
        "purpose": "entry",
        "reason": "close 100.0 above SMA200 90.0: long",
    }
    return Intent(**{**fields, **changes})


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


Check = Callable[[Rig], None]
