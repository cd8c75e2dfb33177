"""Reading one account: orders, executions, positions, wallet. A failed read raises; it is never an empty answer.

Every row is judged by itself, and rows of one thing against each other: two rows of one coin or of one position say
nothing about it, neither the first nor the last of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from actors.runtime.ports import MarketClock
from infra.bybit.caller import Caller, TooManyPagesError, at_cursor
from infra.bybit.earn import EarnGateway
from infra.bybit.parsing.fields import Row, UnparsableError
from infra.bybit.parsing.judging import distinct, kept, set_aside
from infra.bybit.parsing.realized import with_realized
from infra.bybit.parsing.rows import (
    SETTLE_COIN,
    WALLET_TYPE,
    parse_balance,
    parse_execution,
    parse_order,
    parse_position,
    traded,
    wallet_coins,
)
from infra.bybit.parsing.transactions import parse_transaction
from statemachines.execution.orders.report_checks import lacks_realized
from statemachines.ledger.transaction_types import is_booked_by_execution
from statemachines.requests import (
    WHOLE_ACCOUNT,
    AccountSnapshot,
    ExecutionReport,
    OrderReport,
    PositionReport,
    ReadAccount,
    SetAside,
)
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import DAY_MS, LINEAR, MINUTE_MS, SPOT, Account, Category

WINDOW_MS = 7 * DAY_MS
"""Longest span of one query for executions."""

REACH_MS = 730 * DAY_MS
"""The exchange keeps executions for two years."""

READING_MS = 10 * MINUTE_MS
"""An account's rows may be younger than the reading's begin by as long as a reading can take."""

OPENING_TRIES = 5
"""Readings of an opening until the wallet is the same before and after it."""

_CATEGORIES: tuple[Category, ...] = (SPOT, LINEAR)


class AccountReader:
    """All methods raise GatewayError or UnparsableError."""

    def __init__(self, caller: Caller, clock: MarketClock) -> None:
        self._caller = caller
        self._clock = clock
        self._earn = EarnGateway(caller, clock)

    def snapshot(self, account: Account, request: ReadAccount) -> AccountSnapshot:
        """What `request` asks for. An opening is read again until the wallet is the same before and after it: what
        moved in between would be in the opening balance and in the records booked after it, or in neither.

        Raises UnparsableError when the wallet does not rest.
        """
        if not request.is_opening:
            return self._snapshot(account, request)
        before = self._balances(account, [])
        for _ in range(OPENING_TRIES):
            found = self._snapshot(account, request)
            if found.balances == before:
                return found
            before = found.balances
        raise UnparsableError(f"{account}: its wallet changed during {OPENING_TRIES} readings of its opening.")

    def _snapshot(self, account: Account, request: ReadAccount) -> AccountSnapshot:
        """Open orders, executions since, positions, the transaction log since, Earn, balances: in this order, so that a
        fill in between shows up as an execution of an order still listed, never as a missing order."""
        aside: list[SetAside] = []
        orders: list[OrderReport] = []
        executions: list[ExecutionReport] = []
        for category in _CATEGORIES:
            where = {"settleCoin": SETTLE_COIN} if category == LINEAR else {}
            rows = self._order_rows(account, category, where)
            orders += kept(aside, "order", rows, partial(_order, account, category, self._latest_ms()), category)
        orders = distinct(aside, "order", orders, _order_name, may_repeat=True, same=lambda row: row.venue_order_id)
        orders = distinct(
            aside, "order", orders, _order_name, same=lambda row: row.client_order_id or ("", row.venue_order_id)
        )
        now_ms = self._clock.now_ms()
        for category in _CATEGORIES:
            rows = self._execution_rows_since(account, category, request.executions_since_ms, now_ms)
            parse = partial(_execution, account, category, self._latest_ms())
            executions += kept(aside, "execution", rows, parse, category)
        executions = distinct(
            aside,
            "execution",
            executions,
            lambda row: (row.category, row.symbol, row.execution_id),
            may_repeat=True,
            same=lambda row: row.execution_id,
        )
        rows = self._caller.pages(
            account,
            "positions",
            lambda s, at: s.get_positions(category=LINEAR, settleCoin=SETTLE_COIN, limit=200, **at_cursor(at)),
            LINEAR,
        )
        positions = kept(aside, "position", rows, partial(_position, account), LINEAR)
        # Flat rows repeat nothing but that: one is enough, and one beside a position contradicts it.
        flat = dict.fromkeys(row for row in positions if row.report is None)
        named = [*flat, *(row for row in positions if row.report is not None)]
        held = distinct(aside, "position", named, lambda row: (LINEAR, row.symbol, ""))
        transactions, since_ms = None, request.transactions_since_ms
        if since_ms is not None:
            listed = self.transactions(account, since_ms, aside)
            transactions = tuple(row for row in listed if not is_booked_by_execution(row.transaction_type))
            executions = with_realized(executions, listed)
        earn = None
        if request.reads_earn:
            earn = self._earn.reading(account, request.yields_since_ms, request.earn_coins)
        return AccountSnapshot(
            account=account,
            market_ms=self._clock.now_ms(),
            open_orders=tuple(orders),
            executions=tuple(sorted(executions, key=lambda row: (row.executed_ms, row.execution_id))),
            positions=tuple(row.report for row in held if row.report is not None),
            transactions=transactions,
            earn=earn,
            balances=self._balances(account, aside),
            set_aside=tuple(aside),
        )

    def _latest_ms(self) -> int:
        """No row can be younger. As of now, after the rows were read: a simulated market passes an hour meanwhile."""
        return self._clock.now_ms() + READING_MS

    def _balances(self, account: Account, aside: list[SetAside]) -> dict[str, Decimal]:
        """Wallet balance per coin. A wallet that contradicts itself is set aside whole, as a fact about the account."""
        wallet = self._caller.result(account, "wallet", lambda s: s.get_wallet_balance(accountType=WALLET_TYPE))
        listed = wallet.items("list")
        try:
            coins = wallet_coins({"list": listed})
        except UnparsableError as error:
            aside.append(set_aside("balance", error, None, WHOLE_ACCOUNT, account))
            return {}
        balances = kept(aside, "balance", coins, parse_balance)
        return dict(distinct(aside, "balance", balances, lambda row: ("", row[0], "")))

    def transactions(self, account: Account, since_ms: int, aside: list[SetAside]) -> list[TransactionRow]:
        """The whole transaction log from an instant on, oldest first, each row once; two rows of one id that differ are
        added to `aside`."""
        now_ms = self._clock.now_ms()
        start = max(since_ms, now_ms - REACH_MS)
        rows: list[Any] = []
        while start <= now_ms:
            rows += self._transaction_rows(account, start, min(start + WINDOW_MS - 1, now_ms + READING_MS))
            start += WINDOW_MS
        read = kept(aside, "transaction", rows, partial(parse_transaction, account, not_after_ms=now_ms + READING_MS))
        once = distinct(aside, "transaction", read, lambda row: ("", row.coin, row.key), may_repeat=True)
        return sorted(once, key=lambda row: (row.time_ms or 0, row.key))

    def _transaction_rows(self, account: Account, start_ms: int, end_ms: int) -> list[Any]:
        """All rows between two instants, both included; a span with too many pages is read in halves."""
        try:
            return self._caller.pages(
                account,
                "transactions",
                lambda s, at: s.get_transaction_log(
                    accountType=WALLET_TYPE, startTime=start_ms, endTime=end_ms, limit=50, **at_cursor(at)
                ),
            )
        except TooManyPagesError:
            if end_ms <= start_ms:
                raise
        middle = (start_ms + end_ms) // 2
        return [
            *self._transaction_rows(account, start_ms, middle),
            *self._transaction_rows(account, middle + 1, end_ms),
        ]

    # --- by id: strict, one unreadable row fails the query ---

    def open_orders(self, account: Account, category: Category, **by: Any) -> list[OrderReport]:
        """Working orders by id, the newest closed ones included."""
        return [parse_order(account, row, category) for row in self._order_rows(account, category, by)]

    def order_history(self, account: Account, category: Category, **by: Any) -> list[OrderReport]:
        """Orders of the (lagging) history."""
        rows = self._caller.pages(
            account,
            "history",
            lambda s, at: s.get_order_history(category=category, limit=50, **by, **at_cursor(at)),
            category,
        )
        return [parse_order(account, row, category) for row in rows]

    def executions_by(self, account: Account, category: Category, **by: Any) -> list[ExecutionReport]:
        """Executions by id."""
        return [parse_execution(account, row, category) for row in self._execution_rows(account, category, **by)]

    def with_realized(self, account: Account, executions: Sequence[ExecutionReport]) -> list[ExecutionReport]:
        """The executions with their realised profit, which the transaction log is asked for where the list lacks it."""
        instants = [one.executed_ms for one in executions if lacks_realized(one)]
        if not instants:
            return list(executions)
        rows = self._transaction_rows(account, min(instants), max(instants))
        return with_realized(executions, kept([], "transaction", rows, partial(parse_transaction, account)))

    # --- rows ---

    def _order_rows(self, account: Account, category: Category, where: Mapping[str, Any]) -> list[Any]:
        return self._caller.pages(
            account,
            "orders",
            lambda s, at: s.get_open_orders(category=category, limit=50, **where, **at_cursor(at)),
            category,
        )

    def _execution_rows_since(self, account: Account, category: Category, since_ms: int, now_ms: int) -> list[Any]:
        """All rows from an instant of market time on, in windows the exchange allows."""
        start = max(since_ms, now_ms - REACH_MS)
        found: list[Any] = []
        while start <= now_ms:
            found += self._execution_rows(account, category, startTime=start, endTime=start + WINDOW_MS - 1)
            start += WINDOW_MS
        return found

    def _execution_rows(self, account: Account, category: Category, **by: Any) -> list[Any]:
        return self._caller.pages(
            account,
            "executions",
            lambda s, at: s.get_executions(category=category, limit=100, **by, **at_cursor(at)),
            category,
        )


def _order(account: Account, category: Category, latest_ms: int, row: Any) -> OrderReport:
    return traded(parse_order(account, row, category, latest_ms))


class _Position(NamedTuple):
    """What a row says of a symbol: its position, None when flat."""

    symbol: str
    report: PositionReport | None


def _position(account: Account, row: Any) -> _Position:
    report = parse_position(account, row)
    return _Position(Row(row, "position row").symbol(), None if report is None else traded(report))


def _order_name(row: OrderReport) -> tuple[str, str, str]:
    return row.category, row.symbol, row.venue_order_id


def _execution(account: Account, category: Category, latest_ms: int, row: Any) -> ExecutionReport:
    return traded(parse_execution(account, row, category, latest_ms))
