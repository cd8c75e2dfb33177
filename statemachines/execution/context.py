"""The state shared by all parts of the order manager, and the commands of the current step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal

from statemachines.actor_logic import StateRow
from statemachines.commands import Alert, AlertEnded, Commands, ExchangeCall, JournalLine, Record, Remark, Send
from statemachines.execution.account_books import ROWS as BOOK_ROWS
from statemachines.execution.account_books import AccountBooks
from statemachines.execution.orders.child_order import ChildOrder
from statemachines.execution.orders.order_ids import ClientOrderIdParts, checked_installation, parse_client_order_id
from statemachines.execution.orders.parent_order import ROWS as PARENT_ROWS
from statemachines.execution.orders.parent_order import ParentOrder, ParentOrders, ResurrectedOrder
from statemachines.execution.orders.staking_order import StakingWorks
from statemachines.execution.orders.transfer_order import TransferWorks
from statemachines.execution.parameters import OrderParameters
from statemachines.execution.records.transaction_records import ROWS as LOG_ROWS
from statemachines.facts import Fact, OrderFact
from statemachines.ledger.exact import add
from statemachines.messages.accounts import BalancesKnown
from statemachines.messages.control import OperatorCommand
from statemachines.messages.envelope import Body
from statemachines.requests import ExchangeRequest, Quote
from statemachines.state_store import RowKind, StateDialect
from statemachines.values import ENGINE_OF, Account, ActorName, Category, Instrument

Market = tuple[Category, str]
EXTERNAL = "EXTERNAL"
"""The engine of orders and executions that this system did not place."""


class ExecutionContext:
    """Durable: parent orders, transfers, staking orders, accounts, control. In memory only: quotes, instruments,
    `is_started`.

    `now_ms` and `trace` belong to the current step; `out` collects its commands.
    """

    def __init__(self, installation: str, parameters: OrderParameters) -> None:
        self.installation = checked_installation(installation)
        self.parameters = parameters
        self.instruments: dict[Market, Instrument] = {}
        self.quotes: dict[Market, Quote] = {}
        self.parents = ParentOrders(parameters.recent_orders)
        self.transfers = TransferWorks(parameters.recent_transfers)
        self.stakings = StakingWorks(parameters.recent_transfers)
        self.books = {account: AccountBooks(account, parameters) for account in Account}
        self.control = Control()
        self.resurrected: dict[str, ResurrectedOrder] = {}
        """By client id: our orders that are being cancelled because they are open after their end."""
        self.is_started = False
        self.reading_needed = ""
        """Why an account must be read after this step: a stream has sent an implausible report."""
        self.now_ms = 0
        self.trace = ""
        self.out: Commands = []
        self.touched: dict[int, ParentOrder] = {}
        self._by_venue_order_id: dict[str, ClientOrderIdParts] = {}
        self._balances_to_publish: dict[Account, None] = {}
        self._results: dict[Account, dict[str, Decimal]] = {}
        self._deposits: dict[Account, dict[str, Decimal]] = {}
        self._withdrawals: dict[Account, dict[str, Decimal]] = {}
        self._recorded: dict[int, tuple[object, ...]] = {}

    # --- commands of this step ---

    def send(self, body: Body, to: tuple[ActorName, ...] = ()) -> None:
        self.out.append(Send(body, to))

    def call_exchange(
        self, key: str, account: Account, request: ExchangeRequest, gate: ActorName | None = None, delay_s: float = 0.0
    ) -> None:
        self.out.append(ExchangeCall(key, account, request, gate, delay_s))

    def record(self, fact: Fact) -> None:
        self.out.append(Record(fact))

    def alert(
        self, severity: Literal["info", "warning", "critical"], title: str, text: str, condition: str = ""
    ) -> None:
        """An event, or a condition that stays open until `end_alert`."""
        self.out.append(Alert(severity, title, text, condition))

    def end_alert(self, condition: str, text: str) -> None:
        """The end of a condition; one that is not open changes nothing."""
        self.out.append(AlertEnded(condition, text))

    def note(self, machine: str, trigger: str, reason: str, **data: Any) -> None:
        """A decision without a transition of a table."""
        self.out.append(Remark(machine, trigger, reason, data))

    def remark(self, machine: str, trigger: str, reason: str, **data: Any) -> None:
        """Bookkeeping of the component, left out when two runs are compared."""
        self.out.append(Remark(machine, trigger, reason, data, is_bookkeeping=True))

    def notes(self, notes: Iterable[JournalLine | None]) -> None:
        self.out.extend(note for note in notes if note)

    def publish_balances(self, account: Account) -> None:
        """Send BalancesKnown of the account once at the end of this step."""
        self._balances_to_publish[account] = None

    def count_result(self, account: Account, coin: str, amount: Decimal) -> None:
        """Income or expense of this step that is part of results (RULINGS F11), published with the balances."""
        self._count(self._results, account, coin, amount)

    def count_flow(self, account: Account, coin: str, amount: Decimal) -> None:
        """What came to the account (positive) or left it in this step other than by a transfer that has ended,
        published with the balances (RULINGS F11, C5)."""
        self._count(self._deposits if amount > 0 else self._withdrawals, account, coin, abs(amount))

    def _count(self, counted: dict[Account, dict[str, Decimal]], account: Account, coin: str, amount: Decimal) -> None:
        self.publish_balances(account)
        if amount:
            amounts = counted.setdefault(account, {})
            amounts[coin] = add(amounts.get(coin, Decimal(0)), amount)

    def request_halt(self, parent: ParentOrder, subject: str, reason: str) -> None:
        """A contradiction, or a loop that does not converge: the engine must stop trading.

        The switches belong to the risk manager, which treats this like an operator's command (DESIGN 5). Each halt is a
        separate command: one that the operator has lifted does not suppress a later one for the same order.
        """
        engine = parent.intent.engine
        self.alert("critical", f"{engine} must halt", f"{reason}. The engine's halt was requested; check {subject}.")
        command = OperatorCommand(
            command_id=f"{ActorName.ORDER_MANAGER}:{subject}:halt:{self.now_ms}",
            who=ActorName.ORDER_MANAGER,
            action="halt",
            scope=engine,
            reason=reason,
        )
        self.send(command, to=(ActorName.RISK_MANAGER,))

    # --- state ---

    def touch(self, parent: ParentOrder) -> None:
        """The parent order has changed: its row, its order's fact and its due time are written at the end of the
        step."""
        self.parents.mark(parent)
        self.touched[parent.slot] = parent

    def remember_venue_order_id(self, order: ChildOrder) -> None:
        """Store the exchange's id: some reports carry only that one."""
        if order.venue_order_id:
            self._by_venue_order_id[order.venue_order_id] = ClientOrderIdParts(order.intent_id, order.child)

    def discard_venue_order_id(self, order: ChildOrder) -> None:
        self._by_venue_order_id.pop(order.venue_order_id, None)

    def ours(self, client_order_id: str, venue_order_id: str) -> ClientOrderIdParts | None:
        """Intent and child number of a report; None when this system did not place the order."""
        return parse_client_order_id(self.installation, client_order_id) or self._by_venue_order_id.get(venue_order_id)

    def coins(self, category: Category, symbol: str) -> tuple[str, str]:
        """Base and quote coin of a symbol."""
        instrument = self.instruments.get((category, symbol))
        if instrument is not None:
            return instrument.base_coin, instrument.quote_coin
        # Before the first reading of the market; every symbol traded here is quoted in USDT (SPEC chapters 2-5).
        return symbol.removesuffix("USDT"), "USDT"

    def record_order(self, parent: ParentOrder) -> None:
        """Record the order's fact if it has changed."""
        order = parent.order
        if order is None:
            return
        fact = OrderFact(
            client_order_id=order.client_order_id,
            intent_id=order.intent_id,
            engine=order.engine,
            account=order.account,
            category=order.category,
            symbol=order.symbol,
            side=order.side,
            order_type=order.style,
            quantity=order.quantity,
            price=order.price,
            trigger_price=order.trigger_price,
            reduce_only=order.reduce_only,
            state=order.state,
            venue_order_id=order.venue_order_id,
            filled_quantity=order.filled_quantity,
            average_price=order.average_price,
            reason=order.end_reason or parent.intent.reason,
            created_ms=order.created_ms,
            updated_ms=order.updated_ms,
            trace=order.trace,
        )
        shape: tuple[object, ...] = (
            fact.client_order_id,
            fact.state,
            fact.filled_quantity,
            fact.price,
            fact.trigger_price,
            fact.quantity,
            fact.venue_order_id,
            fact.reason,
        )
        if self._recorded.get(parent.slot) != shape:
            self._recorded[parent.slot] = shape
            self.record(fact)

    def finish_step(self) -> Commands:
        """Add the facts of touched orders and the balances to send; return the commands and clear them."""
        for _slot, parent in sorted(self.touched.items()):
            self.record_order(parent)
        for account in self._balances_to_publish:
            book = self.books[account].book
            self.send(
                BalancesKnown(
                    account=account,
                    coins=book.holdings(),
                    positions=book.open_positions(),
                    results=self._results.get(account, {}),
                    deposits=self._deposits.get(account, {}),
                    withdrawals=self._withdrawals.get(account, {}),
                    staked=book.staked(),
                    earned=book.earned(),
                )
            )
        self.touched.clear()
        self._balances_to_publish.clear()
        for counted in (self._results, self._deposits, self._withdrawals):
            counted.clear()
        out, self.out = self.out, []
        return out

    # --- durable form ---

    def rows(self) -> list[StateRow]:
        """Every durable row in its current form."""
        rows = [self.control.row(), *self.parents.rows(), *self.transfers.rows(), *self.stakings.rows()]
        for books in self.books.values():
            rows.extend(books.rows())
        return rows

    def dirty(self) -> list[StateRow]:
        """Rows changed since the last call."""
        rows = [*self.control.dirty(), *self.parents.dirty(), *self.transfers.dirty(), *self.stakings.dirty()]
        for books in self.books.values():
            rows.extend(books.dirty())
        return rows

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Restore all durable state. Raises UnreadableRowError."""
        for key, row in rows.items():
            kind, _, rest = key.partition(":")
            if kind == "control":
                self.control.restore(row.data)
            elif kind == "book":
                self.books[Account(rest)].restore(row)
            elif kind == "executions":
                account, _, index = rest.partition(":")
                self.books[Account(account)].deduplicator.restore(int(index), row.data)
            elif kind == "transaction-log":
                self.books[Account(rest)].transactions.restore(row.data)
            elif kind == "transactions":
                account, _, index = rest.partition(":")
                self.books[Account(account)].transactions.seen.restore(int(index), row.data)
        self.parents.restore(rows)
        self.transfers.restore(rows)
        self.stakings.restore(rows)
        for parent in self.parents.known():
            if parent.order is not None:
                self.remember_venue_order_id(parent.order)

    def engine_of(self, account: Account) -> ActorName | None:
        """The engine that owns the account; None for the master account."""
        return ENGINE_OF.get(account)


KEY = "control"


def _without_leverage(row: StateRow) -> StateRow:
    """Schema 1 said of a pair that its leverage was set, but not to what: it is set again, which is harmless."""
    return row._replace(schema=2, data={**row.data, "leverage": {}})


CONTROL_ROWS = RowKind(KEY, 2, {1: _without_leverage})
DIALECT = StateDialect(
    PARENT_ROWS, BOOK_ROWS, LOG_ROWS, CONTROL_ROWS, unchecked=frozenset({"forgotten_ms", "horizon_ms"})
)


class Control:
    """`next(name)` issues sequence numbers; `leverage` holds what the exchange has set by "account:symbol"."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.leverage: dict[str, Decimal] = {}
        self.is_dirty = False

    def next(self, name: str) -> int:
        """The next number of a series, from 1; never issued twice, not even across restarts."""
        self._numbers[name] = self._numbers.get(name, 0) + 1
        self.is_dirty = True
        return self._numbers[name]

    def leverage_set(self, pair: str, leverage: Decimal) -> None:
        self.leverage[pair] = leverage
        self.is_dirty = True

    def row(self) -> StateRow:
        """The row in its current form."""
        leverage = {pair: f"{value:f}" for pair, value in sorted(self.leverage.items())}
        return StateRow(KEY, "", CONTROL_ROWS.schema, {"numbers": dict(self._numbers), "leverage": leverage})

    def dirty(self) -> Iterable[StateRow]:
        """The row, if it changed since the last call."""
        if self.is_dirty:
            self.is_dirty = False
            yield self.row()

    def restore(self, data: Mapping[str, Any]) -> None:
        self._numbers = dict(data["numbers"])
        self.leverage = {pair: Decimal(value) for pair, value in data["leverage"].items()}
